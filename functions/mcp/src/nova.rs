//! The functions behind the tools, answered in this process; what takes long is left to theirs.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use nova_blobs::Blobs;
use nova_runtime::{App, ConfigError, Function, Problem, Response, Routes, body::full};
use serde_json::Value;
use uuid::Uuid;

use crate::{caller::Caller, own_tools};

/// The functions whose routes agents reach. Those of long tools take the calls here and nothing more, so
/// that this program has neither their code nor the keys of those whom they ask.
const FUNCTIONS: &[Function] = &[
    add_sources::FUNCTION,
    articles::FUNCTION,
    create_research_file::FUNCTION,
    extract_guidelines_urls::FUNCTION,
    generate_next_queries::CALLS,
    jobs::FUNCTION,
    process_github_urls::CALLS,
    request_upload::FUNCTION,
    run_perplexity_research::CALLS,
    scrape_and_clean_other_urls::CALLS,
    scrape_research_urls::CALLS,
    select_research_sources_to_keep::CALLS,
    select_research_sources_to_scrape::CALLS,
    transcribe_youtube_urls::CALLS,
    upload_article_guideline::FUNCTION,
    usage::FUNCTION,
];

/// No answer of a route that agents reach is larger.
const ANSWER_LIMIT_BYTES: usize = 4 << 20;

/// The functions behind the tools.
pub(crate) struct Nova {
    pub(crate) app: Arc<App>,
    pub(crate) blobs: Blobs,
    routes: Routes,
}

/// A request of one of the functions.
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    /// Seconds to wait for a long tool.
    pub(crate) wait: Option<u64>,
}

impl Ask {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            content_type: "application/json",
            body: String::new(),
            wait: None,
        }
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self {
            method: Method::DELETE,
            ..Self::get(path)
        }
    }

    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self {
            method: Method::POST,
            body: body.to_string(),
            ..Self::get(path)
        }
    }
}

impl Nova {
    pub(crate) fn new(app: &Arc<App>) -> Result<Self, ConfigError> {
        let mut routes = Routes::new();
        for function in FUNCTIONS {
            routes = routes.and(function.routes(app)?);
        }
        Ok(Self {
            app: Arc::clone(app),
            blobs: Blobs::from_app(app)?,
            routes,
        })
    }

    /// Whether a tool is there: a step of the workflow is, when a function of this build does it.
    pub(crate) fn offers(&self, tool: &str) -> bool {
        let path = format!("/tools/{tool}");
        own_tools::NAMES.contains(&tool)
            || self.routes.list().iter().any(|route| route.path == path)
    }

    /// Asks in the caller's name; the status and the JSON of the answer.
    pub(crate) fn ask<'a>(
        &'a self,
        caller: &'a Caller,
        ask: Ask,
    ) -> BoxFuture<'a, Result<(StatusCode, Value), Problem>> {
        Box::pin(self.answer(caller, ask))
    }

    /// Waits for a job of the caller's, and tells of it as its tool does. To call the tool again would be
    /// to ask for other work, where something was stored for the article meanwhile.
    pub(crate) fn follow<'a>(
        &'a self,
        caller: &'a Caller,
        job: Uuid,
        patience: Duration,
    ) -> BoxFuture<'a, Result<(StatusCode, Value), Problem>> {
        Box::pin(async move {
            let user = &caller.identity.user;
            let job = nova_runtime::jobs::wait(&self.app, user, job, patience).await?;
            read(nova_runtime::jobs::told(job)?).await
        })
    }

    async fn answer(&self, caller: &Caller, ask: Ask) -> Result<(StatusCode, Value), Problem> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(ask.path)
            .header(header::CONTENT_TYPE, ask.content_type);
        if let Some(seconds) = ask.wait {
            request = request.header("x-nova-max-wait", HeaderValue::from(seconds));
        }
        let request = request
            .body(full(ask.body))
            .map_err(|error| Problem::bad_request(format!("The arguments do not fit: {error}.")))?;
        let identity = caller.identity.clone();
        let context = &caller.context;
        let answered = self.routes.answer(&self.app, identity, context, request);
        read(answered.await?).await
    }
}

/// The status and the JSON of an answer.
async fn read(response: Response) -> Result<(StatusCode, Value), Problem> {
    let status = response.status();
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // Trailers, of which there are none.
        let Ok(data) = frame.map_err(Problem::internal)?.into_data() else {
            continue;
        };
        bytes.extend_from_slice(&data);
        if bytes.len() > ANSWER_LIMIT_BYTES {
            return Err(Problem::internal(
                "the answer of a route is too large for agents",
            ));
        }
    }
    if bytes.is_empty() {
        return Ok((status, Value::Null));
    }
    let value = serde_json::from_slice(&bytes).map_err(Problem::internal)?;
    Ok((status, value))
}
