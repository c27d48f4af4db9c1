//! Who calls, and whether they may: by token, browser session, upload grant or the bell.

use std::time::Duration;

use http::{Method, StatusCode, header, request::Parts};
use nova_store::UploadGrant;
use url::form_urlencoded;

use crate::{
    app::App,
    call::prefers_html,
    grant,
    identity::{self, Identity, Scope, TokenError},
    problem::Problem,
    routes::Access,
    session::Session,
};

/// Where agents call.
const AGENTS: &str = "/mcp";

#[expect(
    clippy::large_enum_variant,
    reason = "one caller, which takes it apart at once"
)]
pub(crate) enum Admitted {
    Caller(Caller),
    /// A person who has to sign in first, there.
    SendTo(String),
}

/// As who the call goes on.
#[derive(Default)]
pub(crate) struct Caller {
    pub(crate) identity: Option<Identity>,
    pub(crate) session: Option<Session>,
    pub(crate) grant: Option<UploadGrant>,
}

/// Lets a call to a route in, or refuses it with what its caller has to bring.
pub(crate) async fn admit(app: &App, access: Access, parts: &Parts) -> Result<Admitted, Problem> {
    match access {
        Access::Public => return Ok(Admitted::Caller(Caller::default())),
        Access::Bell => {
            app.door().admit(parts).await?;
            return Ok(Admitted::Caller(Caller::default()));
        }
        Access::Upload(scopes) => {
            if let Some(caller) = granted(app, scopes, parts).await? {
                return Ok(Admitted::Caller(caller));
            }
        }
        Access::Token(_) | Access::Page(_) => {}
    }
    signed_in(app, access, parts).await
}

/// Who comes with an upload grant in place of a token, if somebody does.
async fn granted(app: &App, scopes: &[Scope], parts: &Parts) -> Result<Option<Caller>, Problem> {
    let granted = grant::admit(app, parts).await;
    let granted = granted.map_err(|problem| match problem.status() {
        StatusCode::UNAUTHORIZED => refuse(app, parts, scopes, None, problem),
        _ => problem,
    })?;
    Ok(granted.map(|grant| {
        let scopes = scopes.iter().copied().collect();
        Caller {
            identity: Some(Identity::named(grant.user.clone(), scopes)),
            grant: Some(grant),
            session: None,
        }
    }))
}

/// Who comes with a token, in a header or, where people come with browsers, in a session.
async fn signed_in(app: &App, access: Access, parts: &Parts) -> Result<Admitted, Problem> {
    let path = parts.uri.path();
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
