//! Jobs as tasks of the protocol: the row is the task, and any instance tells it.

use http::StatusCode;
use nova_runtime::{Problem, rfc3339};
use nova_store::{Job, JobState};
use rmcp::{
    ErrorData,
    model::{
        CreateTaskResult, DetailedTask, GetTaskResult, JsonObject, Task, TaskPayload, TaskStatus,
    },
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    call,
    caller::Caller,
    nova::{Ask, Nova},
};

/// A job that ended is told for as long as its row is kept.
const TTL_MS: u64 = 24 * 60 * 60 * 1000;
/// How often a client should ask.
const POLL_MS: u64 = 2000;

/// The job of which it is answered that it goes on.
pub(crate) fn job_of(answer: &Value) -> Result<Uuid, Problem> {
    let id = answer["job_id"].as_str().unwrap_or_default();
    Uuid::try_parse(id).map_err(Problem::internal)
}

/// The same, as the task that it is.
pub(crate) async fn begun(
    nova: &Nova,
    caller: &Caller,
    answer: &Value,
) -> Result<CreateTaskResult, Problem> {
    let mut tenant = nova.app.tenant(&caller.identity.user).await?;
    let job = tenant.job(job_of(answer)?).await?;
    Ok(CreateTaskResult::new(task(&job)))
}

/// How far a task has come.
pub(crate) async fn get(
    nova: &Nova,
    caller: &Caller,
    id: &str,
) -> Result<GetTaskResult, ErrorData> {
    let job = find(nova, caller, id).await?;
    Ok(GetTaskResult::new(told(&job)))
}

/// Stops a task; what is done is kept.
pub(crate) async fn cancel(nova: &Nova, caller: &Caller, id: &str) -> Result<(), ErrorData> {
    let stop = Ask::delete(format!("/jobs/{}", parse(id)?));
    match nova.ask(caller, stop).await {
        Ok(_stopped) => Ok(()),
        Err(problem) => Err(error(caller, &problem)),
    }
}

/// That a task exists and is the caller's.
pub(crate) async fn find(nova: &Nova, caller: &Caller, id: &str) -> Result<Job, ErrorData> {
    let id = parse(id)?;
    let found = async {
        let mut tenant = nova.app.tenant(&caller.identity.user).await?;
        Ok::<_, Problem>(tenant.job(id).await?)
    };
    found.await.map_err(|problem| error(caller, &problem))
}

/// What is no id is the id of nothing.
fn parse(id: &str) -> Result<Uuid, ErrorData> {
    Uuid::try_parse(id).map_err(|_not_an_id| not_found())
}

fn not_found() -> ErrorData {
    ErrorData::invalid_params("There is no task with this id.", None)
}

fn error(caller: &Caller, problem: &Problem) -> ErrorData {
    match problem.status() {
        StatusCode::NOT_FOUND => not_found(),
        _ => caller.error(problem),
    }
}

fn task(job: &Job) -> Task {
    let (created, updated) = (job.created_at, job.finished_at.unwrap_or(job.created_at));
    let mut task = Task::new(
        job.id.to_string(),
        TaskStatus::Working,
        rfc3339(created),
        rfc3339(updated),
    )
    .with_ttl_ms(TTL_MS)
    .with_poll_interval_ms(POLL_MS);
    task.status_message = match (&job.note, job.total) {
        (Some(note), _) => Some(note.clone()),
        (None, 0) => None,
        (None, total) => Some(format!("{} of {total} done", job.settled)),
    };
    task
}

fn told(job: &Job) -> DetailedTask {
    let payload = match job.state {
        JobState::Queued | JobState::Running => TaskPayload::Working,
        JobState::Cancelled => TaskPayload::Cancelled,
        JobState::Succeeded => TaskPayload::Completed {
            result: result(
                job,
                job.result.as_deref().map(serde_json::value::RawValue::get),
            ),
        },
        JobState::Failed => TaskPayload::Completed {
            result: failure(job.error.as_deref().map(serde_json::value::RawValue::get)),
        },
    };
    DetailedTask::new(task(job), payload)
}

/// The result of the call that the task stands for.
fn result(job: &Job, text: Option<&str>) -> JsonObject {
    let answer = text.and_then(|text| serde_json::from_str(text).ok());
    let article = Value::String(job.article.to_string());
    let arguments = [("article_guideline_id".to_owned(), article)];
    let result = call::succeeded(
        &job.tool,
        &arguments.into_iter().collect(),
        answer.unwrap_or_default(),
    );
    object(&result)
}

fn failure(text: Option<&str>) -> JsonObject {
    let document: Option<Value> = text.and_then(|text| serde_json::from_str(text).ok());
    object(&call::failed(&document.unwrap_or_default()))
}

fn object(result: &rmcp::model::CallToolResult) -> JsonObject {
    match serde_json::to_value(result) {
        Ok(Value::Object(object)) => object,
        _ => JsonObject::default(),
    }
}
