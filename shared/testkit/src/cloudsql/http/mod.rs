//! The HTTP side: the Admin API, the token endpoints, the metadata server and impersonation on one port.

mod admin;
mod certificate;
mod federation;
mod impersonation;
mod metadata;
mod oauth;
mod reply;
mod route;
mod settings;

use std::future;
use std::sync::Arc;
use std::time::Instant;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use self::reply::Reply;
use self::route::Route;
use super::cloud::Cloud;
use super::fault::{Effect, Step};
use super::journal::{Bearer, Entry, Event, Request};

/// Nothing that is posted here is longer.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection was cut by a fault")
    }
}

impl std::error::Error for Cut {}

/// Answers requests until it is dropped.
pub(super) async fn serve(listener: TcpListener, cloud: Arc<Cloud>) {
    // Dropped with this task, so that open connections end with the fake.
    let mut connections = JoinSet::new();
    while let Ok((stream, _peer)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        // Without it answers are slower, not wrong.
        stream.set_nodelay(true).ok();
        let cloud = Arc::clone(&cloud);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&cloud), request));
            let server = auto::Builder::new(TokioExecutor::new());
            // It ends badly when a fault cut it or the client went away, and both know.
            server
                .serve_connection(TokioIo::new(stream), service)
                .await
                .ok();
        });
    }
}

async fn answer(cloud: Arc<Cloud>, request: http::Request<Incoming>) -> Result<Reply, Cut> {
    let (parts, body) = request.into_parts();
    let route = Route::of(&parts);
    let call = Call {
        entry: cloud.journal.add(arrival(&cloud, &parts, &route)),
        cloud,
        parts,
    };
    let reply = call.reply(route, body).await;
    let status = reply.as_ref().ok().map(|it| it.status().as_u16());
    call.note(|request| {
        request.answered = Some(Instant::now());
        request.status = status;
    });
    reply
}

fn arrival(cloud: &Cloud, parts: &Parts, route: &Route) -> Event {
    let mut headers = parts.headers.clone();
    headers.remove(AUTHORIZATION);
    let bearer = bearer_text(parts).map(|text| cloud.tokens.describe(text));
    Event::Request(Box::new(Request {
        step: route.step(),
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers,
        bearer: bearer.unwrap_or_default(),
        scopes: Vec::new(),
        login_token: Bearer::None,
        arrived: Instant::now(),
        answered: None,
        status: None,
    }))
}

fn bearer_text(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// A request on its way to an answer.
struct Call {
    cloud: Arc<Cloud>,
    parts: Parts,
    entry: Entry,
}

impl Call {
    /// Adds to what the journal says of this request.
    fn note(&self, amend: impl FnOnce(&mut Request)) {
        self.cloud.journal.amend(self.entry, amend);
    }

    async fn reply(&self, route: Route, body: Incoming) -> Result<Reply, Cut> {
        // Read first: a client that is still sending would take an early answer for a broken connection.
        let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
            return Ok(reply::error(400, "invalid", "the body cannot be read"));
        };
        let step = route.step();
        match step.and_then(|step| self.cloud.fault(step)) {
            None => {}
            Some(Effect::Delay(time)) => tokio::time::sleep(time).await,
            Some(Effect::Drop) => return Err(Cut),
            Some(Effect::Hang) => future::pending().await,
            Some(Effect::Garbage) => return Ok(reply::text(200, "<html>Welcome</html>")),
            Some(Effect::Status(status)) => return Ok(injected(step, status)),
            Some(Effect::RetryAfter(status, wait)) => {
                return Ok(reply::retry_after(injected(step, status), wait));
            }
            Some(Effect::Reason(status, reason, message)) => {
                return Ok(refusal(step, status, reason, message));
            }
        }
        let body = body.to_bytes();
        Ok(match route {
            Route::ConnectSettings { project, instance } => {
                settings::describe(self, &project, &instance)
            }
            Route::Certificate { project, instance } => {
                certificate::issue(self, &project, &instance, &body)
            }
            Route::ResolveSettings { location, dns_name } => {
                settings::resolve(self, &location, &dns_name)
            }
            Route::Token => oauth::exchange(self, &body),
            Route::Exchange => federation::exchange(self, &body),
            Route::Metadata(path) => metadata::answer(self, &path),
            Route::Impersonation { account } => impersonation::issue(self, &account, &body),
            Route::Unknown => reply::error(404, "notFound", "Not found here."),
        })
    }
}

fn injected(step: Option<Step>, status: u16) -> Reply {
    let reason = match status {
        429 => "rateLimitExceeded",
        500.. => "backendError",
        _ => "injected",
    };
    refusal(step, status, reason, "A fault was injected here.")
}

/// An error in the words of the step.
fn refusal(step: Option<Step>, status: u16, reason: &str, message: &str) -> Reply {
    if matches!(step, Some(Step::Token | Step::Exchange)) {
        reply::oauth_error(status, reason, message)
    } else {
        reply::error(status, reason, message)
    }
}
