//! What stands in place of the load balancer: routes by path, to functions in this process or in others.

use std::sync::Arc;

use http::{StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt as _, Empty};
use nova_runtime::{Dispatcher, Request, Response, matches, serve::Answer};
use nova_testkit::issuer::Issuer;
use uuid::Uuid;

use crate::{manifest::Manifest, processes::Processes};

/// Where the issuer is mounted.
pub const ISSUER_PATH: &str = "/oidc";

/// Where the functions are.
#[derive(Clone)]
pub(crate) enum Functions {
    Here(Arc<Dispatcher>),
    Processes(Arc<Processes>),
}

impl Functions {
    async fn answer(&self, request: Request) -> Response {
        match self {
            Self::Here(dispatcher) => dispatcher.answer(request).await,
            Self::Processes(processes) => processes.answer(request).await,
        }
    }

    /// Calls the function of a tool to do a job, with a token of who may.
    pub(crate) async fn work(&self, tool: &str, job: Uuid, token: &str) -> StatusCode {
        let request = http::Request::post(format!("/jobs/{tool}/{job}"))
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Empty::new().map_err(|never| match never {}).boxed_unsync());
        let Ok(request) = request else {
            return StatusCode::NOT_FOUND;
        };
        let answer = match self {
            Self::Here(dispatcher) => dispatcher.answer(request).await,
            Self::Processes(processes) => processes.work(tool, request).await,
        };
        answer.status()
    }
}

/// One door for everything that the world may call: the issuer, and the routes of the manifest.
/// Where workers are called for is none of them.
pub(crate) fn gateway(manifest: &Manifest, issuer: Issuer, functions: Functions) -> Answer {
    let routes: Arc<[String]> = manifest.routes().cloned().collect();
    let nothing = Dispatcher::new().into_answer();
    Arc::new(move |request| {
        let path = request.uri().path();
        if issuer.answers(path) {
            let issuer = issuer.clone();
            return Box::pin(async move {
                issuer
                    .handle(request)
                    .await
                    .map(|body| body.map_err(|never| match never {}).boxed_unsync())
            });
        }
        if !routes.iter().any(|route| matches(route, path).is_some()) {
            return nothing(request);
        }
        let functions = functions.clone();
        Box::pin(async move { functions.answer(request).await })
    })
}
