//! Jobs as tasks of the protocol: the row is the task, and any instance tells it.

use nova_runtime::{Problem, rfc3339};
use nova_store::{Job, JobState};
use rmcp::{
    ErrorData,
    model::{
        CreateTaskResult, DetailedTask, GetTaskResult, JsonObject, Task, TaskPayload, TaskStatus,
    },
};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{call, caller::Caller, nova::Nova};

/// A job that ended is told for as long as its row is kept.
const TTL_MS: u64 = 24 * 60 * 60 * 1000;
/// How often a client should ask.
const POLL_MS: u64 = 2000;

/// A job that goes on, as the task that it is.
pub(crate) fn begun(answer: &Value) -> Option<CreateTaskResult> {
    let id = answer["job_id"].as_str()?;
    let now = rfc3339(OffsetDateTime::now_utc());
    let task = Task::new(id, TaskStatus::Working, now.clone(), now)
        .with_ttl_ms(TTL_MS)
        .with_poll_interval_ms(POLL_MS);
    Some(CreateTaskResult::new(task))
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
    let id = parse(id)?;
    let cancelled = async {
        let mut tenant = nova.app.tenant(&caller.identity.user).await?;
        tenant.cancel_job(id).await?;
        tenant.commit().await?;
        Ok::<_, Problem>(())
    };
    cancelled.await.map_err(|problem| error(&problem))
}

/// That a task exists and is the caller's.
pub(crate) async fn find(nova: &Nova, caller: &Caller, id: &str) -> Result<Job, ErrorData> {
    let id = parse(id)?;
    let found = async {
        let mut tenant = nova.app.tenant(&caller.identity.user).await?;
        Ok::<_, Problem>(tenant.job(id).await?)
    };
    found.await.map_err(|problem| error(&problem))
}

/// What is no id is the id of nothing.
fn parse(id: &str) -> Result<Uuid, ErrorData> {
    Uuid::try_parse(id).map_err(|_not_an_id| not_found())
}

fn not_found() -> ErrorData {
    ErrorData::invalid_params("There is no task with this id.", None)
}

fn error(problem: &Problem) -> ErrorData {
    if problem.is_our_fault() {
        let cause = problem.causes();
        tracing::error!(cause, "a task cannot be told: {}", problem.detail());
        return ErrorData::internal_error(problem.detail().to_owned(), None);
    }
    not_found()
}

fn told(job: &Job) -> DetailedTask {
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
    DetailedTask::new(task, payload)
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
