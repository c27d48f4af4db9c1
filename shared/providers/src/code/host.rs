//! One host: what of it is asked, and in which order.
//!
//! The token goes to the host's interface and nowhere else: archives may lie on another host, to
//! which it redirects. Without a token GitHub's interface answers sixty requests an hour to the whole
//! address that this machine shares with others; so archives and files are then fetched from where the
//! interface would lead ([`Mirrors`]), and the state of a repository is what its archive says.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use nova_research::{
    ingest::{self, Digest, Location, Place},
    url::CodeSite,
};
use nova_runtime::{
    config::{self, Endpoint, FetchConfig},
    fetch::{
        ContentTypes, FetchError, FetchRequest, Fetched, Fetcher, Initiative, Limits, Validators,
    },
    http_client::HttpClient,
};
use url::Url;

use super::{
    Code, CodeError, Known, Outcome, archive,
    bitbucket::Bitbucket,
    bitbucket_data_center::BitbucketDataCenter,
    error::Whom,
    github::Github,
    gitlab::Gitlab,
    interface::{Facts, Interface, State},
    names,
    rest::{MAX_FILE_BYTES, Rest, below},
};

/// Where the interfaces are that everybody may ask. Whatever else is named may be of one's own
/// network.
const PUBLIC_HOSTS: [&str; 3] = ["api.github.com", "api.bitbucket.org", "gitlab.com"];

/// What else may be the case where a token reads what is public only.
const ONLY_PUBLIC: &str = "it is private, and this deployment reads public code only \
                           (NOVA_ALLOW_PRIVATE_CODE)";

/// A code host.
#[derive(Clone, Debug)]
pub struct CodeHost {
    site: CodeSite,
    interface: Arc<dyn Interface>,
    fetcher: Fetcher,
    /// Where archives and files are fetched without a token.
    mirrors: Option<Mirrors>,
    /// Whether it is asked with a token by which nothing but what is public may be read.
    only_public: bool,
}

/// Where GitHub keeps what everybody may have.
#[derive(Clone, Debug)]
pub struct Mirrors {
    /// `OWNER/NAME/tar.gz/REF` below it is an archive.
    pub archives: Url,
    /// `OWNER/NAME/raw/REF/PATH` below it is a file, or leads to it. GitHub itself finds out where
    /// the reference ends.
    pub files: Url,
}

impl CodeHost {
    /// GitHub, at its address or that of a stand-in.
    pub fn github(
        http: &HttpClient,
        endpoint: &Endpoint,
        fetch: &FetchConfig,
        fetcher: &Fetcher,
    ) -> Self {
        let is_public = is_public(endpoint);
        let rest = Rest::new(http, endpoint, Whom::github());
        Self {
            site: CodeSite::Github,
            interface: Arc::new(Github(rest)),
            fetcher: fetcher_for(is_public, fetch, fetcher),
            mirrors: Mirrors::public().filter(|_| is_public && endpoint.key.is_none()),
            only_public: endpoint.key.is_some(),
        }
    }

    /// A host that the settings name.
    pub fn named(
        http: &HttpClient,
        host: &config::CodeHost,
        fetch: &FetchConfig,
        fetcher: &Fetcher,
    ) -> Self {
        let (_, provider) = names(host.site);
        let rest = Rest::new(http, &host.endpoint, Whom::named(provider, &host.name));
        Self {
            site: host.site,
            interface: match host.site {
                CodeSite::Github => Arc::new(Github(rest)),
                CodeSite::Gitlab => Arc::new(Gitlab(rest)),
                CodeSite::Bitbucket => Arc::new(Bitbucket::new(rest)),
                CodeSite::BitbucketDataCenter => Arc::new(BitbucketDataCenter(rest)),
            },
            fetcher: fetcher_for(is_public(&host.endpoint), fetch, fetcher),
            mirrors: None,
            only_public: host.endpoint.key.is_some(),
        }
    }

    /// With all that its token shows.
    #[must_use]
    pub const fn with_private(mut self) -> Self {
        self.only_public = false;
        self
    }

    /// With other places for what needs no token: for tests.
    #[must_use]
    pub fn with_mirrors(mut self, mirrors: Mirrors) -> Self {
        self.mirrors = Some(mirrors);
        self
    }

    /// Reads what a URL names, unless it is what it was the last time.
    ///
    /// # Errors
    ///
    /// It is not there, the host does not answer, or what it has cannot be read.
    pub async fn read(&self, url: &str, known: &Known) -> Result<Outcome, CodeError> {
        self.look(url, known).await.map_err(|error| match error {
            // The same of what is private and of what is not there.
            CodeError::Missing { provider, what, .. } if self.only_public => CodeError::Missing {
                provider,
                what,
                instead: ONLY_PUBLIC.to_owned(),
            },
            error => error,
        })
    }

