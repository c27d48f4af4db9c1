//! A call of a long tool: makes the job or finds it, and waits for it a while.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::{HeaderValue, StatusCode, header};
use nova_store::{Article, Charge, Enqueued, Job, JobState, NewJob, Tenant, Usage, UserId};
use ring::digest::{Context, SHA256};
use serde_json::{Map, Value, json, value::RawValue};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    LongTool,
    worker::{self, Outcome},
};
use crate::{
    app::App,
    body::{Response, json, json_text},
    call::Call,
    problem::Problem,
    tool::{charge, take_article},
};

/// As for other tools: names and short lists.
const ARGUMENTS_LIMIT_BYTES: u64 = 256 * 1024;
/// Agents' clients give up after 60 seconds.
const WAIT: Duration = Duration::from_secs(50);
/// What `X-Nova-Max-Wait` may ask for at most, in seconds.
const LONGEST_WAIT_SECONDS: u64 = 840;
/// How long the answer of a job is given to whoever asks the same again.
const ANSWER_STAYS: Duration = Duration::from_mins(10);
/// How long its problem is, to who was told to call again; then a call is a new try.
const FAILURE_STAYS: Duration = Duration::from_mins(1);
/// How often a waiting call looks at the job's row: soon at first, for jobs that are quick.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_secs(1);
/// When to call again for a job that goes on.
const RETRY_AFTER_SECONDS: u64 = 5;

/// Arguments that were read, and what tells the job from others.
struct Read {
    arguments: Box<RawValue>,
    revision: Box<Revision>,
}

type Revision = dyn for<'a> FnOnce(&'a mut Tenant, &'a Article) -> BoxFuture<'a, Result<String, Problem>>
    + Send;
type Reader = dyn Fn(Map<String, Value>) -> Result<Read, Problem> + Send + Sync;
type Run = dyn Fn(Arc<App>, Uuid) -> BoxFuture<'static, Result<Outcome, Problem>> + Send + Sync;

/// A long tool without its types.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) name: &'static str,
    app: Arc<App>,
    read: Arc<Reader>,
    run: Arc<Run>,
}

impl Registered {
    pub(crate) fn new<T: LongTool>(app: &Arc<App>, tool: T) -> Self {
        let tool = Arc::new(tool);
        let reads = Arc::clone(&tool);
        let read = move |arguments| {
            let tool = Arc::clone(&reads);
            let unfit = |error| Problem::bad_request(format!("The arguments do not fit: {error}."));
            let arguments: T::Arguments =
                serde_json::from_value(Value::Object(arguments)).map_err(unfit)?;
            tool.check(&arguments)?;
            Ok(Read {
                // As they are written by us: the order and spelling of the caller's do not matter.
                arguments: serde_json::value::to_raw_value(&arguments)
                    .map_err(Problem::internal)?,
                revision: Box::new(move |tenant, article| {
                    Box::pin(async move { tool.revision(tenant, article).await })
                }),
            })
        };
        let run = move |app: Arc<App>, id| -> BoxFuture<'static, _> {
            let tool = Arc::clone(&tool);
            Box::pin(async move { worker::run(&app, &*tool, id).await })
        };
        Self {
            name: T::NAME,
            app: Arc::clone(app),
            read: Arc::new(read),
            run: Arc::new(run),
        }
    }

    /// A worker was called for: does the job, and answers when it is done with it. 200 means that
    /// nobody needs to call again; 503 that somebody should, after a pause.
    pub(crate) async fn work(&self, id: Uuid) -> Result<Response, Problem> {
        let work = (self.run)(Arc::clone(&self.app), id);
        // Not cut off when who rang hangs up.
        let outcome = self.app.finish(work).await?;
        match outcome {
            Outcome::Requeued => Err(Problem::unavailable(
                "The job was put off and is tried again.",
                Duration::from_secs(RETRY_AFTER_SECONDS),
            )),
            Outcome::NotClaimed | Outcome::Ended | Outcome::Lost => {
                Ok(json(StatusCode::OK, &json!({"status": "ok"})))
            }
        }
    }

    /// Answers a call over HTTP.
    pub(crate) async fn answer(&self, mut call: Call) -> Result<Response, Problem> {
        let user = call.user()?.clone();
        let patience = patience(call.header("x-nova-max-wait"))?;
        let arguments = call.json(ARGUMENTS_LIMIT_BYTES).await?;
        let (job, usage) = self.enqueue(&user, arguments).await?;
        let job = self.wait(&user, job, patience).await?;
        let mut response = respond(job)?;
        response
            .headers_mut()
            .extend(crate::tool::rate_limit(&usage));
        Ok(response)
    }

    /// Makes the job and charges it, or finds the one that does the same.
    pub(crate) async fn enqueue(
        &self,
        user: &UserId,
        arguments: Value,
    ) -> Result<(Job, Usage), Problem> {
        let (article, arguments) = take_article(arguments)?;
        let read = (self.read)(arguments)?;
        let id = Uuid::now_v7();
        let mut tenant = self.app.tenant_in_call(user, self.name, id).await?;
        // The article first: when it is not there, the transaction ends before anything is charged.
        let found = tenant.article(article).await?;
        let revision = (read.revision)(&mut tenant, &found).await?;
        let new = NewJob {
            id,
            tool: self.name,
            article,
            dedupe_key: dedupe_key(self.name, article, read.arguments.get(), &revision),
            arguments: &read.arguments,
            answer_stays: ANSWER_STAYS,
            failure_stays: FAILURE_STAYS,
        };
        match tenant.enqueue_job(&new).await? {
            Enqueued::Created(job) => {
                let charge = Charge {
                    tool: self.name,
                    call_id: id,
                    article: Some(article),
                    default_limit: self.app.config().monthly_tool_call_limit.into(),
                };
                // Refused, the job is gone with the transaction.
                let usage = self::charge(&mut tenant, &charge).await?;
                tenant.commit().await?;
                Ok((job, usage))
            }
            Enqueued::Attached(job) => {
                let limit = self.app.config().monthly_tool_call_limit.into();
                let usage = tenant.usage(limit).await?;
                tenant.commit().await?;
                Ok((job, usage))
            }
        }
    }

    /// Waits until the job has ended, at most this long.
    async fn wait(&self, user: &UserId, job: Job, patience: Duration) -> Result<Job, Problem> {
        let deadline = Instant::now() + patience;
        let (mut job, mut pause) = (job, FIRST_LOOK);
        while !job.state.has_ended() && Instant::now() + pause <= deadline {
            sleep(pause).await;
            pause = (pause * 2).min(LOOK);
            let mut tenant = self.app.tenant(user).await?;
            job = tenant.job(job.id).await?;
            // Read, nothing to commit; the connection goes back at once.
            drop(tenant);
        }
        Ok(job)
    }
}

