//! The protocol over HTTP, for any handler of its methods: the function's own, or the fixtures of
//! the official conformance suite.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use nova_runtime::config::names_of;
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use url::Url;

use crate::unread;

/// Both eras of the protocol at one address, without sessions.
pub struct Stack<H>(StreamableHttpService<H, NeverSessionManager>);

impl<H> Clone for Stack<H> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<H: ServerHandler> Stack<H> {
    /// The stack of a server that users know by this address; other hosts and foreign origins are
    /// refused, so that no page of somebody else's can speak for its visitor.
    pub fn new(server_url: &Url, handler: impl Fn() -> H + Send + Sync + 'static) -> Self {
        let names = names_of(server_url);
        let hosts = names.iter().filter_map(Url::host_str);
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            // Plain JSON, which becomes a stream with the first notice of progress.
            .with_json_response(true)
            .with_sse_retry(None)
            .with_allowed_hosts(hosts)
            .with_allowed_origins([origin(server_url)])
            .enforce_origin_validation();
        let service = StreamableHttpService::new(
            move || Ok(handler()),
            Arc::new(NeverSessionManager::default()),
            config,
        );
        Self(service)
    }

    /// Answers one request.
    pub async fn answer(&self, parts: Parts, body: Bytes) -> Response<BoxBody<Bytes, Infallible>> {
        let is_json = is_json(&parts.headers);
        let request = Request::from_parts(parts, Full::new(body.clone()));
        let response = self.0.handle(request).await;
        if is_json && response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            // The library calls every body so that it cannot read.
            return no_message(&body);
        }
        response
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(header::CONTENT_TYPE);
    let declared = declared.and_then(|value| value.to_str().ok()?.split(';').next());
    declared.is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json"))
}

fn no_message(body: &[u8]) -> Response<BoxBody<Bytes, Infallible>> {
    let error = serde_json::to_vec(&unread::body(body)).unwrap_or_default();
    let mut response = Response::new(Full::from(error).boxed());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// The origin of the address, with its port: without one every port of the host would be meant.
fn origin(server_url: &Url) -> String {
    let origin = server_url.origin().ascii_serialization();
    match (server_url.port(), server_url.port_or_known_default()) {
        (None, Some(port)) => format!("{origin}:{port}"),
        _ => origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_port_of_the_host_is_the_same_origin() {
        for (url, expected) in [
            ("https://nova.example/", "https://nova.example:443"),
            ("http://localhost:8080/", "http://localhost:8080"),
        ] {
            assert_eq!(origin(&url.parse().unwrap()), expected);
        }
    }
}
