//! From a request to an answer: route, admission, handler; and the line that the log has of each.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use http::{HeaderValue, Method, StatusCode, header, request::Parts};

use crate::{
    admission::{Admitted, admit},
    app::App,
    body::{Request, Response, empty},
    call::{Call, prefers_html},
    problem::Problem,
    routes::{Route, Routes, matches},
    serve::Answer,
    trace::RequestContext,
};

/// Answers requests for one function, or for several in one process.
#[derive(Clone, Default)]
pub struct Dispatcher {
    entries: Vec<(Arc<App>, Route)>,
}

impl Dispatcher {
    /// Answers nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers a function's routes as well.
    #[must_use]
    pub fn with(mut self, app: &Arc<App>, routes: &Routes) -> Self {
        self.entries.extend(
            routes
                .list()
                .iter()
                .map(|route| (Arc::clone(app), route.clone())),
        );
        self
    }

    /// This dispatcher as what [`crate::serve::serve`] takes.
    pub fn into_answer(self) -> Answer {
        let dispatcher = Arc::new(self);
        Arc::new(move |request| {
            let dispatcher = Arc::clone(&dispatcher);
            Box::pin(async move { dispatcher.answer(request).await })
        })
    }

    /// Answers a request. It never fails: what goes wrong becomes a problem document.
    pub async fn answer(&self, request: Request) -> Response {
        let context = RequestContext::of(request.headers());
        context
            .scope(self.answer_in(context.clone(), request))
            .await
    }

    async fn answer_in(&self, context: RequestContext, request: Request) -> Response {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let method = parts.method.clone();
        let path: String = parts.uri.path().chars().take(LOGGED_PATH).collect();
        let for_a_person = prefers_html(&parts.headers);
        let user_agent = header_text(&parts, header::USER_AGENT);
        let attempt = self.attempt(context.clone(), parts, body);
        // A panic ends this request and no other.
        let outcome = AssertUnwindSafe(attempt)
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(Problem::panicked(&*panic)));
        let mut response = outcome.unwrap_or_else(|problem| {
            problem.log();
            if for_a_person {
                problem.into_page(&context.request_id)
            } else {
                problem.into_response(&context.request_id)
            }
        });
        if let Ok(id) = HeaderValue::from_str(&context.request_id) {
            response.headers_mut().insert("x-request-id", id);
        }
        log_request(
            &method,
            &path,
            &user_agent,
            response.status(),
            started.elapsed(),
        );
        if method == Method::HEAD {
            // The length that GET would have stays in the headers where it is known.
            *response.body_mut() = empty();
        }
        response
    }

    async fn attempt(
        &self,
        context: RequestContext,
        parts: Parts,
        body: crate::body::Body,
    ) -> Result<Response, Problem> {
        let (app, route, path_values) = self.find(&parts.method, parts.uri.path())?;
        let caller = match admit(app, route.access, &parts).await? {
            Admitted::Caller(caller) => caller,
            Admitted::SendTo(location) => return Ok(see_other(&location)),
        };
        let call = Call {
            app: Arc::clone(app),
            parts,
            body,
            identity: caller.identity,
            session: caller.session,
            grant: caller.grant,
            path_values,
            context,
        };
        (route.handler)(call).await
    }

    #[expect(
        clippy::type_complexity,
        reason = "one caller, which takes it apart at once"
    )]
    fn find(
        &self,
        method: &Method,
        path: &str,
    ) -> Result<(&Arc<App>, &Route, Vec<(String, String)>), Problem> {
        let wanted = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let mut allowed = Vec::new();
        for (app, route) in &self.entries {
            if let Some(values) = matches(&route.path, path) {
                if route.method == *wanted {
                    return Ok((app, route, values));
                }
                allowed.push(route.method.as_str());
                if route.method == Method::GET {
                    allowed.push("HEAD");
                }
            }
        }
        if allowed.is_empty() {
            return Err(Problem::not_found("There is nothing at this address."));
        }
        Err(Problem::method_not_allowed(&allowed.join(", ")))
    }
}

/// Sends a browser on with GET.
pub fn see_other(location: &str) -> Response {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn header_text(parts: &Parts, name: header::HeaderName) -> String {
    let value = parts
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok());
    value.unwrap_or_default().chars().take(200).collect()
}

/// How much of a path is logged, in characters; none of ours is as long.
const LOGGED_PATH: usize = 2000;

/// One line a request. The query stays out: it may hold what a caller should not have put there.
pub(crate) fn log_request(
    method: &Method,
    path: &str,
    user_agent: &str,
    status: StatusCode,
    took: Duration,
) {
    tracing::info!(
        http_request.request_method = %method,
        http_request.request_url = path,
        http_request.status = status.as_u16(),
        http_request.latency = format_args!("{:.6}s", took.as_secs_f64()),
        http_request.user_agent = user_agent,
        "{method} {path} {}",
        status.as_u16()
    );
}