/// SHA-256 over the parts, each with its length, so that no two lists of parts read alike.
fn dedupe_key(tool: &str, article: Uuid, arguments: &str, revision: &str) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    for part in [tool, &article.to_string(), arguments, revision] {
        digest.update(&part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    let mut key = [0; 32];
    key.copy_from_slice(digest.finish().as_ref());
    key
}

fn patience(header: Option<&str>) -> Result<Duration, Problem> {
    let Some(seconds) = header else {
        return Ok(WAIT);
    };
    let seconds = seconds
        .parse::<u64>()
        .map_err(|_not_a_number| Problem::bad_field("X-Nova-Max-Wait", "a number of seconds"))?;
    Ok(Duration::from_secs(seconds.min(LONGEST_WAIT_SECONDS)))
}

/// What the caller reads about a job as it is now.
fn respond(job: Job) -> Result<Response, Problem> {
    match (job.state, job.result, job.error) {
        (JobState::Succeeded, Some(result), _) => Ok(json_text(
            StatusCode::OK,
            String::from(Box::<str>::from(result)),
        )),
        (JobState::Failed, _, Some(document)) => Ok(failed(&document)),
        (JobState::Cancelled, ..) => Err(Problem::conflict(
            "The job was cancelled. What was done is kept; call the tool again for the rest.",
        )
        .with("job_id", job.id.to_string())),
        _ => {
            let message = format!(
                "Still running ({} of {} done). Call the same tool again with the same arguments to go on waiting.",
                job.settled, job.total
            );
            let answer = json!({
                "status": "running", "job_id": job.id, "done": job.settled, "total": job.total, "note": job.note,
                "retry_after_seconds": RETRY_AFTER_SECONDS, "message": message,
            });
            let mut response = json(StatusCode::ACCEPTED, &answer);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into());
            Ok(response)
        }
    }
}

/// The problem with which a job failed, as it was written down.
fn failed(document: &RawValue) -> Response {
    let status = serde_json::from_str::<Value>(document.get())
        .ok()
        .and_then(|document| u16::try_from(document["status"].as_u64()?).ok())
        .and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = json_text(
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        document.get().to_owned(),
    );
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_work_has_the_same_key_and_any_other_has_another() {
        let article = Uuid::now_v7();
        let key = dedupe_key("tool", article, "{}", "r");
        assert_eq!(key, dedupe_key("tool", article, "{}", "r"));
        for other in [
            dedupe_key("tool", Uuid::now_v7(), "{}", "r"),
            dedupe_key("tool", article, "{}r", ""),
            dedupe_key("tool{", article, "}", "r"),
            dedupe_key("other", article, "{}", "r"),
        ] {
            assert_ne!(key, other);
        }
    }

    #[test]
    fn a_caller_may_wait_longer_but_not_for_ever() {
        assert_eq!(patience(None).unwrap(), WAIT);
        assert_eq!(patience(Some("0")).unwrap(), Duration::ZERO);
        assert_eq!(patience(Some("99999")).unwrap(), Duration::from_mins(14));
        assert!(patience(Some("soon")).is_err());
    }
}
