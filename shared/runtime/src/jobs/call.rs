//! Calls of a long tool: each makes a job or finds it, and waits for it a while.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use nova_store::{Article, Charge, Enqueued, Job, JobState, NewJob, Tenant, Usage, UserId};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use uuid::Uuid;

use super::{
    LongTool,
    share::{self, Share},
    waiting,
};
use crate::{
    app::App,
    bell::Ring,
    body::{Response, json, json_text},
    call::Call,
    config::TaskConfig,
    json::read_arguments,
    log,
    problem::Problem,
    tool::{charge, take_article},
};

/// As for other tools: names and short lists.
const ARGUMENTS_LIMIT_BYTES: u64 = 256 * 1024;
/// Agents' clients give up after 60 seconds.
const WAIT: Duration = Duration::from_secs(50);
const X_NOVA_MAX_WAIT: HeaderName = HeaderName::from_static("x-nova-max-wait");
/// What `X-Nova-Max-Wait` may ask for at most.
const LONGEST_WAIT: Duration = Duration::from_mins(14);
/// How long the answer of a job is given to whoever asks the same again.
const ANSWER_STAYS: Duration = Duration::from_mins(10);
/// How long its problem is, to who was told to call again; then a call is a new try.
const FAILURE_STAYS: Duration = Duration::from_mins(1);
/// When to call again for a job that goes on.
pub(super) const RETRY_AFTER_SECONDS: u64 = 5;

type Read = fn(Map<String, Value>) -> Result<Box<RawValue>, Problem>;
type Revision =
    for<'a> fn(&'a App, &'a mut Tenant, &'a Article) -> BoxFuture<'a, Result<String, Problem>>;

/// A call that is about to be written down.
pub(super) struct NewCall<'a> {
    /// The job's id, unless there is one already that does the same.
    pub(super) id: Uuid,
    /// The task whose share of the work it is.
    pub(super) task: Option<&'a TaskConfig>,
    /// Whether the caller does the work itself, so that no worker is called for.
    pub(super) works: bool,
}

/// Takes the calls of a long tool: all of it but the work, and without its types.
#[derive(Clone)]
pub(crate) struct Calls {
    pub(super) name: &'static str,
    replaces: bool,
    pub(super) app: Arc<App>,
    read: Read,
    revision: Revision,
}

impl Calls {
    pub(crate) fn of<T: LongTool>(app: &Arc<App>) -> Self {
        Self {
            name: T::NAME,
            replaces: T::REPLACES,
            app: Arc::clone(app),
            read: |arguments| {
                let arguments: T::Arguments = read_arguments(Value::Object(arguments))?;
                T::check(&arguments)?;
                // As they are written by us: the order and spelling of the caller's do not matter.
                serde_json::value::to_raw_value(&arguments).map_err(Problem::internal)
            },
            revision: T::revision,
        }
    }

    /// Answers a call over HTTP.
    pub(crate) async fn answer(&self, mut call: Call) -> Result<Response, Problem> {
        let user = call.user()?.clone();
        let patience = patience(call.headers(), WAIT)?;
        let arguments = call.json(ARGUMENTS_LIMIT_BYTES).await?;
        let tool = self.clone();
        let asks = user.clone();
        let begin = async move { tool.begin(&asks, arguments).await };
        let (mut job, usage) = self.app.finish(begin).await?;
        if !job.state.has_ended() && !patience.is_zero() {
            job = waiting::wait(&self.app, &user, job.id, patience).await?;
        }
        let mut response = told(job)?;
        response
            .headers_mut()
            .extend(crate::tool::rate_limit(&usage));
        Ok(response)
    }

    /// Makes the job and calls for a worker, or finds the job that does the same.
    async fn begin(&self, user: &UserId, arguments: Value) -> Result<(Job, Usage), Problem> {
        let call = NewCall {
            id: Uuid::now_v7(),
            task: None,
            works: false,
        };
        let (enqueued, usage) = self.enqueue(user, arguments, call).await?;
        let job = match enqueued {
            Enqueued::Attached(job) => job,
            Enqueued::Created(job) => {
                let ring = Ring {
                    tool: self.name,
                    job: job.id,
                    nth: "0",
                    after: Duration::ZERO,
                };
                ring_for(&self.app, user, &ring).await;
                job
            }
        };
        Ok((job, usage))
    }

