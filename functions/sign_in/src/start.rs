//! `GET /sign_in?return_to=`: off to the issuer.

use http::header::SET_COOKIE;
use nova_runtime::identity::{DiscoveryError, ReturnTo};
use nova_runtime::{Call, Problem, Response, see_other};
use url::Url;

use crate::attempt::Attempt;
use crate::{identity, redirect_uri, resource};

/// What a person does in a browser: everything but an operator's business.
const SCOPE: &str = "openid research:read research:run";

pub(crate) async fn start(call: Call) -> Result<Response, Problem> {
    let app = call.app();
    let server_url = &app.config().server_url;
    if app.config().server_url_as_called(call.headers()) != *server_url {
        return Ok(see_other(where_it_will_end(&call, server_url).as_str()));
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
/// one of them ends on the other, where its cookie is missing. So it begins where it will end.
fn where_it_will_end(call: &Call, server_url: &Url) -> Url {
    let mut address = server_url.clone();
    address.set_path("/sign_in");
    address.set_query(call.uri().query());
    address
}
