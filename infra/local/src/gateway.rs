//! What stands in place of the load balancer: routes by path, to functions in this process or in others.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use nova_runtime::{Dispatcher, serve::Answer};
use nova_testkit::issuer::Issuer;

use crate::processes::Processes;

/// Where the issuer is mounted.
pub const ISSUER_PATH: &str = "/oidc";

/// Where the functions are.
pub(crate) enum Functions {
    Here(Dispatcher),
    Processes(Arc<Processes>),
}

/// One door for everything.
pub(crate) fn gateway(issuer: Issuer, functions: Functions) -> Answer {
    let functions = match functions {
        Functions::Here(dispatcher) => dispatcher.into_answer(),
        Functions::Processes(processes) => processes.into_answer(),
    };
    Arc::new(move |request| {
        if issuer.answers(request.uri().path()) {
            let issuer = issuer.clone();
            return Box::pin(async move {
                issuer
                    .handle(request)
                    .await
                    .map(|body| body.map_err(|never| match never {}).boxed_unsync())
            });
        }
        functions(request)
    })
}