    async fn look(&self, url: &str, known: &Known) -> Result<Outcome, CodeError> {
        match Location::parse(url, self.site) {
            Some(Location::Repository { project, place }) => {
                let asked = Asked {
                    url,
                    project: &project,
                    place: &place,
                    known,
                };
                match &self.mirrors {
                    Some(mirrors) if place.is_file() => self.mirrored_file(mirrors, asked).await,
                    Some(mirrors) => self.mirrored_archive(mirrors, asked).await,
                    None => self.repository(asked).await,
                }
            }
            Some(Location::Gist { id }) => self.gist(url, &id, known).await,
            None => Err(CodeError::NotCode),
        }
    }

    /// By the interface: the commit first, and the rest only if that is another.
    async fn repository(&self, asked: Asked<'_>) -> Result<Outcome, CodeError> {
        let Asked { project, known, .. } = asked;
        // First of all, so that nothing else tells that it is there.
        let shown = if self.only_public {
            Some(self.public_facts(project).await?)
        } else {
            None
        };
        let (reference, path) = self.split(asked).await?;
        let before = known.revision.as_deref();
        let commit = match self.interface.commit(project, &reference, before).await? {
            State::Same => return Ok(Outcome::Unchanged),
            State::Is(commit) => commit,
        };
        let mut request = asked.request(&reference, &path);
        request.commit = Some(commit.clone());
        let digest = if asked.place.is_file() {
            let file = self.interface.file(project, &path, &commit).await?;
            ingest::files([(&*path, &*file)], &request)?
        } else {
            let facts = match shown {
                Some(facts) => facts,
                None => self.interface.facts(project).await?,
            };
            request.licence = facts.licence;
            request.description = facts.description;
            let archive = self.interface.archive(project, &commit)?;
            match archive::read(&self.fetcher, archive, request).await? {
                Some((digest, _)) => digest,
                None => return Ok(Outcome::Unchanged),
            }
        };
        let known = Known {
            revision: Some(commit),
            etag: None,
        };
        Ok(self.code(asked, digest, &path, known))
    }

    /// What is said of a repository that everybody may read; of another it is said that it is not there.
    async fn public_facts(&self, project: &str) -> Result<Facts, CodeError> {
        let facts = self.interface.facts(project).await?;
        if facts.is_public {
            return Ok(facts);
        }
        Err(CodeError::Missing {
            provider: names(self.site).1,
            what: project.to_owned(),
            instead: ONLY_PUBLIC.to_owned(),
        })
    }

    /// Without the interface: the archive says of which commit it is.
    async fn mirrored_archive(
        &self,
        mirrors: &Mirrors,
        asked: Asked<'_>,
    ) -> Result<Outcome, CodeError> {
        let (reference, path) = match self.split(asked).await {
            Ok(split) => split,
            // The sixty requests of this hour are spent. Most names have no slash.
            Err(error) if error.is_rate_limit() => asked.place.split(&[]),
            Err(error) => return Err(error),
        };
        let parts = [asked.project, "tar.gz", &reference];
        let url = below(&mirrors.archives, parts.iter().flat_map(|it| it.split('/')))?;
        let archive = FetchRequest::new(url, Initiative::User).unless_unchanged(asked.validators());
        let request = asked.request(&reference, &path);
        let read = archive::read(&self.fetcher, archive, request).await;
        let Some((digest, etag)) = read.map_err(|error| asked.missing(error))? else {
            return Ok(Outcome::Unchanged);
        };
        let revision = digest.commit.clone();
        if revision.is_some() && revision == asked.known.revision {
            return Ok(Outcome::Unchanged);
        }
        Ok(self.code(asked, digest, &path, Known { revision, etag }))
    }

    async fn mirrored_file(
        &self,
        mirrors: &Mirrors,
        asked: Asked<'_>,
    ) -> Result<Outcome, CodeError> {
        let Place::Below { parts, .. } = asked.place else {
            return Err(CodeError::NotCode);
        };
        let (reference, path) = asked.place.split(&[]);
        let (project, parts) = (asked.project.split('/'), parts.iter().map(String::as_str));
        let url = below(&mirrors.files, project.chain(["raw"]).chain(parts))?;
        let file = FetchRequest::new(url, Initiative::User)
            .limits(Limits::of_bytes(MAX_FILE_BYTES as u64))
            .content_types(ContentTypes::Any)
            .unless_unchanged(asked.validators());
        let fetched = self.fetcher.fetch(&file).await;
        let document = match fetched.map_err(|error| asked.missing(error.into()))? {
            Fetched::NotModified => return Ok(Outcome::Unchanged),
            Fetched::Document(document) => document,
        };
        let etag = document.validators().etag().map(str::to_owned);
        let file = document.into_body().collect().await?;
        let request = asked.request(&reference, &path);
        let digest = ingest::files([(&*path, &*file)], &request)?;
        let known = Known {
            revision: None,
            etag,
        };
        Ok(self.code(asked, digest, &path, known))
    }

