//! A long tool as a function registers it: its calls and its work, without its types.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{
    Follow, LongTool,
    call::{Calls, RETRY_AFTER_SECONDS},
    worker::{self, Outcome},
};
use crate::{
    app::App,
    body::{Response, json},
    problem::Problem,
};

type Run = dyn Fn(Arc<App>, Uuid, Option<Arc<dyn Follow>>) -> BoxFuture<'static, Result<Outcome, Problem>>
    + Send
    + Sync;

/// A long tool whose jobs this process can do.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(super) calls: Calls,
    pub(super) run: Arc<Run>,
}

impl Registered {
    pub(crate) fn new<T: LongTool>(app: &Arc<App>, tool: T) -> Self {
        let tool = Arc::new(tool);
        let run =
            move |app: Arc<App>, id, follow: Option<Arc<dyn Follow>>| -> BoxFuture<'static, _> {
                let tool = Arc::clone(&tool);
                Box::pin(async move { worker::run(&app, &*tool, id, follow.as_deref()).await })
            };
        Self {
            calls: Calls::of::<T>(app),
            run: Arc::new(run),
        }
    }

    /// The tool's name.
    pub(crate) const fn name(&self) -> &'static str {
        self.calls.name
    }

    /// A worker was called for: does the job, and answers when it is done with it. 200 means that
    /// nobody needs to call again; 503 that somebody should, after a pause.
    pub(crate) async fn work(&self, id: Uuid) -> Result<Response, Problem> {
        let app = &self.calls.app;
        let work = (self.run)(Arc::clone(app), id, None);
        // Not cut off when who rang hangs up.
        let outcome = app.finish(work).await?;
        match outcome {
            Outcome::Requeued => Err(Problem::unavailable(
                "The job was put off and is tried again.",
                Duration::from_secs(RETRY_AFTER_SECONDS),
            )),
            Outcome::NotClaimed | Outcome::Ended | Outcome::Rung | Outcome::Lost => {
                Ok(json(StatusCode::OK, &json!({"status": "ok"})))
            }
        }
    }
}
