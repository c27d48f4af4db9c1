//! A local issuer of identities: OAuth 2.1 with PKCE and `OpenID` Connect, for one machine.
//!
//! The local cloud mounts it under a path of its own address, so that signing in works without an
//! account anywhere; tests start it on a free port and make it misbehave. It believes whoever says
//! who they are, and that is all it must never be used for: [`refuse_on_cloud_run`].
//!
//! What it speaks: discovery (`OpenID` Connect and RFC 8414), a key set, the authorization page
//! (code flow, PKCE with S256, `resource` of RFC 8707, `iss` of RFC 9207), the token endpoint,
//! dynamic client registration (RFC 7591) and clients named by the address of their description.
//! Tokens are RFC 9068 access tokens, signed by ES256 with a key that lives in a file.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use std::time::Duration;
//! use nova_testkit::issuer::Issuer;
//!
//! let issuer = Issuer::start().await?;
//! let token = issuer.token("alice", &["research:run"], "https://nova.test", Duration::from_secs(60));
//! # Ok(()) }
//! ```

mod authorize;
mod client;
mod exchange;
mod fault;
mod key;
mod metadata;
mod register;
mod reply;
mod server;
mod state;
mod token;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Bytes};
use url::Url;

pub use self::client::Client;
pub use self::fault::Fault;
pub use self::key::SigningKey;
pub(crate) use self::key::{TEST_ONLY_RSA_KEY, random_text};
pub use self::server::RunningIssuer;
use self::state::State;

/// Nothing that is posted here is longer.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What an issuer is made of.
#[derive(Clone, Debug)]
pub struct Config {
    /// The issuer as it stands in tokens; its path is where it is mounted.
    pub url: Url,
    /// Where the signing key is kept; it is made if it is not there. `None`: a new key every time.
    pub key_file: Option<PathBuf>,
    /// The audience of tokens for which no `resource` was asked.
    pub audience: String,
    /// Clients that are known without registration.
    pub clients: Vec<Client>,
}

/// A local issuer. Clones are the same issuer.
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    url: Url,
    audience: String,
    clients: Vec<Client>,
    state: State,
}

/// Refuses to go on where a machine in the cloud would trust whoever knocks. `k_service` is the
/// environment's `K_SERVICE`, which Cloud Run sets.
pub fn refuse_on_cloud_run(k_service: Option<&str>) -> anyhow::Result<()> {
    match k_service {
        None | Some("") => Ok(()),
        Some(service) => anyhow::bail!(
            "K_SERVICE={service}: the local issuer lets everybody be anybody and never runs on \
             Cloud Run; set OIDC_ISSUER or DESCOPE_PROJECT_ID instead"
        ),
    }
}

impl Issuer {
    /// An issuer with its key from the file, ready to be mounted.
    pub fn new(config: Config) -> anyhow::Result<Self> {
        let key = match &config.key_file {
            Some(path) => SigningKey::load_or_create(path)
                .with_context(|| format!("the issuer's key in {}", path.display()))?,
            None => SigningKey::generate()?,
        };
        Ok(Self(Arc::new(Inner {
            url: config.url,
            audience: config.audience,
            clients: config.clients,
            state: State::new(key),
        })))
    }

    /// The issuer's name: `iss` in its tokens.
    pub fn url(&self) -> &str {
        self.0.url.as_str().trim_end_matches('/')
    }

    /// True for the paths that [`Issuer::handle`] answers. They are those under the issuer's own
    /// path, and the two places at the root where RFC 8414 puts the metadata of an issuer with a path.
    pub fn answers(&self, path: &str) -> bool {
        self.local_path(path).is_some()
    }

    /// Answers a request.
    pub fn handle<B>(&self, request: Request<B>) -> BoxFuture<'static, Response<Full<Bytes>>>
    where
        B: Body<Data: Send> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let issuer = self.clone();
        let (parts, body) = request.into_parts();
        Box::pin(async move {
            let Some(path) = issuer.local_path(parts.uri.path()) else {
                return reply::not_found();
            };
            issuer.0.state.count(&path);
            let delay = issuer.0.state.delay();
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            if let Some(fault) = issuer.0.state.fault() {
                return fault.answer().await;
            }
            let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
                return reply::error("invalid_request", "the body cannot be read");
            };
            issuer.route(&parts, &path, &body.to_bytes())
        })
    }

    fn route(
        &self,
        parts: &http::request::Parts,
        path: &str,
        body: &[u8],
    ) -> Response<Full<Bytes>> {
        match (&parts.method, path) {
            (&Method::OPTIONS, "/token" | "/register") => reply::preflight(),
            (
                &Method::GET,
                "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server",
            ) => self.metadata(),
            (&Method::GET, "/jwks.json") => self.key_set(),
            (&Method::GET, "/authorize") => {
                self.show_authorization(parts.uri.query().unwrap_or_default())
            }
            (&Method::POST, "/authorize") => self.authorize(&parts.headers, body),
            (&Method::POST, "/token") => self.exchange(&parts.headers, body),
            (&Method::POST, "/register") => register::register(&parts.headers, body),
            (_, "/authorize") => reply::method_not_allowed("GET, POST"),
            (_, "/token" | "/register") => reply::method_not_allowed("POST"),
            (_, "/jwks.json") => reply::method_not_allowed("GET"),
            _ => reply::not_found(),
        }
    }

    /// The part of a path below the issuer.
    fn local_path(&self, path: &str) -> Option<String> {
        let base = self.0.url.path().trim_end_matches('/');
        for document in ["openid-configuration", "oauth-authorization-server"] {
            if !base.is_empty() && path == format!("/.well-known/{document}{base}") {
                return Some(format!("/.well-known/{document}"));
            }
        }
        let below = path.strip_prefix(base)?;
        (below.is_empty() || below.starts_with('/')).then(|| below.to_owned())
    }
}