    async fn gist(&self, url: &str, id: &str, known: &Known) -> Result<Outcome, CodeError> {
        let Some(gist) = self.interface.gist(id, known.etag.as_deref()).await? else {
            return Ok(Outcome::Unchanged);
        };
        let (gist, etag) = gist;
        let revision = gist.version();
        if revision.is_some() && revision == known.revision {
            return Ok(Outcome::Unchanged);
        }
        let mut files = Vec::new();
        for (name, file) in gist.files {
            let bytes = match file.raw_url.filter(|_| file.truncated) {
                Some(raw) => self.rest_of(&raw).await?,
                None => file.content.unwrap_or_default().into_bytes().into(),
            };
            files.push((name, bytes));
        }
        let name = format!("gist {id}");
        let mut request = ingest::Request::new(url, &name);
        request.commit.clone_from(&revision);
        request.description = gist.description;
        let files = files.iter().map(|(name, bytes)| (name.as_str(), &**bytes));
        let digest = ingest::files(files, &request)?;
        let known = Known { revision, etag };
        let title = request
            .description
            .filter(|it| !it.is_empty())
            .unwrap_or(name);
        Ok(Outcome::Read(Box::new(Code {
            digest,
            title,
            known,
            provider: names(self.site).0,
        })))
    }

    /// A file of a gist that is too long to be in the answer.
    async fn rest_of(&self, url: &str) -> Result<Bytes, CodeError> {
        let file = FetchRequest::new(url, Initiative::User)
            .limits(Limits::of_bytes(MAX_FILE_BYTES as u64))
            .content_types(ContentTypes::Any);
        match self.fetcher.fetch(&file).await? {
            Fetched::Document(document) => Ok(document.into_body().collect().await?),
            Fetched::NotModified => Ok(Bytes::new()),
        }
    }

    fn code(&self, asked: Asked<'_>, digest: Digest, path: &str, known: Known) -> Outcome {
        let title = if path.is_empty() {
            asked.project.to_owned()
        } else {
            format!("{}: {path}", asked.project)
        };
        Outcome::Read(Box::new(Code {
            digest,
            title,
            known,
            provider: names(self.site).0,
        }))
    }

    /// The branch, tag or commit, and the path behind it.
    async fn split(&self, asked: Asked<'_>) -> Result<(String, String), CodeError> {
        let known = match asked.place.ambiguous() {
            Some(first) => self.interface.names(asked.project, first).await?,
            None => Vec::new(),
        };
        Ok(asked.place.split(&known))
    }
}

/// Whether its interface is asked by everybody.
fn is_public(endpoint: &Endpoint) -> bool {
    let host = endpoint.base_url.host_str();
    host.is_some_and(|host| PUBLIC_HOSTS.contains(&host))
}

fn fetcher_for(is_public: bool, fetch: &FetchConfig, fetcher: &Fetcher) -> Fetcher {
    if is_public {
        return fetcher.clone();
    }
    // One's own instance may lie in one's own network, and so may where it leads.
    Fetcher::new(&FetchConfig {
        allow_private_urls: true,
        ..fetch.clone()
    })
}

impl Mirrors {
    /// GitHub's own.
    fn public() -> Option<Self> {
        Some(Self {
            archives: Url::parse("https://codeload.github.com/").ok()?,
            files: Url::parse("https://github.com/").ok()?,
        })
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    url: &'a str,
    project: &'a str,
    place: &'a Place,
    known: &'a Known,
}

impl Asked<'_> {
    fn request(&self, reference: &str, path: &str) -> ingest::Request {
        ingest::Request {
            path: path.to_owned(),
            lines: self.place.lines(),
            reference: Some(reference.to_owned()).filter(|it| it != "HEAD"),
            ..ingest::Request::new(self.url, self.project)
        }
    }

    /// What 404 means where nobody is asked who he is.
    fn missing(&self, error: CodeError) -> CodeError {
        match error {
            CodeError::Fetch(FetchError::Status { status, .. })
                if status == StatusCode::NOT_FOUND =>
            {
                Whom::github().missing(self.url.to_owned(), false)
            }
            error => error,
        }
    }

    fn validators(&self) -> Validators {
        Validators::new(self.known.etag.as_deref(), None)
    }
}
