//! Why a token was not accepted: the cause for our log, one safe sentence for the caller.

use std::time::Duration;

use crate::http_client::HttpError;

/// A token that gives no identity.
///
/// `Display` is written for the log and may name what the token claimed; it never contains the
/// token. The caller reads [`TokenError::public_text`] and nothing else.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Larger than any token we accept; nothing of it was read.
    #[error("the token has {0} bytes")]
    TooLarge(usize),
    /// Not three parts of base64url with JSON in the first two.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// `alg` is not on our list, or not the algorithm of the key.
    #[error("the algorithm {0:?} is not accepted")]
    Algorithm(String),
    /// A header field that must be understood and is not.
    #[error("the token's header is not accepted: {0}")]
    Header(&'static str),
    /// No key of the issuer has this id.
    #[error("no key of the issuer fits the key id {0:?}")]
    UnknownKey(Option<String>),
    /// The signature does not fit.
    #[error("the signature does not fit")]
    Signature,
    /// Signed by the issuer, but the claims cannot be read.
    #[error("the token's claims cannot be read: {0}")]
    Claims(String),
    /// `exp` has passed.
    #[error("the token expired {ago:?} ago")]
    Expired {
        /// How long ago, skew not counted.
        ago: Duration,
    },
    /// `nbf` or `iat` lies in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iss` is somebody else.
    #[error("the issuer {0:?} is not accepted")]
    Issuer(String),
    /// The token is meant for another service.
    #[error("the audience {0:?} is not ours")]
    Audience(Vec<String>),
    /// `sub` cannot be a user's id.
    #[error("the subject is no user id: {0}")]
    Subject(String),
    /// A nonce that is not the one of this sign-in.
    #[error("the nonce is not the one that was sent")]
    Nonce,
    /// The token is another service account's.
    #[error("the token is that of {0:?}")]
    Account(Option<String>),
    /// The issuer's keys could not be had, so that nothing can be said about the token.
    #[error("the issuer's keys cannot be read")]
    KeysUnavailable(#[source] DiscoveryError),
}

impl TokenError {
    /// One sentence for the caller. Deliberately poor: it helps the owner of a token and not
    /// someone who forges one.
    pub const fn public_text(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "The token has expired.",
            Self::NotYetValid => "The token is not valid yet.",
            Self::Issuer(_) => "The token comes from another issuer.",
            Self::Audience(_) => "The token is meant for another service.",
            Self::TooLarge(_) => "The token is too large.",
            Self::KeysUnavailable(_) => "The token cannot be checked at the moment.",
            Self::Malformed(_)
            | Self::Algorithm(_)
            | Self::Header(_)
            | Self::UnknownKey(_)
            | Self::Signature
            | Self::Claims(_)
            | Self::Subject(_)
            | Self::Nonce
            | Self::Account(_) => "The token is not valid.",
        }
    }

    /// True when the token may be good and the fault is not the caller's: answer 503, not 401.
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::KeysUnavailable(_))
    }
}

/// Why an issuer's metadata or keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The exchange failed.
    #[error("the issuer could not be asked")]
    Http(#[from] HttpError),
    /// Metadata and keys together took too long.
    #[error("no keys within {0:?}")]
    TooSlow(Duration),
    /// The document describes another issuer (a mix-up attack, or a wrong setting).
    #[error("the metadata describes the issuer {found:?}, not {expected:?}")]
    OtherIssuer {
        /// What is configured.
        expected: String,
        /// What the document says.
        found: String,
    },
    /// An endpoint that is no URL, or less safe than the issuer itself.
    #[error("{name} {url:?} is no https address, nor one of the issuer's own scheme")]
    UnsafeEndpoint {
        /// The field of the metadata.
        name: &'static str,
        /// Its value.
        url: String,
    },
    /// The metadata lacks a field that is needed.
    #[error("the metadata has no {0}")]
    MissingEndpoint(&'static str),
    /// The key set has no key that can verify anything.
    #[error("the key set has no usable key")]
    NoUsableKey,
    /// The last attempt failed a moment ago and is not repeated yet.
    #[error("the last attempt failed a moment ago")]
    FailedRecently,
}
