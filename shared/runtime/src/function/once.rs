//! One call without a server: `--once`, and Cloud Run job executions.
//!
//! Whoever can start the binary has its credentials already, so the user is named, not proved.

use std::{io, process::ExitCode, sync::Arc};

use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use nova_store::UserId;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    app::App,
    body::{Body, empty, full},
    config::{JobConfig, TaskConfig},
    identity::{Identity, Scope, Scopes},
    problem::Problem,
    routes::Routes,
    serve,
    trace::RequestContext,
};

/// One call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Once {
    pub(super) json: String,
    pub(super) user: Option<String>,
    pub(super) scopes: Vec<String>,
    /// Which of several tasks this is.
    pub(super) task: Option<TaskConfig>,
}

/// A call of something that is not a tool.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnceRequest {
    #[serde(default = "get")]
    method: String,
    path: String,
    #[serde(default)]
    body: Value,
}

fn get() -> String {
    "GET".to_owned()
}

impl Once {
    pub(super) fn of_job(job: JobConfig) -> Self {
        Self {
            json: job.once.unwrap_or_default(),
            user: job.user,
            scopes: Vec::new(),
            task: job.task,
        }
    }

    /// Does the call; the result goes to standard output, what went wrong to standard error.
    pub(super) async fn run(self, app: &Arc<App>, routes: &Routes) -> ExitCode {
        if let Ok(stop) = serve::stop_signal() {
            let app = Arc::clone(app);
            tokio::spawn(async move {
                stop.await;
                app.stop();
            });
        }
        match self.answer(app, routes, &mut io::stdout()).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(problem) => {
                let status = problem.status().as_u16();
                let error = problem.causes();
                tracing::error!(status, error, "{}", problem.detail());
                ExitCode::FAILURE
            }
        }
    }

    async fn answer(
        self,
        app: &Arc<App>,
        routes: &Routes,
        out: &mut (impl io::Write + Send),
    ) -> Result<(), Problem> {
        let identity = self.identity()?;
        let value: Value = serde_json::from_str(&self.json).map_err(|error| {
            Problem::bad_request(format!("--once (NOVA_ONCE) is not JSON: {error}."))
        })?;
        let mut body = match (routes.tools.as_slice(), routes.long_tools.as_slice()) {
            ([], [tool]) => {
                let task = self.task.as_ref();
                full(tool.once(&identity.user, value, task).await?)
            }
            ([tool], []) => {
                let (answer, _usage) = tool.call(identity.user, Uuid::now_v7(), value).await?;
                full(answer)
            }
            _ => self.route(app, routes, identity, value).await?,
        };
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(Problem::internal)?.into_data() {
                out.write_all(&data).map_err(Problem::internal)?;
            }
        }
        out.write_all(b"\n").map_err(Problem::internal)?;
        out.flush().map_err(Problem::internal)
    }

    async fn route(
        &self,
        app: &Arc<App>,
        routes: &Routes,
        identity: Identity,
        value: Value,
    ) -> Result<Body, Problem> {
        let wanted: OnceRequest = serde_json::from_value(value)
            .map_err(|error| Problem::bad_request(format!("--once does not fit: {error}.")))?;
        let body = match &wanted.body {
            Value::Null => empty(),
            Value::String(text) => full(text.clone()),
            json => full(json.to_string()),
        };
        let method = Method::from_bytes(wanted.method.as_bytes())
            .map_err(|error| Problem::bad_field("method", error))?;
        let request = http::Request::builder()
            .method(method)
            .uri(&wanted.path)
            .body(());
        let request = request
            .map_err(|error| Problem::bad_field("path", error))?
            .map(|()| body);
        let context = RequestContext::new();
        let response = routes.answer(app, identity, &context, request).await?;
        if response.status() >= StatusCode::BAD_REQUEST {
            return Err(Problem::bad_request(format!(
                "answered {}",
                response.status()
            )));
        }
        Ok(response.into_body())
    }

    fn identity(&self) -> Result<Identity, Problem> {
        let user = self.user.clone().ok_or_else(|| {
            Problem::bad_request("in whose name? Add --user ID (or NOVA_USER to the job).")
        })?;
        let user = UserId::try_from(user).map_err(|error| Problem::bad_field("--user", error))?;
        let mut scopes = Scopes::from_iter([Scope::ResearchRead, Scope::ResearchRun]);
        for name in &self.scopes {
            let scope = name
                .parse::<Scope>()
                .map_err(|error| Problem::bad_field("--scope", error))?;
            scopes.insert(scope);
        }
        Ok(Identity::named(user, scopes))
    }
}
