//! One call of a tool: asked of its function, waited for with some patience, and told as the
//! protocol tells it.

use std::time::Duration;

use http::StatusCode;
use nova_runtime::{Problem, jobs::patience};
use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, MetaObject,
        ProgressNotificationParam, Resource,
    },
    service::RequestContext,
};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::{
    caller::Caller,
    nova::{Ask, Nova},
    own_tools, resources, tasks, upload_page,
};

/// Clients give up after sixty seconds.
pub(crate) const WAIT: Duration = Duration::from_secs(50);
/// How long a client that can follow a task waits for a job that may be quick.
const TASK_WAIT: Duration = Duration::from_secs(1);
/// Where in `_meta` a program finds the problem document, with all its fields: what is structured
/// content has to be as the tool's schema says.
const PROBLEM: &str = "nova/problem";
/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(2);

/// Calls a tool.
pub(crate) async fn call(
    nova: &Nova,
    caller: &Caller,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let name = request.name.as_ref();
    if !nova.offers(name) {
        return Err(ErrorData::invalid_params(
            format!("There is no tool {name:?}; `tools/list` names them."),
            None,
        ));
    }
    if name == upload_page::TOOL && request.arguments.as_ref().is_none_or(Map::is_empty) {
        return upload_page::ask(nova, caller, &request, context).await;
    }
    let arguments = request.arguments.unwrap_or_default();
    let outcome = match own_tools::request(name, &arguments) {
        Some(Ok(ask)) => nova.ask(caller, ask).await,
        Some(Err(problem)) => Err(problem),
        None => {
            let step = Step {
                nova,
                caller,
                name,
                arguments: &arguments,
                context,
            };
            match step.run().await {
                Ok(Stage::Task(task)) => return Ok(CallToolResponse::Task(task)),
                Ok(Stage::Told(status, answer)) => Ok((status, answer)),
                Err(problem) => Err(problem),
            }
        }
    };
    let result = match outcome {
        Ok((status, answer)) if status.is_client_error() || status.is_server_error() => {
            failed(&answer)
        }
        Ok((_, answer)) => succeeded(name, &arguments, answer),
        Err(problem) => refused(&problem, caller),
    };
    Ok(result.into())
}

/// How far a step of the workflow was followed.
enum Stage {
    Told(StatusCode, Value),
    Task(rmcp::model::CreateTaskResult),
}

/// A step of the workflow.
struct Step<'a> {
    nova: &'a Nova,
    caller: &'a Caller,
    name: &'a str,
    arguments: &'a Map<String, Value>,
    context: &'a RequestContext<RoleServer>,
}

impl Step<'_> {
    /// Asks, and follows the job as long as the client waits.
    async fn run(&self) -> Result<Stage, Problem> {
        let follows_tasks = self
            .context
            .client_capabilities()
            .is_some_and(|client| client.supports_tasks());
        let patience = if follows_tasks {
            TASK_WAIT
        } else {
            self.patience()?
        };
        let waits = self.wait(Instant::now() + patience, follows_tasks);
        tokio::select! {
            stage = waits => stage,
            // Nobody is there any more to be told anything; the job goes on.
            () = self.context.ct.cancelled() => {
                Ok(Stage::Told(StatusCode::ACCEPTED, Value::Null))
            }
        }
    }

    async fn wait(&self, deadline: Instant, follows_tasks: bool) -> Result<Stage, Problem> {
        let progress = self.context.meta.get_progress_token();
        let slice = || {
            let left = deadline.saturating_duration_since(Instant::now());
            match progress {
                Some(_) => left.min(PROGRESS),
                None => left,
            }
        };
        let first = slice();
        let ask = Ask {
            // Whole seconds; less than one is one, and none is none.
            wait: Some(first.as_secs().max(u64::from(!first.is_zero()))),
            ..Ask::post(
                format!("/tools/{}", self.name),
                &Value::Object(self.arguments.clone()),
            )
        };
        let (mut status, mut answer) = self.nova.ask(self.caller, ask).await?;
        let mut told = -1.0;
        while status == StatusCode::ACCEPTED {
            if follows_tasks {
                let task = tasks::begun(self.nova, self.caller, &answer).await?;
                return Ok(Stage::Task(task));
            }
            let done = answer["done"].as_f64().unwrap_or_default();
            if let Some(token) = &progress
                && done > told
            {
                told = done;
                let mut notice = ProgressNotificationParam::new(token.clone(), done);
                notice.total = answer["total"].as_f64().filter(|total| *total > 0.0);
                notice.message = answer["note"].as_str().map(str::to_owned);
                // A client that is gone ends its waiting; the job goes on.
                if self.context.peer.notify_progress(notice).await.is_err() {
                    break;
                }
            }
            if Instant::now() >= deadline {
                break;
            }
            let job = tasks::job_of(&answer)?;
            (status, answer) = self.nova.follow(self.caller, job, slice()).await?;
        }
        Ok(Stage::Told(status, answer))
    }

    fn patience(&self) -> Result<Duration, Problem> {
        let parts = self.context.extensions.get::<http::request::Parts>();
        parts.map_or(Ok(WAIT), |parts| patience(&parts.headers, WAIT))
    }
}

/// A result as agents read it: the object, and the same as text for clients that show only that.
pub(crate) fn succeeded(
    tool: &str,
    arguments: &Map<String, Value>,
    answer: Value,
) -> CallToolResult {
    let mut answer = own_tools::result(tool, arguments, answer);
    if let Value::Object(fields) = &mut answer {
        // Nothing there is told by leaving it out: a schema says one type for each field.
        fields.retain(|_, value| !value.is_null());
    }
    let mut result = CallToolResult::structured(answer);
    let article = arguments
        .get("article_guideline_id")
        .and_then(Value::as_str);
    let is_markdown = result
        .structured_content
        .as_ref()
        .is_some_and(|it| it["format"] == "markdown");
    if let (true, Some(article)) = (tool == "create_research_file" && is_markdown, article) {
        let link = Resource::new(resources::research_uri(article), "research.md")
            .with_mime_type("text/markdown");
        result.content.push(ContentBlock::resource_link(link));
    }
    result
}

/// The problem with which a job failed.
pub(crate) fn failed(document: &Value) -> CallToolResult {
    let detail = document["detail"].as_str().unwrap_or("The tool failed.");
    let id = document["request_id"].as_str().unwrap_or_default();
    let text = if document["status"].as_u64() >= Some(500) && !id.is_empty() {
        format!("{detail} Quote {id} when you report it.")
    } else {
        detail.to_owned()
    };
    let meta = Map::from_iter([(PROBLEM.to_owned(), document.clone())]);
    CallToolResult::error(vec![ContentBlock::text(text)]).with_meta(Some(MetaObject(meta)))
}

pub(crate) fn refused(problem: &Problem, caller: &Caller) -> CallToolResult {
    problem.log();
    failed(&problem.document(caller.context.request_id()))
}
