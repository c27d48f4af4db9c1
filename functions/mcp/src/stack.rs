//! The protocol over HTTP, for any handler of its methods: the function's own, or the fixtures of
//! the official conformance suite.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Full, combinators::BoxBody};
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use url::Url;

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
        let hosts = hosts(server_url);
        let origins = [server_url.origin().ascii_serialization()];
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            // Plain JSON, which becomes a stream with the first notice of progress.
            .with_json_response(true)
            .with_sse_retry(None)
            .with_allowed_hosts(hosts)
            .with_allowed_origins(origins)
            .enforce_origin_validation();
        let service = StreamableHttpService::new(
            move || Ok(handler()),
            Arc::new(NeverSessionManager::default()),
            config,
        );
        Self(service)
    }

    /// Answers one request.
    pub async fn answer(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Response<BoxBody<Bytes, Infallible>> {
        self.0.handle(request).await
    }
}

/// The host of the address; of this machine, all its names.
fn hosts(server_url: &Url) -> Vec<String> {
    let host = server_url.host_str().unwrap_or_default();
    if ["localhost", "127.0.0.1", "[::1]"].contains(&host) {
        return ["localhost", "127.0.0.1", "[::1]"]
            .map(str::to_owned)
            .into();
    }
    vec![host.to_owned()]
}
