//! `PROCESSES=1`: each function as the binary that is deployed, with a port of its own.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use http::{Uri, uri::PathAndQuery};
use http_body_util::BodyExt as _;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use nova_runtime::{Body, Problem, Request, Response, matches};
use tokio::process::{Child, Command};

use crate::manifest::Manifest;

const START_DEADLINE: Duration = Duration::from_secs(20);

/// The running binaries.
pub(crate) struct Processes {
    children: tokio::sync::Mutex<Vec<(String, Child)>>,
    /// By name.
    ports: BTreeMap<String, u16>,
    /// The routes of the manifest, each with the port of who answers it.
    routes: Vec<(String, u16)>,
    client: Client<HttpConnector, Body>,
}

impl Processes {
    /// Starts the binaries of all services, found beside this program, and waits until they listen.
    pub(crate) async fn start(
        manifest: &Manifest,
        environment_of: impl Fn(&str) -> BTreeMap<String, String>,
    ) -> Result<Self> {
        let program = std::env::current_exe()?;
        let beside = program.parent().context("this program is in no folder")?;
        // A test's own program is one folder further down.
        let beside = if beside.ends_with("deps") {
            beside.parent().unwrap_or(beside)
        } else {
            beside
        };
        let mut children = Vec::new();
        let (mut ports, mut routes) = (BTreeMap::new(), Vec::new());
        for (name, entry) in &manifest.services {
            let port = free_port()?;
            let child = spawn(&beside.join(name), port, environment_of(name))?;
            children.push((name.clone(), child));
            ports.insert(name.clone(), port);
            routes.extend(entry.routes.iter().map(|route| (route.clone(), port)));
        }
        let deadline = Instant::now() + START_DEADLINE;
        for (name, port) in routes.iter().map(|(route, port)| (route, *port)) {
            while tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_err()
            {
                if Instant::now() > deadline {
                    bail!("the function that answers {name} does not listen");
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self {
            children: tokio::sync::Mutex::new(children),
            ports,
            routes,
            client,
        })
    }

    /// Asks all to end, as Cloud Run does, and waits for it.
    pub(crate) async fn stop(&self) {
        let mut children = self.children.lock().await;
        for (name, child) in children.iter_mut() {
            let Some(id) = child.id() else { continue }; // it has ended already
            let told = Command::new("kill")
                .args(["-TERM", &id.to_string()])
                .status()
                .await;
            tracing::debug!(?told, "{name} was told to end");
        }
        for (name, child) in children.iter_mut() {
            match tokio::time::timeout(Duration::from_secs(10), child.wait()).await {
                Ok(Ok(status)) if status.success() => {}
                Ok(status) => tracing::warn!(?status, "{name} ended badly"),
                Err(_elapsed) => {
                    tracing::warn!("{name} did not end in 10 s and is killed");
                    drop(child.kill().await);
                }
            }
        }
    }

    /// Ends a function as a crash would, without a word.
    pub(crate) async fn kill(&self, name: &str) -> Result<()> {
        let mut children = self.children.lock().await;
        let found = children.iter_mut().find(|(child, _)| child == name);
        let (_, child) = found.with_context(|| format!("no process is called {name}"))?;
        Ok(child.kill().await?)
    }

    /// The process of a function.
    pub(crate) async fn id(&self, name: &str) -> Result<u32> {
        let children = self.children.lock().await;
        let found = children.iter().find(|(child, _)| child == name);
        found
            .and_then(|(_, child)| child.id())
            .with_context(|| format!("no process is called {name}"))
    }

    /// Passes a request on to who answers its path.
    pub(crate) async fn answer(&self, request: Request) -> Response {
        let path = request.uri().path();
        let found = self
            .routes
            .iter()
            .find(|(route, _)| matches(route, path).is_some());
        let port = found.map(|(_, port)| *port);
        self.forward(request, port).await
    }

    /// Passes a request on to a function.
    pub(crate) async fn work(&self, function: &str, request: Request) -> Response {
        let port = self.ports.get(function).copied();
        self.forward(request, port).await
    }

    async fn forward(&self, request: Request, port: Option<u16>) -> Response {
        let answer = match port {
            Some(port) => self.try_forward(request, port).await,
            None => Err(Problem::not_found("There is nothing at this address.")),
        };
        answer.unwrap_or_else(|problem| problem.into_response("gateway"))
    }

    async fn try_forward(&self, mut request: Request, port: u16) -> Result<Response, Problem> {
        let rest = request
            .uri()
            .path_and_query()
            .map_or("/", PathAndQuery::as_str);
        let address = format!("http://127.0.0.1:{port}{rest}");
        *request.uri_mut() = address.parse::<Uri>().map_err(Problem::internal)?;
        *request.version_mut() = http::Version::HTTP_11;
        let answer = self.client.request(request).await.map_err(|error| {
            Problem::unavailable("The function does not answer.", Duration::from_secs(1))
                .caused_by(error)
        })?;
        Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
    }
}

fn spawn(binary: &Path, port: u16, environment: BTreeMap<String, String>) -> Result<Child> {
    Command::new(binary)
        .envs(environment)
        .env("PORT", port.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| {
            format!(
                "{} cannot be started; build it with `cargo build --workspace`",
                binary.display()
            )
        })
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
