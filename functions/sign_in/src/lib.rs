//! How a person's browser signs in and out, and where programs learn how to.
//!
//! The code flow of `OpenID` Connect with PKCE, in four steps: `GET /sign_in` remembers what it
//! is about to ask in a cookie and sends the browser to the issuer ([`start`]); the issuer sends
//! it back to `GET /sign_in/callback` with a code; that is exchanged for a token, which is
//! verified like any other and becomes the session cookie ([`callback`]); `POST /sign_out` takes
//! the cookie away again ([`sign_out`]). Nothing is stored here between the steps, so that any
//! instance can serve any of them.
//!
//! Programs read [`resource_metadata`] (RFC 9728) and go to the issuer themselves.

mod attempt;
mod callback;
mod page;
mod resource_metadata;
mod sign_out;
mod start;

use std::sync::Arc;

use nova_runtime::config::IdentityConfig;
use nova_runtime::identity::Verifier;
use nova_runtime::{Access, App, ConfigError, Function, Problem, Routes};
use url::Url;

/// The function.
pub const FUNCTION: Function =
    Function::service("sign_in", "Signs people's browsers in and out.", set_up);

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    if app.config().identity.is_none() {
        return Err(ConfigError::new(
            "sign_in needs to know who vouches for users: set OIDC_ISSUER or DESCOPE_PROJECT_ID",
        ));
    }
    Ok(Routes::new()
        .get("/sign_in", Access::Public, start::start)
        .get("/sign_in/callback", Access::Public, callback::callback)
        .post("/sign_out", Access::Public, sign_out::sign_out)
        .get(
            "/.well-known/oauth-protected-resource",
            Access::Public,
            resource_metadata::of_server,
        )
        .get(
            "/.well-known/oauth-protected-resource/mcp",
            Access::Public,
            resource_metadata::of_mcp,
        ))
}

/// What `set_up` made sure of.
fn identity(app: &App) -> Result<(&IdentityConfig, &Verifier), Problem> {
    let identity = app.config().identity.as_ref();
    identity
        .zip(app.verifier())
        .ok_or_else(|| Problem::internal("no issuer is configured"))
}

/// Where the issuer sends the browser back to; registered there.
fn redirect_uri(server_url: &Url) -> String {
    let mut url = server_url.clone();
    url.set_path("/sign_in/callback");
    url.into()
}

/// The service that the token is for: the first of our audiences that is an address. Issuers that
/// name audiences in their own way (a project's id) are not asked for one.
fn resource(verifier: &Verifier) -> Option<&str> {
    let audiences = verifier.audiences().iter().map(String::as_str);
    let mut addresses = audiences
        .filter(|name| Url::parse(name).is_ok_and(|url| matches!(url.scheme(), "http" | "https")));
    addresses.next()
}
