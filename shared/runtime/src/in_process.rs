//! Requests that are answered in this process, for somebody whose identity is known already.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::{FutureExt as _, future::BoxFuture};
use nova_store::UserId;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    app::App,
    body::{Request, Response},
    call::Call,
    dispatch::log_request,
    identity::Identity,
    jobs::Follow,
    problem::Problem,
    routes::{Access, Routes, matches},
    trace::RequestContext,
};

impl Routes {
    /// Answers a request as the server would, without a token: what `--once` and the agents'
    /// endpoint do. Nobody rings the bell in this way. Scopes are checked as for a request from outside, and a panic ends this request
    /// and no other. It is answered as a part of the request in `context`, whose id is in each log
    /// line and problem.
    ///
    /// # Errors
    ///
    /// 404 when no route has this path and method, 403 when the identity lacks a scope, and what
    /// the handler says.
    pub async fn answer(
        &self,
        app: &Arc<App>,
        identity: Identity,
        context: &RequestContext,
        request: Request,
    ) -> Result<Response, Problem> {
        let (parts, body) = request.into_parts();
        let of_method = self
            .list()
            .iter()
            .filter(|route| route.method == parts.method && route.access != Access::Bell);
        let found =
            of_method.filter_map(|route| Some((route, matches(&route.path, parts.uri.path())?)));
        let Some((route, path_values)) = found.min_by_key(|(_, values)| values.len()) else {
            return Err(Problem::not_found(
                "This function does not answer that path and method.",
            ));
        };
        if !identity.may(route.access.scopes()) {
            return Err(Problem::insufficient_scope(route.access.scopes()));
        }
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let call = Call {
            app: Arc::clone(app),
            parts,
            body,
            identity: Some(identity),
            session: None,
            grant: None,
            path_values,
            context: context.clone(),
        };
        let handled = async {
            let begun = Instant::now();
            let handled = AssertUnwindSafe((route.handler)(call)).catch_unwind();
            let answer = handled
                .await
                .unwrap_or_else(|panic| Err(Problem::panicked(&*panic)));
            // Calls of tools are counted by their lines, whoever passes them on. Nobody counts the questions
            // about a job that an agent waits for.
            if path.starts_with("/tools/") {
                let status = answer
                    .as_ref()
                    .map_or_else(Problem::status, Response::status);
                log_request(&method, &path, "", status, begun.elapsed());
            }
            answer
        };
        context.scope(handled).await
    }

    /// Calls a tool and does its work in this process; gives the result object as text. The call has
    /// an id of the caller's: made again it is the same call, which is charged once, and whose work is
    /// not done again where it was long. How far a long tool has come is told to `follow`.
    ///
    /// # Errors
    ///
    /// 404 when there is no such tool, and what the tool says.
    pub fn call_tool<'a>(
        &'a self,
        tool: &'a str,
        user: &'a UserId,
        call_id: Uuid,
        arguments: Value,
        follow: Arc<dyn Follow>,
    ) -> BoxFuture<'a, Result<String, Problem>> {
        Box::pin(async move {
            if let Some(tool) = self.tools.iter().find(|it| it.name == tool) {
                let called = tool.call(user.clone(), call_id, arguments).await;
                return called.map(|(answer, _usage)| answer);
            }
            match self.long_tools.iter().find(|it| it.name() == tool) {
                Some(tool) => tool.once_as(user, call_id, arguments, follow).await,
                None => Err(Problem::not_found(format!("There is no tool {tool:?}."))),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::{
        body::full,
        config::{Config, Environment},
        identity::{Scope, Scopes},
        trace,
    };

    async fn told(call: Call) -> Result<Response, Problem> {
        // As for what a tool does in a task of its own.
        let app = Arc::clone(call.app());
        let logged = app
            .finish(async { Ok(trace::CURRENT.get().request_id) })
            .await?;
        Ok(Response::new(full(format!(
            "{} {logged}",
            call.request_id()
        ))))
    }

    #[tokio::test]
    async fn what_is_answered_in_another_task_belongs_to_the_request_that_asked_for_it() {
        let app = App::new("sample", Config::read(&Environment::default()).unwrap()).unwrap();
        let routes = Routes::new().get("/told", Access::Token(&[Scope::ResearchRead]), told);
        let alice = "alice".parse().unwrap();
        let identity = Identity::named(alice, Scopes::from_iter([Scope::ResearchRead]));
        let context = RequestContext::new();
        let request = http::Request::get("/told").body(full("")).unwrap();
        let answer = routes
            .answer(&app, identity, &context, request)
            .await
            .unwrap();
        let answer = answer.into_body().collect().await.unwrap().to_bytes();
        let id = context.request_id();
        assert_eq!(answer, format!("{id} {id}"));
    }
}
