//! Where a program without a token learns which issuer to ask (RFC 9728).
//!
//! Clients look below the path of what they call and at the root, so there are two documents: one
//! for the whole service and one for its MCP endpoint.

use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL};
use http::{HeaderValue, StatusCode};
use nova_runtime::{Call, Problem, Response, Scope, json};
use serde::Serialize;

use crate::identity;

#[derive(Serialize)]
struct ResourceMetadata {
    resource: String,
    resource_name: &'static str,
    authorization_servers: [String; 1],
    /// Without `admin`: clients ask for every scope that they are told of.
    scopes_supported: [&'static str; 2],
    bearer_methods_supported: [&'static str; 1],
}

pub(crate) async fn of_server(call: Call) -> Result<Response, Problem> {
    document(&call, "")
}

pub(crate) async fn of_mcp(call: Call) -> Result<Response, Problem> {
    document(&call, "/mcp")
}

fn document(call: &Call, path: &str) -> Result<Response, Problem> {
    let (_, verifier) = identity(call.app())?;
    let server = call.app().config().server_url_as_called(call.headers());
    let issuer = verifier.discovery().issuer();
    let metadata = ResourceMetadata {
        resource: format!("{}{path}", server.as_str().trim_end_matches('/')),
        resource_name: "Nova",
        authorization_servers: [issuer.trim_end_matches('/').to_owned()],
        scopes_supported: [Scope::ResearchRead.as_str(), Scope::ResearchRun.as_str()],
        bearer_methods_supported: ["header"],
    };
    let mut response = json(StatusCode::OK, &metadata);
    let headers = response.headers_mut();
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    // Programs that run in a browser read it too; there is nothing secret in it.
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(response)
}
