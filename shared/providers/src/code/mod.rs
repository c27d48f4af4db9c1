//! Code: repositories, folders, files and gists of code hosts, over their REST interfaces and
//! without git.
//!
//! Of a repository one archive is fetched, of the commit that a URL means; it is read while it
//! comes. Which commit that is costs one small request, so that nothing is fetched again of a
//! repository in which nothing has changed.
//!
//! GitHub is always there; other hosts when they are named in the settings (`CODE_HOSTS`): GitHub
//! Enterprise, GitLab, Bitbucket (Cloud and Data Center). Each has its own token, which goes to the
//! interface of that host and nowhere else: not where it redirects, and never where a URL says. A token
//! is the operator's, and who asks is any user: so it reads what the host says is public, unless
//! `NOVA_ALLOW_PRIVATE_CODE` is set.
//!
//! | Module | For |
//! | --- | --- |
//! | `host` | one host: what of it is asked, in which order |
//! | `interface` | the questions that every kind of host answers |
//! | `github`, `gitlab`, `bitbucket`, `bitbucket_data_center` | how each of them is asked |
//! | `rest` | one question: credentials, redirects, statuses |
//! | `archive` | an archive that is read while it comes |

mod archive;
mod bitbucket;
mod bitbucket_data_center;
mod error;
mod github;
mod gitlab;
mod host;
mod interface;
mod rest;

use std::{collections::BTreeMap, sync::Arc};

use nova_research::{
    ingest::Digest,
    url::{CodeHosts as KnownHosts, CodeSite},
};
use nova_runtime::App;
use url::Url;

pub use self::{
    error::CodeError,
    host::{CodeHost, Mirrors},
};

/// The hosts that the settings speak of.
#[derive(Clone, Debug)]
pub struct CodeHosts {
    known: Arc<KnownHosts>,
    hosts: Arc<BTreeMap<String, CodeHost>>,
}

/// What is known of a source from the last time.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The commit, or the version of the gist.
    pub revision: Option<String>,
    /// What the answer was marked with.
    pub etag: Option<String>,
}

/// What a URL gave.
#[derive(Debug)]
pub enum Outcome {
    /// What it gave the last time.
    Unchanged,
    /// Something that is new, or has changed.
    Read(Box<Code>),
}

/// Code that was read.
#[derive(Debug)]
pub struct Code {
    /// The Markdown.
    pub digest: Digest,
    /// What it is called: `acme/widgets`.
    pub title: String,
    /// For the next time.
    pub known: Known,
    /// Who gave it: `github`, `gitlab`, `bitbucket`.
    pub provider: &'static str,
}

impl CodeHosts {
    /// The hosts that the settings speak of. Nothing is connected yet.
    pub fn from_app(app: &App) -> Self {
        let config = app.config();
        let (http, fetcher, fetch) = (app.http(), app.fetcher(), &config.fetch);
        let shown = |host: CodeHost| {
            if config.providers.allow_private_code {
                host.with_private()
            } else {
                host
            }
        };
        let github = CodeHost::github(http, &config.providers.github, fetch, fetcher);
        let named = config.providers.code_hosts.iter().map(|host| {
            let client = CodeHost::named(http, host, fetch, fetcher);
            (host.name.clone(), shown(client))
        });
        let github = ("github.com".to_owned(), shown(github));
        Self {
            known: Arc::new(config.providers.known_code_hosts()),
            hosts: Arc::new(named.chain([github]).collect()),
        }
    }

    /// Which hosts they are, for whoever tells code from web pages.
    pub fn known(&self) -> &KnownHosts {
        &self.known
    }

    /// Reads what a URL names, unless it is what it was the last time.
    ///
    /// # Errors
    ///
    /// It is not there, its host does not answer, or what it has cannot be read.
    pub async fn read(&self, url: &str, known: &Known) -> Result<Outcome, CodeError> {
        let parsed = Url::parse(url).map_err(|_unreadable| CodeError::NotCode)?;
        let found = self.known.find(&parsed);
        let host = found.and_then(|(name, _)| self.hosts.get(name));
        host.ok_or(CodeError::NotCode)?.read(url, known).await
    }
}

/// What a kind of host is called, in rows and in sentences.
const fn names(site: CodeSite) -> (&'static str, &'static str) {
    match site {
        CodeSite::Github => ("github", "GitHub"),
        CodeSite::Gitlab => ("gitlab", "GitLab"),
        CodeSite::Bitbucket | CodeSite::BitbucketDataCenter => ("bitbucket", "Bitbucket"),
    }
}
