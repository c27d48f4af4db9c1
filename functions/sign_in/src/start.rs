//! `GET /sign_in?return_to=`: off to the issuer.

use http::header::{HOST, SET_COOKIE};
use nova_runtime::identity::{DiscoveryError, ReturnTo};
use nova_runtime::{Call, Problem, Response, see_other};
use url::{Host, Url};

use crate::attempt::Attempt;
use crate::{identity, redirect_uri, resource};

/// What a person does in a browser: everything but an operator's business.
const SCOPE: &str = "openid research:read research:run";

pub(crate) async fn start(call: Call) -> Result<Response, Problem> {
    let app = call.app();
    let server_url = &app.config().server_url;
    if let Some(canonical) = canonical_address(&call, server_url) {
        return Ok(see_other(canonical.as_str()));
    }
    // A place that is not ours is not an error to show: whoever wrote the link is not here.
    let return_to = call.query("return_to");
    let return_to = return_to.and_then(|path| ReturnTo::parse(&path));
    let attempt = Attempt::new(&return_to.unwrap_or_default());
    let (config, verifier) = identity(app)?;
    let metadata = verifier.discovery().metadata().await;
    let mut location = metadata
        .map_err(issuer_unavailable)?
        .authorization_endpoint
        .clone()
        .ok_or(DiscoveryError::MissingEndpoint("authorization_endpoint"))
        .map_err(issuer_unavailable)?;
    {
        let mut query = location.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &config.client_id)
            .append_pair("redirect_uri", &redirect_uri(server_url))
            .append_pair("scope", SCOPE)
            .append_pair("state", &attempt.state)
            .append_pair("nonce", &attempt.nonce)
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256");
        if let Some(resource) = resource(verifier) {
            query.append_pair("resource", resource);
        }
    }
    let mut response = see_other(location.as_str());
    let cookie = attempt.cookie(server_url);
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// Why nobody can sign in at the moment.
pub(crate) fn issuer_unavailable(error: DiscoveryError) -> Problem {
    let retry_after = std::time::Duration::from_secs(10);
    Problem::unavailable("The sign-in service does not answer.", retry_after).caused_by(error)
}

/// `localhost` and `127.0.0.1` are the same machine and two sites to a browser: a sign-in begun on
/// one of them ends on the other, where its cookie is missing. So it begins where it will end. Only
/// between names of this machine: behind a proxy the `Host` here may never be the public one.
fn canonical_address(call: &Call, server_url: &Url) -> Option<Url> {
    let host = call.header(HOST)?;
    let here = Url::parse(&format!("{}://{host}", server_url.scheme())).ok()?;
    let is_other_name = is_loopback(&here)
        && is_loopback(server_url)
        && here.port_or_known_default() == server_url.port_or_known_default()
        && here.host() != server_url.host();
    let mut canonical = server_url.clone();
    canonical.set_path("/sign_in");
    canonical.set_query(call.uri().query());
    is_other_name.then_some(canonical)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