    /// Makes the job and charges it, or finds the one that does the same.
    pub(super) async fn enqueue(
        &self,
        user: &UserId,
        arguments: Value,
        call: NewCall<'_>,
    ) -> Result<(Enqueued, Usage), Problem> {
        let NewCall { id, task, works } = call;
        let (article, arguments) = take_article(arguments)?;
        let arguments = (self.read)(arguments)?;
        let share = task.and_then(|task| Share::of_task(task, self.name, article));
        let call_id = share.as_ref().map_or(id, |share| share.call_id);
        let arguments = share::keep(arguments, share)?;
        let mut tenant = self.app.tenant_in_call(user, self.name, id).await?;
        // The article first: when it is not there, the transaction ends before anything is charged.
        let found = tenant.article(article).await?;
        let revision = (self.revision)(&self.app, &mut tenant, &found).await?;
        let new = NewJob {
            id,
            tool: self.name,
            article,
            dedupe_key: dedupe_key(self.name, article, arguments.get(), &revision),
            arguments: &arguments,
            answer_stays: ANSWER_STAYS,
            // Who works itself heard of a failure when it came: its next call is a further try.
            failure_stays: if works { Duration::ZERO } else { FAILURE_STAYS },
            replaces: self.replaces,
        };
        let enqueued = tenant.enqueue_job(&new).await?;
        let default_limit = self.app.config().monthly_tool_call_limit.into();
        let usage = match &enqueued {
            Enqueued::Created(_) => {
                let charge = Charge {
                    tool: self.name,
                    call_id,
                    article: Some(article),
                    default_limit,
                };
                // Refused, the job is gone with the transaction.
                let usage = self::charge(&mut tenant, &charge).await?.usage;
                if works {
                    // As if a worker had been called for: nobody else is to take it first.
                    tenant.job_was_rung(id).await?;
                }
                usage
            }
            Enqueued::Attached(_) => tenant.usage(default_limit).await?,
        };
        tenant.commit().await?;
        Ok((enqueued, usage))
    }
}

/// Calls for a worker, where there is a bell to call with; answers whether one was called. One that
/// cannot be called now is called by the sweeper.
pub(super) async fn ring_for(app: &App, user: &UserId, ring: &Ring<'_>) -> bool {
    let Some(bell) = app.bell() else {
        return false;
    };
    if let Err(error) = bell.ring(ring).await {
        let error = log::causes(&error);
        tracing::warn!(error, job_id = %ring.job, "no worker could be called for");
        return false;
    }
    let noted = async {
        let mut tenant = app.tenant(user).await?;
        tenant.job_was_rung(ring.job).await?;
        tenant.commit().await?;
        Ok::<_, Problem>(())
    };
    if let Err(problem) = noted.await {
        // Then the sweeper calls once more, which does no harm.
        tracing::warn!(error = ?problem, job_id = %ring.job, "a call for a worker is not noted");
    }
    true
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

/// How long a caller wants to wait, by `X-Nova-Max-Wait` in seconds.
///
/// # Errors
///
/// 400 when that is no number.
pub fn patience(headers: &HeaderMap, unsaid: Duration) -> Result<Duration, Problem> {
    let Some(seconds) = headers.get(X_NOVA_MAX_WAIT) else {
        return Ok(unsaid);
    };
    let seconds = seconds.to_str().ok().and_then(|it| it.parse().ok());
    let seconds =
        seconds.ok_or_else(|| Problem::bad_field("X-Nova-Max-Wait", "a number of seconds"))?;
    Ok(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// What the caller of a job's tool reads about it as it is now: its result or its problem, or how far
/// it has come.
///
/// # Errors
///
/// 409 when it was cancelled.
pub fn told(job: Job) -> Result<Response, Problem> {
    match (job.state, job.result, job.error) {
        (JobState::Succeeded, Some(result), _) => Ok(json_text(
            StatusCode::OK,
            String::from(Box::<str>::from(result)),
        )),
        (JobState::Failed, _, Some(document)) => Ok(failed(&document)),
        (JobState::Cancelled, ..) => Err(cancelled(job.id)),
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

pub(super) fn cancelled(id: Uuid) -> Problem {
    Problem::conflict(
        "The job was cancelled. What was done is kept; call the tool again for the rest.",
    )
    .with("job_id", id.to_string())
}

/// What a problem document says that matters here.
#[derive(Deserialize)]
struct Document {
    status: u16,
    detail: String,
}

/// The problem with which a job failed, for the log and the exit code.
pub(super) fn failure(document: &RawValue) -> Problem {
    match serde_json::from_str::<Document>(document.get()) {
        Ok(Document { status, detail }) => Problem::new(
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            "job-failed",
            "The job failed",
            detail,
        ),
        Err(error) => Problem::internal(error),
    }
}

/// The problem with which a job failed, as it was written down.
fn failed(document: &RawValue) -> Response {
    let status = failure(document).status();
    let mut response = json_text(status, document.get().to_owned());
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
        let of = |seconds: &'static [u8]| {
            let seconds = HeaderValue::from_bytes(seconds).unwrap();
            let headers = HeaderMap::from_iter([(X_NOVA_MAX_WAIT, seconds)]);
            patience(&headers, WAIT)
        };
        assert_eq!(patience(&HeaderMap::new(), WAIT).unwrap(), WAIT);
        assert_eq!(of(b"0").unwrap(), Duration::ZERO);
        assert_eq!(of(b"99999").unwrap(), Duration::from_mins(14));
        for wrong in [&b"soon"[..], b"-1", b"\xff"] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
    }
}
