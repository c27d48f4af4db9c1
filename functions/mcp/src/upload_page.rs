//! A guideline that its author uploads at the page, while an agent waits for it.
//!
//! The agent calls without a text. A grant for the guideline is made, and the page's address names it;
//! the article will have its id. A client that can open addresses is asked to (URL elicitation), and
//! calls again with what it was given; any other is told the address, and the id to go on with.
//!
//! What a client brings back is that id. It is the name of a row that the transactions of its user
//! alone see, so that a forged or a foreign one is nothing: there is no seal, and no key that every
//! instance would have to know. For the same reason the address may be seen by anybody: who opens it
//! signs in, and the page refuses whoever it was not made for.

use std::time::Duration;

use nova_runtime::Problem;
use rmcp::{
    ErrorData, RoleServer,
    model::{CallToolRequestParams, CallToolResponse, CallToolResult, InputRequiredResult},
    service::RequestContext,
};
use serde_json::{Map, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    call,
    caller::Caller,
    nova::{Ask, Nova},
};

/// The tool, when it is called without a text.
pub(crate) const TOOL: &str = "upload_article_guideline";

/// What the client's user is asked, among the requests of a result.
const QUESTION: &str = "upload";
/// How often it is looked whether the guideline has come.
const LOOK: Duration = Duration::from_millis(500);

/// Asks for the guideline, or, when the client comes back, waits for it.
pub(crate) async fn ask(
    nova: &Nova,
    caller: &Caller,
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let Some(state) = &request.request_state else {
        return Ok(begin(nova, caller, context).await);
    };
    let article = Uuid::try_parse(state).map_err(|_not_an_id| foreign())?;
    let answers = serde_json::to_value(&request.input_responses).unwrap_or_default();
    if matches!(
        answers[QUESTION]["action"].as_str(),
        Some("decline" | "cancel")
    ) {
        let problem = Problem::conflict(
            "The user did not want to open the upload page. Ask what they want to do, or call this \
             tool with the guideline as `content`.",
        );
        return Ok(call::refused(&problem, caller).into());
    }
    match has_come(nova, caller, article, context).await {
        Ok(Some(true)) => Ok(uploaded(nova, caller, article).await.into()),
        Ok(Some(false)) => Ok(told(nova, article).into()),
        Ok(None) => Err(foreign()),
        Err(problem) => Ok(call::refused(&problem, caller).into()),
    }
}

fn foreign() -> ErrorData {
    ErrorData::invalid_params("This request state is none of yours, or too old.", None)
}

async fn begin(
    nova: &Nova,
    caller: &Caller,
    context: &RequestContext<RoleServer>,
) -> CallToolResponse {
    let ask = Ask::post("/request_upload", &json!({}));
    let granted = match nova.ask(caller, ask).await {
        Ok((status, granted)) if status.is_success() => granted,
        Ok((_, problem)) => return call::failed(&problem).into(),
        Err(problem) => return call::refused(&problem, caller).into(),
    };
    let id = granted["article_guideline_id"].as_str();
    let Some(article) = id.and_then(|id| Uuid::try_parse(id).ok()) else {
        let problem = Problem::internal("a grant without an id");
        return call::refused(&problem, caller).into();
    };
    let opens_addresses = context
        .client_capabilities()
        .and_then(|client| client.elicitation)
        .is_some_and(|elicitation| elicitation.url.is_some());
    if !opens_addresses {
        return told(nova, article).into();
    }
    let question = json!({QUESTION: {"method": "elicitation/create", "params": {
        "mode": "url",
        "message": "Upload the guideline of your article.",
        "url": address(nova, article),
    }}});
    match serde_json::from_value(question) {
        Ok(question) => InputRequiredResult::new(Some(question), Some(article.to_string())).into(),
        Err(error) => call::refused(&Problem::internal(error), caller).into(),
    }
}

fn address(nova: &Nova, article: Uuid) -> String {
    let server = nova.app.config().server_url.as_str();
    let server = server.trim_end_matches('/');
    format!("{server}/upload_article_guideline?grant={article}")
}

/// Waits as long as a client does; `None` when the caller has no such grant.
async fn has_come(
    nova: &Nova,
    caller: &Caller,
    article: Uuid,
    context: &RequestContext<RoleServer>,
) -> Result<Option<bool>, Problem> {
    let deadline = Instant::now() + call::WAIT;
    loop {
        // No transaction is held while a person looks for a file.
        let mut tenant = nova.app.tenant(&caller.identity.user).await?;
        let came = tenant.is_guideline_uploaded(article).await;
        drop(tenant);
        match came {
            Err(nova_store::Error::NotFound { .. }) => return Ok(None),
            Ok(false) if Instant::now() < deadline && !context.ct.is_cancelled() => {
                sleep(LOOK).await;
            }
            came => return Ok(Some(came?)),
        }
    }
}

/// The same as after an upload of the agent's own.
async fn uploaded(nova: &Nova, caller: &Caller, article: Uuid) -> CallToolResult {
    match nova
        .ask(caller, Ask::get(format!("/articles/{article}")))
        .await
    {
        Ok((status, shown)) if status.is_success() => {
            let answer = json!({
                "article_id": article,
                "title": shown["title"],
                "message": "The user has uploaded the guideline.",
            });
            call::succeeded(TOOL, &Map::new(), answer)
        }
        Ok((_, problem)) => call::failed(&problem),
        Err(problem) => call::refused(&problem, caller),
    }
}

/// For clients that open nothing, and for those whose user takes longer than they wait.
fn told(nova: &Nova, article: Uuid) -> CallToolResult {
    CallToolResult::structured(json!({
        "article_guideline_id": article,
        "status": "waiting",
        "upload_url": address(nova, article),
        "message": "Ask the user to upload the guideline at `upload_url`, and go on with this \
                    `article_guideline_id` when they say that they have.",
    }))
}
