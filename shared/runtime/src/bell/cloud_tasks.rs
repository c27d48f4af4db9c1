//! Ringing in the cloud: a task of a queue of Cloud Tasks for each ring.
//!
//! The REST method is `projects.locations.queues.tasks.create`. A task has a name, so that a ring
//! that was made twice is one task; Google asks for names that do not begin alike, hence the hash.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, StatusCode, header};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    config::TasksConfig,
    hex,
    http_client::{HttpClient, HttpError, Limits},
    sha256,
    tokens::{TokenError, TokenSource},
    tool::rfc3339,
};

/// How long Cloud Tasks waits for an answer, which is the longest it can: a worker stops before.
const DISPATCH_DEADLINE: &str = "1800s";
/// A second try after a pause, and then it is left to the sweeper.
const TRIES: u32 = 2;
const PAUSE: Duration = Duration::from_millis(200);
const LIMITS: Limits = Limits {
    deadline: Duration::from_secs(3),
    response_bytes: 64 * 1024,
};

/// Calls for workers by way of Cloud Tasks.
pub struct Bell {
    tasks: TasksConfig,
    http: HttpClient,
    tokens: TokenSource,
}

/// A call for a worker.
#[derive(Clone, Debug)]
pub struct Ring<'a> {
    /// The tool, which is also the name of the function that offers it.
    pub tool: &'a str,
    /// Its job.
    pub job: Uuid,
    /// Which call for this job it is: letters and digits. The same call made again is made once.
    pub nth: &'a str,
    /// How long the job is not due yet.
    pub after: Duration,
}

/// Why nobody could be called.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// No token to speak to Cloud Tasks with.
    #[error("no token for Cloud Tasks")]
    Tokens(#[from] TokenError),
    /// The exchange failed, or the answer was no.
    #[error("Cloud Tasks did not take the task")]
    Http(#[from] HttpError),
}

impl RingError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Tokens(_) => false,
            Self::Http(error) => error.is_retryable(),
        }
    }
}

impl Bell {
    /// `None` where nobody is called from here, because somebody watches the jobs and calls.
    pub(crate) fn new(
        tasks: Option<&TasksConfig>,
        http: &HttpClient,
        tokens: &TokenSource,
    ) -> Option<Self> {
        let tasks = tasks?;
        tasks.queue("")?;
        Some(Self {
            tasks: tasks.clone(),
            http: http.clone(),
            tokens: tokens.clone(),
        })
    }

    /// Calls for a worker, who comes when the job is due.
    ///
    /// # Errors
    ///
    /// When Cloud Tasks cannot be asked or refuses. Nothing is lost: `sweep` calls later.
    pub fn ring<'a>(&'a self, ring: &'a Ring<'a>) -> BoxFuture<'a, Result<(), RingError>> {
        Box::pin(async move {
            let queue = self.tasks.queue(ring.tool).unwrap_or_default();
            let task = self.task(ring, &queue).to_string();
            let mut tries = 1;
            loop {
                match self.create(&queue, &task).await {
                    Err(error) if error.is_retryable() && tries < TRIES => {
                        tries += 1;
                        tokio::time::sleep(PAUSE).await;
                    }
                    done => return done,
                }
            }
        })
    }

    fn task(&self, ring: &Ring<'_>, queue: &str) -> serde_json::Value {
        let target = self.tasks.target(ring.tool);
        let mut task = json!({
            "name": format!("{queue}/tasks/{}", name(ring)),
            "dispatchDeadline": DISPATCH_DEADLINE,
            "httpRequest": {
                "url": format!("{target}/jobs/{}/{}", ring.tool, ring.job),
                "httpMethod": "POST",
                "oidcToken": {
                    "serviceAccountEmail": self.tasks.service_account,
                    "audience": target,
                },
            },
        });
        if !ring.after.is_zero() {
            task["scheduleTime"] = rfc3339(OffsetDateTime::now_utc() + ring.after).into();
        }
        json!({ "task": task })
    }

    async fn create(&self, queue: &str, task: &str) -> Result<(), RingError> {
        let base = self.tasks.base_url.as_str().trim_end_matches('/');
        let mut request = Request::post(format!("{base}/v2/{queue}/tasks"))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = self.tokens.token().await? {
            let bearer = HeaderValue::try_from(format!("Bearer {}", token.secret()));
            let mut bearer = bearer.map_err(|error| HttpError::Request(error.into()))?;
            bearer.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, bearer);
        }
        let request = request
            .body(Bytes::copy_from_slice(task.as_bytes()))
            .map_err(HttpError::Request)?;
        let response = self.http.send(request, LIMITS).await?;
        let status = response.status();
        // A task of this name was made before, and that is what was wanted.
        if status.is_success() || status == StatusCode::CONFLICT {
            return Ok(());
        }
        Err(RingError::Http(HttpError::Status {
            host: self
                .tasks
                .base_url
                .host_str()
                .unwrap_or_default()
                .to_owned(),
            status,
            body: response.into_body(),
        }))
    }
}

fn name(ring: &Ring<'_>) -> String {
    let hash = hex(sha256(ring.job.as_bytes()).iter().take(4));
    format!("job-{hash}-{}-{}", ring.job, ring.nth)
}
