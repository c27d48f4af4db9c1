//! Which hosts keep code.

use std::collections::BTreeMap;

use url::Url;

/// What kind of code host it is, which decides how its URLs are read.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CodeSite {
    /// `github.com`, and GitHub Enterprise.
    Github,
    /// `gitlab.com`, and one's own.
    Gitlab,
    /// `bitbucket.org`.
    Bitbucket,
    /// One's own Bitbucket, whose URLs and interface are others.
    BitbucketDataCenter,
}

/// GitHub's own name.
const GITHUB: &str = "github.com";
/// Where its pages, gists and raw files are.
const GITHUBS: [&str; 5] = [
    GITHUB,
    "www.github.com",
    "gist.github.com",
    "raw.githubusercontent.com",
    "gist.githubusercontent.com",
];

/// The hosts whose URLs may name code: GitHub, and those that somebody named. Whatever else looks
/// like a repository is a web page: that a host keeps code cannot be seen from its name.
///
/// ```
/// use nova_web::{CodeHosts, CodeSite};
/// # fn main() -> Result<(), url::ParseError> {
/// let hosts: CodeHosts = [("git.acme.example".to_owned(), CodeSite::Gitlab)].into_iter().collect();
/// let url = "https://git.acme.example/team/widgets".parse()?;
/// assert_eq!(hosts.find(&url), Some(("git.acme.example", CodeSite::Gitlab)));
/// assert_eq!(CodeHosts::default().find(&url), None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CodeHosts(BTreeMap<String, CodeSite>);

impl CodeHosts {
    /// The host of a URL by the name that it is known by, and what it is. Another port is another host.
    #[must_use]
    pub fn find(&self, url: &Url) -> Option<(&str, CodeSite)> {
        let host = url.host_str()?;
        if GITHUBS.contains(&host) && url.port().is_none() {
            return Some((GITHUB, CodeSite::Github));
        }
        if self.0.is_empty() {
            return None;
        }
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        if let Some((name, site)) = self.0.get_key_value(&authority) {
            return Some((name, *site));
        }
        // GitHub Enterprise keeps gists and raw files on hosts of their own.
        let below = authority
            .strip_prefix("gist.")
            .or_else(|| authority.strip_prefix("raw."))?;
        let (name, site) = self.0.get_key_value(below)?;
        (*site == CodeSite::Github).then_some((name, *site))
    }
}

/// Hosts as they stand in URLs: in lower case, with the port where it is not the scheme's own.
impl FromIterator<(String, CodeSite)> for CodeHosts {
    fn from_iter<I: IntoIterator<Item = (String, CodeSite)>>(named: I) -> Self {
        Self(named.into_iter().collect())
    }
}
