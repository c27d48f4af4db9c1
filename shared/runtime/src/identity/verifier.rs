//! From a token to an identity.

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use nova_store::UserId;
use url::Url;

use super::claims::{Claims, without_slash};
use super::discovery::Discovery;
use super::error::TokenError;
use super::jws::Jws;
use super::key_cache::{CurrentKeys, KeyCache, KeySource};
use super::scopes::{Scope, Scopes};
use super::token_cache::{Fingerprint, TokenCache};
use crate::clock::Clock;
use crate::http_client::HttpClient;

/// Who is calling, as the issuer vouched for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The token's subject.
    pub user: UserId,
    /// What the caller may do.
    pub scopes: Scopes,
    /// When the token ends.
    pub expires_at: SystemTime,
    /// The program that the person uses, if the issuer names it.
    pub client_id: Option<String>,
}

impl Identity {
    /// The identity of a user whom the operator names, for work that no token started.
    pub fn named(user: UserId, scopes: Scopes) -> Self {
        Self {
            user,
            scopes,
            expires_at: super::claims::time(f64::INFINITY),
            client_id: None,
        }
    }

    /// True when every one of `required` is granted.
    pub fn may(&self, required: &[Scope]) -> bool {
        self.scopes.contains_all(required)
    }
}

/// Whose tokens are accepted, and for which audiences.
#[derive(Clone, Debug)]
pub struct VerifierConfig {
    /// The issuer: its metadata is read from `{issuer}/.well-known/openid-configuration`.
    pub issuer: String,
    /// Other names of the same issuer in `iss`; usually empty.
    pub issuer_aliases: Vec<String>,
    /// A token must name at least one of these. A slash at the end does not matter.
    pub audiences: Vec<String>,
    /// Where the keys are, if the metadata is not to be asked.
    pub jwks_url: Option<Url>,
}

impl VerifierConfig {
    /// Any `OpenID` Connect issuer.
    pub fn oidc(issuer: impl Into<String>, audiences: Vec<String>) -> Self {
        Self {
            issuer: issuer.into(),
            issuer_aliases: Vec::new(),
            audiences,
            jwks_url: None,
        }
    }

    /// A Descope project. Its tokens are for the audience `project_id`; `iss` is
    /// `{base}/v1/apps/{project}` for applications, `{base}/{project}` or the bare project id for
    /// sessions of its older and newer libraries.
    pub fn descope(base_url: &Url, project_id: &str) -> Result<Self, url::ParseError> {
        let base = base_url.as_str().trim_end_matches('/');
        Ok(Self {
            issuer: format!("{base}/v1/apps/{project_id}"),
            issuer_aliases: vec![format!("{base}/{project_id}"), project_id.to_owned()],
            audiences: vec![project_id.to_owned()],
            jwks_url: Some(format!("{base}/{project_id}/.well-known/jwks.json").parse()?),
        })
    }
}

/// Verifies tokens of one issuer. Nothing is fetched until the first token arrives.
pub struct Verifier {
    issuers: Vec<String>,
    audiences: Vec<String>,
    discovery: Arc<Discovery>,
    keys: KeyCache,
    verified: TokenCache,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// A verifier with empty caches.
    pub fn new(config: impl Into<VerifierConfig>, http: HttpClient, clock: Arc<dyn Clock>) -> Self {
        let config = config.into();
        let discovery = Arc::new(Discovery::new(
            config.issuer.clone(),
            http.clone(),
            Arc::clone(&clock),
        ));
        let source = match config.jwks_url {
            Some(url) => KeySource::At(url),
            None => KeySource::Discovered(Arc::clone(&discovery)),
        };
        let mut issuers = config.issuer_aliases;
        issuers.push(config.issuer);
        let canonical = |names: Vec<String>| names.iter().map(|name| without_slash(name)).collect();
        Self {
            issuers: canonical(issuers),
            audiences: canonical(config.audiences),
            discovery,
            keys: KeyCache::new(source, http, Arc::clone(&clock)),
            verified: TokenCache::default(),
            clock,
        }
    }

