//! URLs of sources: which may be fetched, what kind they are, and when two are the same.
//!
//! [`SourceUrl::parse`] is the one gate. What passes is `http` or `https`, carries no credentials,
//! names no private address or name, and has a canonical spelling ([`SourceUrl::as_str`]), a key by
//! which duplicates are found ([`SourceUrl::identity`]) and a [`Kind`] that the host decides.
//! What does not pass says why ([`Refusal`]). The parser is the WHATWG one, which is also the one
//! that fetches: `http://0x7f.1/` is `127.0.0.1` to both.
//!
//! The identity leaves out what does not choose the page: the scheme, the case of the host, the
//! default port, the fragment (but the lines of a file on GitHub and the routes `#/…`, `#!…`) and
//! tracking parameters. Query parameters keep their order, `www.` and a slash at the end count.

mod bitbucket;
mod bitbucket_data_center;
mod github;
mod gitlab;
mod web;
mod youtube;

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

pub use nova_web::{CodeHosts, CodeSite, MAX_URL_BYTES, NOT_GLOBAL, Reach, is_global};

/// What a source is, and so which tool reads it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Code: a repository, folder, file or gist, of GitHub or another host that is known to keep code.
    Github,
    /// A video.
    Youtube,
    /// A web page.
    Web,
}

/// Why a URL cannot be a source.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It cannot be parsed.
    #[error("the URL cannot be read")]
    InvalidUrl,
    /// It is longer than [`MAX_URL_BYTES`].
    #[error("the URL is longer than {MAX_URL_BYTES} bytes")]
    TooLong,
    /// It is neither `http` nor `https`.
    #[error("only http and https URLs can be fetched")]
    UnsupportedScheme,
    /// It holds a user name or password.
    #[error("the URL holds credentials")]
    CredentialsInUrl,
    /// Its host is not on the public internet.
    #[error("the host is not on the public internet")]
    PrivateAddress,
    /// It is on YouTube and not a video.
    #[error("the YouTube URL is not that of a video")]
    YoutubeNotAVideo,
}

/// The URL of a source in its canonical form.
///
/// ```
/// use nova_research::url::{Kind, SourceUrl};
///
/// # fn main() -> Result<(), nova_research::url::Refusal> {
/// let url = SourceUrl::parse("https://youtu.be/dQw4w9WgXcQ?t=42")?;
/// assert_eq!(url.as_str(), "https://www.youtube.com/watch?v=dQw4w9WgXcQ");
/// assert_eq!(url.kind(), Kind::Youtube);
///
/// let plain = SourceUrl::parse("http://EXAMPLE.com:80/p?utm_source=x&id=7#intro")?;
/// assert_eq!(plain.identity(), SourceUrl::parse("https://example.com/p?id=7")?.identity());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceUrl {
    url: String,
    identity: String,
    kind: Kind,
}

/// One spelling to fetch and one to compare by.
struct Canonical {
    url: String,
    identity: String,
}

impl SourceUrl {
    /// Reads a URL as somebody wrote it.
    pub fn parse(written: &str) -> Result<Self, Refusal> {
        Self::parse_within(written, Reach::Public)
    }

    /// The same where one's own network may be read as well.
    pub fn parse_within(written: &str, reach: Reach) -> Result<Self, Refusal> {
        Self::parse_among(written, reach, &CodeHosts::default())
    }

    /// The same where other hosts than GitHub keep code too. Whoever named them answers for their
    /// being reached: they may be of one's own network, of which nothing else is read then.
    pub fn parse_among(
        written: &str,
        reach: Reach,
        code_hosts: &CodeHosts,
    ) -> Result<Self, Refusal> {
        if written.len() > MAX_URL_BYTES {
            return Err(Refusal::TooLong);
        }
        let mut url = Url::parse(written).map_err(|_unreadable| Refusal::InvalidUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::UnsupportedScheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::CredentialsInUrl);
        }
        let host = reachable_host(&mut url, reach);
        if host == Err(Refusal::InvalidUrl) {
            return Err(Refusal::InvalidUrl);
        }
        let (kind, canonical) = if let Some(canonical) = code(&url, code_hosts) {
            (Kind::Github, canonical)
        } else if let Some(youtube) = youtube::read(&url, &host?) {
            match youtube {
                youtube::Youtube::Video(canonical) => (Kind::Youtube, canonical),
                youtube::Youtube::NotAVideo => return Err(Refusal::YoutubeNotAVideo),
            }
        } else {
            (Kind::Web, web::page(url, written))
        };
        Ok(Self {
            url: canonical.url,
            identity: canonical.identity,
            kind,
        })
    }

    /// The URL to fetch.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// The key that is the same for every spelling of this URL.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Which tool reads it.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it would be fetched without encryption.
    pub fn is_plain_http(&self) -> bool {
        self.url.starts_with("http://")
    }

    /// The URL, the identity and the kind, without copying.
    pub fn into_parts(self) -> (String, String, Kind) {
        (self.url, self.identity, self.kind)
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.url)
    }
}

/// The canonical form of a URL that names code.
fn code(url: &Url, hosts: &CodeHosts) -> Option<Canonical> {
    let (host, site) = hosts.find(url)?;
    let parts: Vec<&str> = url
        .path_segments()?
        .filter(|part| !part.is_empty())
        .collect();
    match site {
        CodeSite::Github => github::code(url, host, &parts),
        CodeSite::Gitlab => gitlab::code(url, host, &parts),
        CodeSite::Bitbucket => bitbucket::code(url, host, &parts),
        CodeSite::BitbucketDataCenter => bitbucket_data_center::code(url, host, &parts),
    }
}

/// Names of owners and repositories, as all of these hosts make them.
fn is_name(part: &str) -> bool {
    (1..=255).contains(&part.len())
        && part != "."
        && part != ".."
        && part
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
}

/// The lines that the author meant, where the fragment selects some: `L10`, `L10-L20`, `L10C3-L20C1`.
fn lines(url: &Url) -> String {
    let selects_lines = |fragment: &&str| {
        fragment.strip_prefix('L').is_some_and(|rest| {
            rest.starts_with(|first: char| first.is_ascii_digit())
                && rest.len() <= 40
                && rest
                    .bytes()
                    .all(|it| it.is_ascii_digit() || b"LC-".contains(&it))
        })
    };
    let fragment = url.fragment().filter(selects_lines);
    fragment.map_or_else(String::new, |it| format!("#{it}"))
}

/// Checks the host and takes the dots from its end, which mean the same name.
fn reachable_host(url: &mut Url, reach: Reach) -> Result<String, Refusal> {
    if let Some(Host::Domain(name)) = url.host()
        && name.ends_with('.')
    {
        // What is left may be an address: `127.0.0.1..` was none.
        let name = name.trim_end_matches('.').to_owned();
        url.set_host(Some(&name))
            .map_err(|_unreadable| Refusal::InvalidUrl)?;
    }
    match url.host() {
        None => Err(Refusal::InvalidUrl),
        Some(Host::Ipv4(address)) => reachable_address(url, IpAddr::V4(address), reach),
        Some(Host::Ipv6(address)) => reachable_address(url, IpAddr::V6(address), reach),
        Some(Host::Domain(name)) if reach.allows_name(name) => Ok(name.to_owned()),
        Some(Host::Domain(_)) => Err(Refusal::PrivateAddress),
    }
}

fn reachable_address(url: &Url, address: IpAddr, reach: Reach) -> Result<String, Refusal> {
    if reach.allows(address) {
        Ok(url.host_str().unwrap_or_default().to_owned())
    } else {
        Err(Refusal::PrivateAddress)
    }
}
