//! Why a page could not be fetched.

use std::{borrow::Cow, io, time::Duration};

use http::StatusCode;
use nova_web::Refusal;

/// Why a fetch gave nothing. The words are for the user and name no address that a name resolved
/// to; [`FetchError::reason`] is for programs.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL, or one that it redirects to, is not fetched.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The name cannot be resolved.
    #[error("the name {host} cannot be resolved")]
    Dns {
        /// The host.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Nobody accepts connections there.
    #[error("{host} cannot be reached")]
    Unreachable {
        /// The host.
        host: String,
        /// Of the last address that was tried.
        source: io::Error,
    },
    /// Its certificate is not good for its name, or it speaks no TLS that we do.
    #[error("no secure connection to {host}")]
    Tls {
        /// The host.
        host: String,
        /// What is wrong.
        source: io::Error,
    },
    /// It takes too long.
    #[error("{host} takes too long: {wait}")]
    Timeout {
        /// The host.
        host: String,
        /// What was waited for.
        wait: Wait,
    },
    /// The connection broke, or what came over it is not HTTP.
    #[error("the answer of {host} broke off or cannot be read")]
    Broken {
        /// The host.
        host: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It sends us on and on.
    #[error("{host} redirects too often")]
    TooManyRedirects {
        /// The host of the last one.
        host: String,
    },
    /// It redirects from `https` to `http` a request that carries credentials.
    #[error("{host} redirects to an insecure address")]
    InsecureRedirect {
        /// The host that redirects.
        host: String,
    },
    /// A status that is not success.
    #[error("{host} answered {status}")]
    Status {
        /// The host.
        host: String,
        /// What it answered.
        status: StatusCode,
    },
    /// The site asks to come back later: 429, or 503 with a time.
    #[error("{host} asks to try again later ({status})")]
    RateLimited {
        /// The host.
        host: String,
        /// What it answered.
        status: StatusCode,
        /// How long to wait, where it says so.
        retry_after: Option<Duration>,
    },
    /// The site wants to see a browser, and a person in front of it.
    #[error("{host} does not let programs read this page")]
    BlockedBySite {
        /// The host.
        host: String,
    },
    /// Its robots.txt forbids the page.
    #[error("the robots.txt of {host} does not allow programs to read this page")]
    Robots {
        /// The host.
        host: String,
    },
    /// Its robots.txt cannot be had at the moment, so that nobody knows what it forbids.
    #[error("the robots.txt of {host} cannot be read at the moment")]
    RobotsUnavailable {
        /// The host.
        host: String,
    },
    /// The body is larger than the caller accepts.
    #[error("the page is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The header is larger than any real one.
    #[error("the header of the answer of {host} is too large")]
    HeaderTooLarge {
        /// The host.
        host: String,
    },
    /// The body unpacks to far more than it is.
    #[error("the page is compressed beyond measure")]
    Bomb,
    /// It is something that is not read.
    #[error("content of type {content_type:?} is not read")]
    UnsupportedType {
        /// What the server says it is.
        content_type: String,
    },
    /// It is packed in a way that we did not offer to unpack.
    #[error("content with the encoding {encoding:?} is not read")]
    UnsupportedEncoding {
        /// What the server says it is.
        encoding: String,
    },
    /// Too many others wait for this site already.
    #[error("too many pages of {host} are being read at the moment")]
    Busy {
        /// The host.
        host: String,
    },
}

/// What was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The address of a name.
    Name,
    /// A connection.
    Connection,
    /// The header of the answer.
    FirstByte,
    /// The next piece of the body.
    NextByte,
    /// The body at a rate worth waiting for.
    Rate,
    /// All of it.
    Total,
}

impl std::fmt::Display for Wait {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Name => "its name is not resolved",
            Self::Connection => "it does not accept connections",
            Self::FirstByte => "it does not answer",
            Self::NextByte => "its answer stands still",
            Self::Rate => "its answer trickles",
            Self::Total => "the time for all of it is over",
        })
    }
}

impl FetchError {
    /// The failure as a word that stays the same: `private_address`, `http_404`, `timeout`, ….
    pub fn reason(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Refused(refusal) => refusal.reason(),
            Self::Timeout {
                wait: Wait::Name, ..
            } => "dns_timeout",
            Self::Dns { .. } => "dns",
            Self::Unreachable { .. } => "unreachable",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
            Self::Broken { .. } => "broken_answer",
            Self::TooManyRedirects { .. } => "too_many_redirects",
            Self::InsecureRedirect { .. } => "insecure_redirect",
            Self::Status { status, .. } | Self::RateLimited { status, .. } => {
                return Cow::Owned(format!("http_{}", status.as_u16()));
            }
            Self::BlockedBySite { .. } => "blocked_by_site",
            Self::Robots { .. } => "robots",
            Self::RobotsUnavailable { .. } => "robots_unavailable",
            Self::TooLarge { .. } | Self::HeaderTooLarge { .. } | Self::Bomb => "too_large",
            Self::UnsupportedType { .. } => "unsupported_type",
            Self::UnsupportedEncoding { .. } => "unsupported_encoding",
            Self::Busy { .. } => "busy",
        })
    }

    /// True when the same fetch may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Dns { .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::RateLimited { .. }
            | Self::RobotsUnavailable { .. }
            | Self::Busy { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::REQUEST_TIMEOUT
            }
            Self::Refused(_)
            | Self::Tls { .. }
            | Self::TooManyRedirects { .. }
            | Self::InsecureRedirect { .. }
            | Self::BlockedBySite { .. }
            | Self::Robots { .. }
            | Self::TooLarge { .. }
            | Self::HeaderTooLarge { .. }
            | Self::Bomb
            | Self::UnsupportedType { .. }
            | Self::UnsupportedEncoding { .. } => false,
        }
    }

    /// How long the site asks to wait before the next try.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
