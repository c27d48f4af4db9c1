//! From a request to an answer: route, identity, handler, and the one place where faults are logged.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use nova_store::UploadGrant;
use url::form_urlencoded;

use crate::{
    app::App,
    body::{Request, Response, empty},
    call::{Call, prefers_html},
    grant,
    identity::{self, Identity, Scope, TokenError},
    problem::Problem,
    routes::{Access, Route, Routes, matches},
    serve::Answer,
    session::Session,
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

#[expect(
    clippy::large_enum_variant,
    reason = "one caller, which takes it apart at once"
)]
enum Admitted {
    Caller(Caller),
    SendTo(String),
}

#[derive(Default)]
struct Caller {
    identity: Option<Identity>,
    session: Option<Session>,
    grant: Option<UploadGrant>,
}

/// Who calls, and whether they may.
async fn admit(app: &App, access: Access, parts: &Parts) -> Result<Admitted, Problem> {
    if access == Access::Public {
        return Ok(Admitted::Caller(Caller::default()));
    }
    if access == Access::Bell {
        app.door().admit(parts).await?;
        return Ok(Admitted::Caller(Caller::default()));
    }
    let path = parts.uri.path();
    if let Access::Upload(scopes) = access {
        let granted = grant::admit(app, parts).await;
        let granted = granted.map_err(|problem| match problem.status() {
            StatusCode::UNAUTHORIZED => refuse(app, parts, scopes, None, problem),
            _ => problem,
        });
        if let Some(grant) = granted? {
            let scopes = scopes.iter().copied().collect();
            return Ok(Admitted::Caller(Caller {
                identity: Some(Identity::named(grant.user.clone(), scopes)),
                grant: Some(grant),
                session: None,
            }));
        }
    }
    let verifier = app
        .verifier()
        .ok_or_else(|| Problem::internal("no issuer is configured: set OIDC_ISSUER"))?;
    let is_page = matches!(access, Access::Page(_) | Access::Upload(_));
    let session = if is_page {
        Session::of(parts, &app.config().server_url)
    } else {
        None
    };
    let refused = |error: TokenError| {
        let problem = Problem::unauthorized(error.public_text()).caused_by(error);
        let scopes = wanted(path, access);
        refuse(app, parts, scopes, Some("invalid_token"), problem)
    };
    let bearer = identity::bearer_token(&parts.headers).map_err(refused)?;
    let Some(token) = bearer.or_else(|| session.as_ref().map(Session::token)) else {
        if is_page && wants_a_page(parts) {
            return Ok(Admitted::SendTo(sign_in(parts)));
        }
        let problem = Problem::unauthorized("Send a token: `Authorization: Bearer …`.");
        return Err(refuse(app, parts, wanted(path, access), None, problem));
    };
    let identity = match verifier.verify(token).await {
        Ok(identity) => identity,
        Err(error) if error.is_unavailable() => {
            return Err(Problem::unavailable(
                "Tokens cannot be checked at the moment: the issuer does not answer.",
                Duration::from_secs(5),
            )
            .caused_by(error));
        }
        Err(_expired) if bearer.is_none() && wants_a_page(parts) => {
            return Ok(Admitted::SendTo(sign_in(parts)));
        }
        Err(error) => return Err(refused(error)),
    };
    if !identity.may(access.scopes()) {
        let problem = Problem::insufficient_scope(access.scopes());
        let error = Some("insufficient_scope");
        return Err(refuse(app, parts, access.scopes(), error, problem));
    }
    // With a token in the header the cookie does not count, and neither do its dangers.
    let session = if bearer.is_some() { None } else { session };
    if let Some(session) = &session
        && !parts.method.is_safe()
    {
        session.check_origin(parts)?;
    }
    Ok(Admitted::Caller(Caller {
        identity: Some(identity),
        session,
        grant: None,
    }))
}

/// What somebody without a token is asked to bring one for. An agent comes to do the whole workflow:
/// asked for what its first message needs, it would send its user to sign in twice. A token that
/// allows less is as welcome as anywhere.
fn wanted(path: &str, access: Access) -> &'static [Scope] {
    match path {
        AGENTS => &[Scope::ResearchRead, Scope::ResearchRun],
        _ => access.scopes(),
    }
}

/// Where agents call.
const AGENTS: &str = "/mcp";

/// A refusal that says where a token comes from and what it has to allow.
pub(crate) fn refuse(
    app: &App,
    parts: &Parts,
    scopes: &[Scope],
    error: Option<&str>,
    problem: Problem,
) -> Problem {
    // What describes the agents' endpoint has an address of its own (RFC 9728, 3.1).
    let metadata = match parts.uri.path() {
        AGENTS => "/.well-known/oauth-protected-resource/mcp",
        _ => "/.well-known/oauth-protected-resource",
    };
    let server = app.config().server_url_as_called(&parts.headers);
    let metadata = server.join(metadata);
    let metadata = metadata.map(String::from).unwrap_or_default();
    problem.header(
        header::WWW_AUTHENTICATE,
        identity::challenge(&metadata, error, scopes),
    )
}

fn wants_a_page(parts: &Parts) -> bool {
    parts.method == Method::GET && prefers_html(&parts.headers)
}

/// Where a person signs in and comes back from.
fn sign_in(parts: &Parts) -> String {
    let here = parts.uri.path_and_query().map_or("/", |here| here.as_str());
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("return_to", here)
        .finish();
    format!("/sign_in?{query}")
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
fn log_request(method: &Method, path: &str, user_agent: &str, status: StatusCode, took: Duration) {
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