    /// What the issuer says about itself; the sign-in needs its endpoints.
    pub fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// The audiences a token may name.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// The identity that `token` proves.
    pub fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Identity, TokenError>> {
        Box::pin(async move {
            let jws = Jws::parse(token)?;
            let current = self.keys.current().await;
            let current = current.map_err(TokenError::KeysUnavailable)?;
            let fingerprint = Fingerprint::of(token);
            let now = self.clock.now();
            if let Some(known) = self.verified.get(fingerprint, current.generation, now) {
                return Ok(known);
            }
            let (claims, generation) = self.signed_claims(&jws, current).await?;
            let expires_at = claims.check(&self.issuers, &self.audiences, now)?;
            let identity = Identity {
                user: user(&claims)?,
                scopes: claims.scopes(),
                expires_at,
                client_id: claims.client_id().map(str::to_owned),
            };
            self.verified
                .insert(fingerprint, generation, identity.clone());
            Ok(identity)
        })
    }

    /// The user that an ID token names, which a sign-in of `client_id` with `nonce` was given.
    /// An ID token proves who signed in; it is never a credential here.
    pub fn verify_id_token<'a>(
        &'a self,
        token: &'a str,
        client_id: &'a str,
        nonce: &'a str,
    ) -> BoxFuture<'a, Result<UserId, TokenError>> {
        Box::pin(async move {
            let jws = Jws::parse(token)?;
            let current = self.keys.current().await;
            let current = current.map_err(TokenError::KeysUnavailable)?;
            let (claims, _generation) = self.signed_claims(&jws, current).await?;
            let audience = [without_slash(client_id)];
            claims.check(&self.issuers, &audience, self.clock.now())?;
            if claims.nonce() != Some(nonce) {
                return Err(TokenError::Nonce);
            }
            user(&claims)
        })
    }

    /// Makes sure that a token is that of the service account with this e-mail: a machine's, which
    /// is no user's identity.
    pub fn verify_service_account<'a>(
        &'a self,
        token: &'a str,
        email: &'a str,
    ) -> BoxFuture<'a, Result<(), TokenError>> {
        Box::pin(async move {
            let jws = Jws::parse(token)?;
            let current = self.keys.current().await;
            let current = current.map_err(TokenError::KeysUnavailable)?;
            let (claims, _generation) = self.signed_claims(&jws, current).await?;
            claims.check(&self.issuers, &self.audiences, self.clock.now())?;
            match claims.verified_email() {
                Some(found) if found == email => Ok(()),
                other => Err(TokenError::Account(other.map(super::jws::shortened))),
            }
        })
    }

    /// The claims, once the signature is known to be the issuer's.
    async fn signed_claims(
        &self,
        jws: &Jws<'_>,
        mut current: CurrentKeys,
    ) -> Result<(Claims, u64), TokenError> {
        let id = jws.key_id.as_deref();
        if current.keys.find(id, jws.algorithm).is_none() {
            // A key that exists for another algorithm is no reason to ask the issuer again.
            if current.keys.has_id(id) {
                return Err(TokenError::Algorithm(format!("{:?}", jws.algorithm)));
            }
            if let Some(newer) = self.keys.newer_than(current.generation).await {
                current = newer;
            }
        }
        let key = current.keys.find(id, jws.algorithm);
        let key = key.ok_or_else(|| TokenError::UnknownKey(id.map(super::jws::shortened)))?;
        if !key.verifies(jws.signed.as_bytes(), &jws.signature) {
            return Err(TokenError::Signature);
        }
        Ok((Claims::parse(&jws.claims()?)?, current.generation))
    }
}

fn user(claims: &Claims) -> Result<UserId, TokenError> {
    UserId::try_from(claims.subject().to_owned())
        .map_err(|error| TokenError::Subject(error.to_string()))
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Verifier")
            .field("issuers", &self.issuers)
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}
