//! What an issuer says about itself: `{issuer}/.well-known/openid-configuration`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use serde::Deserialize;
use url::Url;

use super::claims::without_slash;
use super::error::DiscoveryError;
use crate::clock::Clock;
use crate::http_client::HttpClient;

/// Endpoints move rarely; a failed key fetch also forgets them.
const LIFETIME: Duration = Duration::from_hours(1);

/// The part of the metadata that we use (`OpenID` Connect Discovery 1.0, RFC 8414).
#[derive(Clone, Debug)]
pub struct Metadata {
    /// Where the public keys are.
    pub jwks_uri: Url,
    /// Where a browser is sent to sign in.
    pub authorization_endpoint: Option<Url>,
    /// Where a code is exchanged for a token.
    pub token_endpoint: Option<Url>,
    /// How a client with a secret may show it; `client_secret_basic` if nothing is said.
    pub token_endpoint_auth_methods: Vec<String>,
    /// True when the issuer always names itself in its answer to the browser (RFC 9207).
    pub names_itself_in_answers: bool,
}

/// The metadata as published.
#[derive(Deserialize)]
struct Published {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Reads an issuer's metadata when it is first needed and keeps it for an hour.
#[derive(Debug)]
pub struct Discovery {
    issuer: String,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    found: Mutex<Option<(SystemTime, Arc<Metadata>)>>,
}

impl Discovery {
    /// Nothing is fetched yet.
    pub fn new(issuer: impl Into<String>, http: HttpClient, clock: Arc<dyn Clock>) -> Self {
        Self {
            issuer: issuer.into(),
            http,
            clock,
            found: Mutex::new(None),
        }
    }

    /// The issuer whose metadata this is.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// True when `name` is the issuer; a slash at the end does not matter.
    pub fn is_issuer(&self, name: &str) -> bool {
        without_slash(name) == without_slash(&self.issuer)
    }

    /// The metadata, from memory if it is younger than an hour.
    pub fn metadata(&self) -> BoxFuture<'_, Result<Arc<Metadata>, DiscoveryError>> {
        Box::pin(async move {
            if let Some(known) = self.known() {
                return Ok(known);
            }
            let address = format!(
                "{}/.well-known/openid-configuration",
                self.issuer.trim_end_matches('/')
            );
            let url = Url::parse(&address).map_err(crate::http_client::HttpError::from)?;
            let published: Published = self.http.get_json(&url).await?;
            let metadata = Arc::new(self.checked(&url, published)?);
            let entry = Some((self.clock.now(), Arc::clone(&metadata)));
            *self.found.lock().unwrap_or_else(PoisonError::into_inner) = entry;
            Ok(metadata)
        })
    }

    /// Forgets what was found, so that the next call asks again.
    pub(super) fn forget(&self) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn known(&self) -> Option<Arc<Metadata>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, metadata) = found.as_ref()?;
        let age = self.clock.now().duration_since(*since).unwrap_or_default();
        (age < LIFETIME).then(|| Arc::clone(metadata))
    }

    fn checked(&self, asked: &Url, published: Published) -> Result<Metadata, DiscoveryError> {
        if !self.is_issuer(&published.issuer) {
            return Err(DiscoveryError::OtherIssuer {
                expected: self.issuer.clone(),
                found: published.issuer,
            });
        }
        let endpoint = |name, text: String| match Url::parse(&text) {
            Ok(url) if url.scheme() == "https" || url.scheme() == asked.scheme() => Ok(url),
            _ => Err(DiscoveryError::UnsafeEndpoint { name, url: text }),
        };
        let optional =
            |name, text: Option<String>| text.map(|text| endpoint(name, text)).transpose();
        Ok(Metadata {
            jwks_uri: endpoint("jwks_uri", published.jwks_uri)?,
            authorization_endpoint: optional(
                "authorization_endpoint",
                published.authorization_endpoint,
            )?,
            token_endpoint: optional("token_endpoint", published.token_endpoint)?,
            token_endpoint_auth_methods: published.token_endpoint_auth_methods_supported,
            names_itself_in_answers: published.authorization_response_iss_parameter_supported,
        })
    }
}
