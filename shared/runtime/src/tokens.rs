//! Google access tokens: one [`TokenSource`] for everything in a process that talks to Google.
//!
//! They are the connector's [`CachedTokens`]: fetched when a request needs one, by one caller for
//! all, never by a background task, since on Cloud Run the processor sleeps between requests. Which
//! credentials are used is said by configuration and never found by probing.

use std::{fmt, sync::Arc};

use cloudsql_connector::tokens::{
    CLOUD_SCOPE, CachedTokens, Fixed, MetadataServer, TokenSource as _, credentials_file,
};
pub use cloudsql_connector::tokens::{Token, TokenError};

use crate::config::{ConfigError, GoogleCredentials};

/// Hands out the process's access tokens. Cloning is cheap and shares the tokens.
#[derive(Clone)]
pub struct TokenSource(Option<CachedTokens>);

impl TokenSource {
    /// For emulators: requests carry no `Authorization` at all.
    pub fn anonymous() -> Self {
        Self(None)
    }

    /// Always the same token, for example one from `gcloud auth print-access-token`.
    pub fn fixed(token: &str) -> Self {
        Self::of(Fixed::new(token))
    }

    /// Tokens of the credentials that the settings name. Nothing is read or fetched but a key file.
    ///
    /// # Errors
    ///
    /// When the key file cannot be read, or holds credentials of another kind.
    pub fn new(credentials: &GoogleCredentials) -> Result<Self, ConfigError> {
        match credentials {
            GoogleCredentials::MetadataServer(host) => {
                Ok(Self::of(MetadataServer::new(host.as_deref())))
            }
            GoogleCredentials::KeyFile(path) => {
                let source = credentials_file(path).map_err(|error| {
                    ConfigError::new(format!("GOOGLE_APPLICATION_CREDENTIALS: {error}"))
                })?;
                Ok(Self(Some(CachedTokens::new(source))))
            }
        }
    }

    fn of(source: impl cloudsql_connector::tokens::TokenSource) -> Self {
        Self(Some(CachedTokens::new(Arc::new(source))))
    }

    /// A token for Google's services that is valid now, or `None` where none is needed.
    ///
    /// # Errors
    ///
    /// When no token could be had, and none that is still valid is at hand.
    pub async fn token(&self) -> Result<Option<Token>, TokenError> {
        match &self.0 {
            None => Ok(None),
            Some(tokens) => tokens.token(&[CLOUD_SCOPE]).await.map(Some),
        }
    }

    /// The same tokens, for the connector; `None` where there are none.
    pub(crate) fn shared(&self) -> Option<CachedTokens> {
        self.0.clone()
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            None => "TokenSource(anonymous)",
            Some(_) => "TokenSource(google)",
        })
    }
}
