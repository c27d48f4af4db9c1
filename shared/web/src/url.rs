//! URLs that may be fetched.

use url::{Host, Url};

use crate::Reach;

/// Longer URLs are refused. Signed links reach about 4 KB; data hidden in a URL has no limit.
pub const MAX_URL_BYTES: usize = 8192;

/// The ports of the web. A client that asks any port is a port scanner for whoever sends it, and
/// speaks HTTP to mail servers.
const PORTS: [u16; 4] = [80, 443, 8080, 8443];

/// A URL that may be fetched: parsed once, by the WHATWG rules, and checked.
///
/// What is left to check is what a name resolves to ([`Reach::allows`]): whoever connects has to
/// ask it for every address, and to connect to the very address that it asked about.
///
/// ```
/// use nova_web::{Reach, Refusal, WebUrl};
///
/// # fn main() -> Result<(), Refusal> {
/// let url = WebUrl::parse("https://Example.com./a b#top", Reach::Public)?;
/// assert_eq!(url.as_str(), "https://example.com/a%20b");
/// assert_eq!(url.redirect("/c", Reach::Public)?.as_str(), "https://example.com/c");
/// assert_eq!(url.redirect("//0x7f.1/", Reach::Public), Err(Refusal::PrivateAddress));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct WebUrl(Url);

impl WebUrl {
    /// Reads a URL as somebody wrote it.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(written: &str, reach: Reach) -> Result<Self, Refusal> {
        if written.len() > MAX_URL_BYTES {
            return Err(Refusal::TooLong);
        }
        Self::check(
            Url::parse(written).map_err(|_unreadable| Refusal::InvalidUrl)?,
            reach,
        )
    }

    /// Where a redirect leads that this URL answered, with `location` as in the header.
    ///
    /// # Errors
    ///
    /// As for [`WebUrl::parse`].
    pub fn redirect(&self, location: &str, reach: Reach) -> Result<Self, Refusal> {
        if location.len() > MAX_URL_BYTES {
            return Err(Refusal::TooLong);
        }
        let joined = self.0.join(location);
        Self::check(joined.map_err(|_unreadable| Refusal::InvalidUrl)?, reach)
    }

    fn check(mut url: Url, reach: Reach) -> Result<Self, Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::UnsupportedScheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::CredentialsInUrl);
        }
        if let Some(Host::Domain(name)) = url.host()
            && name.ends_with('.')
        {
            // The dot says that the name is whole. It is no part of it: certificates and servers
            // know the name without. What is left may be an address: `127.0.0.1..` was none.
            let name = name.trim_end_matches('.').to_owned();
            url.set_host(Some(&name))
                .map_err(|_unreadable| Refusal::InvalidUrl)?;
        }
        let is_reachable = match url.host() {
            None => return Err(Refusal::InvalidUrl),
            Some(Host::Ipv4(address)) => reach.allows(address.into()),
            Some(Host::Ipv6(address)) => reach.allows(address.into()),
            Some(Host::Domain(name)) => reach.allows_name(name),
        };
        if !is_reachable {
            return Err(Refusal::PrivateAddress);
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if reach == Reach::Public && !PORTS.contains(&port) {
            return Err(Refusal::UnsupportedPort { port });
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parsed URL.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.0
    }

    /// The host: a name in lower case without a dot at its end, or an address.
    #[must_use]
    pub fn host(&self) -> Host<&str> {
        self.0
            .host()
            .expect("a URL without host is not made a WebUrl")
    }

    /// The host as it is written in the URL.
    #[must_use]
    pub fn host_str(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The port, also where it is the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// Whether it is fetched by TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether both are the same scheme, host and port.
    #[must_use]
    pub fn is_same_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// What is asked of the server: the path and the query.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        self.0
            .as_str()
            .get(url_path_start(&self.0)..)
            .unwrap_or("/")
    }

    /// Where the site's robots.txt is.
    #[must_use]
    pub fn robots(&self) -> Self {
        let mut url = self.0.clone();
        url.set_path("/robots.txt");
        url.set_query(None);
        Self(url)
    }
}

fn url_path_start(url: &Url) -> usize {
    url[..url::Position::BeforePath].len()
}

/// Why a URL is not fetched. The words are for the user.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
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
    /// Its port is not one of the web's.
    #[error("port {port} is not one of the web's: 80, 443, 8080, 8443")]
    UnsupportedPort {
        /// The port.
        port: u16,
    },
    /// It holds a user name or password.
    #[error("the URL holds credentials")]
    CredentialsInUrl,
    /// Its host is not on the public internet.
    #[error("the host is not on the public internet")]
    PrivateAddress,
}

impl Refusal {
    /// The refusal as a word that stays the same.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::InvalidUrl => "invalid_url",
            Self::TooLong => "too_long",
            Self::UnsupportedScheme => "unsupported_scheme",
            Self::UnsupportedPort { .. } => "unsupported_port",
            Self::CredentialsInUrl => "credentials_in_url",
            Self::PrivateAddress => "private_address",
        }
    }
}
