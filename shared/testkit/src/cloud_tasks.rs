//! Cloud Tasks, as far as one machine calls another with it: `projects.locations.queues.tasks.create`
//! of version 2, and what comes of it.
//!
//! A task is called when its time has come, with an OIDC token of its service account, and again
//! after a pause until the answer is a success. The name of a task is taken for good: a second one
//! of the same name is refused, also after the first is done, as at Google's for some hours.

use std::{
    collections::BTreeSet,
    io,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    issuer::Issuer,
    providers::{Answer, Received, StandIn},
};

/// Between two calls of a task that failed.
const PAUSE: Duration = Duration::from_millis(200);
/// Calls of a task, as a queue's `maxAttempts`.
const ATTEMPTS: usize = 100;

/// A Cloud Tasks on loopback.
#[derive(Clone)]
pub struct CloudTasks {
    stand_in: StandIn,
    state: Arc<State>,
}

struct State {
    issuer: Issuer,
    client: Client<HttpConnector, Full<Bytes>>,
    names: Mutex<BTreeSet<String>>,
    called: Mutex<Vec<Call>>,
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The task's name without that of its queue.
    pub task: String,
    /// What was answered; `None` when nobody answered.
    pub status: Option<StatusCode>,
}

impl CloudTasks {
    /// One whose tokens this issuer signs, in place of Google.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start(issuer: Issuer) -> io::Result<Self> {
        let state = Arc::new(State {
            issuer,
            client: Client::builder(TokioExecutor::new()).build_http(),
            names: Mutex::default(),
            called: Mutex::default(),
        });
        let takes = Arc::clone(&state);
        let stand_in = StandIn::start(move |received| create(&takes, received)).await?;
        Ok(Self { stand_in, state })
    }

    /// Every call that was made, in the order of their ends.
    pub fn called(&self) -> Vec<Call> {
        let called = self.state.called.lock();
        called.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Deref for CloudTasks {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.stand_in
    }
}

fn create(state: &Arc<State>, received: &Received) -> Answer {
    let queue = received.path().strip_prefix("/v2/");
    let queue = queue.and_then(|path| path.strip_suffix("/tasks"));
    let (Some(queue), &Method::POST) = (queue, &received.method) else {
        return refused(404, "NOT_FOUND", "Requested entity was not found.");
    };
    if received.bearer().is_none() {
        return refused(
            401,
            "UNAUTHENTICATED",
            "Request is missing required authentication credential.",
        );
    }
    let body = received.json();
    let task = match Task::read(queue, &body["task"]) {
        Ok(task) => task,
        Err(reason) => return refused(400, "INVALID_ARGUMENT", reason),
    };
    let mut names = state.names.lock().unwrap_or_else(PoisonError::into_inner);
    if !names.insert(task.name.clone()) {
        return refused(409, "ALREADY_EXISTS", "Requested entity already exists");
    }
    let mut answer = body["task"].clone();
    answer["createTime"] = json!(
        OffsetDateTime::now_utc()
            .format(&Rfc3339)
            .unwrap_or_default()
    );
    tokio::spawn(call(Arc::clone(state), task));
    Answer::json(200, &answer)
}

fn refused(code: u16, status: &str, message: &str) -> Answer {
    let error = json!({"code": code, "message": message, "status": status});
    Answer::json(code, &json!({ "error": error }))
}

/// A task as it was asked for.
struct Task {
    name: String,
    url: String,
    account: String,
    audience: String,
    after: Duration,
}

impl Task {
    fn read(queue: &str, task: &Value) -> Result<Self, &'static str> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let name = task["name"].as_str().and_then(|name| {
            let name = name.strip_prefix(queue)?.strip_prefix("/tasks/")?;
            let fits = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
            ((1..=500).contains(&name.len()) && name.chars().all(fits)).then(|| name.to_owned())
        });
        let request = &task["httpRequest"];
        if request["httpMethod"] != "POST" {
            return Err("httpMethod");
        }
        let deadline = task["dispatchDeadline"].as_str().unwrap_or("600s");
        let deadline = deadline.strip_suffix('s').and_then(|it| it.parse().ok());
        if !deadline.is_some_and(|it: u32| (15..=1800).contains(&it)) {
            return Err("Task.dispatchDeadline must be between 15s and 1800s");
        }
        let after = match task["scheduleTime"].as_str() {
            None => Duration::ZERO,
            Some(at) => {
                let at = OffsetDateTime::parse(at, &Rfc3339);
                let at = at.map_err(|_malformed| "scheduleTime")?;
                (at - OffsetDateTime::now_utc())
                    .try_into()
                    .unwrap_or_default()
            }
        };
        Ok(Self {
            name: name.ok_or("Task name must be formatted: projects/…/queues/…/tasks/…")?,
            url: text(&request["url"]).ok_or("url")?,
            account: text(&request["oidcToken"]["serviceAccountEmail"]).ok_or("oidcToken")?,
            audience: text(&request["oidcToken"]["audience"]).ok_or("audience")?,
            after,
        })
    }
}

async fn call(state: Arc<State>, task: Task) {
    tokio::time::sleep(task.after).await;
    for _ in 0..ATTEMPTS {
        let status = call_once(&state, &task).await;
        let call = Call {
            task: task.name.clone(),
            status,
        };
        state
            .called
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(call);
        if status.is_some_and(|status| status.is_success()) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn call_once(state: &State, task: &Task) -> Option<StatusCode> {
    let issuer = &state.issuer;
    let mut claims = issuer.claims(&task.account, &[], &task.audience, Duration::from_hours(1));
    claims["email"] = json!(task.account);
    claims["email_verified"] = json!(true);
    let token = issuer.sign(&issuer.header(), &claims);
    let request = Request::post(&task.url)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::USER_AGENT, "Google-Cloud-Tasks")
        .header("x-cloudtasks-taskname", &task.name)
        .body(Full::default())
        .ok()?;
    Some(state.client.request(request).await.ok()?.status())
}
