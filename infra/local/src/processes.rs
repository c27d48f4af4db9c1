//! `PROCESSES=1`: each function as the binary that is deployed, with a port of its own.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Stdio,
    sync::{Mutex, MutexGuard, PoisonError},
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
use nova_testkit::ReservedPort;
use tokio::process::{Child, Command};

use crate::manifest::Manifest;

const START_DEADLINE: Duration = Duration::from_secs(20);

/// The running binaries.
pub(crate) struct Processes {
    /// Where the binaries are.
    folder: PathBuf,
    /// What each function is told.
    settings: BTreeMap<String, BTreeMap<String, String>>,
    /// The routes of the manifest, each with the function that answers it.
    routes: Vec<(String, String)>,
    /// Whoever was asked longest ago comes first.
    running: Mutex<Vec<Process>>,
    client: Client<HttpConnector, Body>,
}

/// One binary, with a port of its own.
struct Process {
    function: String,
    port: ReservedPort,
    child: Child,
}

impl Processes {
    /// Starts the binaries of all services, found beside this program, and waits until they listen.
    pub(crate) async fn start(
        manifest: &Manifest,
        settings_of: impl Fn(&str) -> BTreeMap<String, String>,
    ) -> Result<Self> {
        let program = std::env::current_exe()?;
        let beside = program.parent().context("this program is in no folder")?;
        // A test's own program is one folder further down.
        let beside = if beside.ends_with("deps") {
            beside.parent().unwrap_or(beside)
        } else {
            beside
        };
        let services = &manifest.services;
        let routes = services.iter().flat_map(|(name, entry)| {
            let routes = entry.routes.iter();
            routes.map(|route| (route.clone(), name.clone()))
        });
        let all = Self {
            folder: beside.to_owned(),
            settings: services
                .keys()
                .map(|name| (name.clone(), settings_of(name)))
                .collect(),
            routes: routes.collect(),
            running: Mutex::default(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        };
        let new = services.keys().map(|name| all.spawn(name));
        let new = new.collect::<Result<Vec<Process>>>()?;
        for process in new {
            all.admit(process).await?;
        }
        Ok(all)
    }

    /// Starts a further process of a function, and waits until it listens.
    pub(crate) async fn start_one(&self, function: &str) -> Result<()> {
        self.admit(self.spawn(function)?).await
    }

    /// The binary of a function with its settings, to be started.
    pub(crate) fn command(&self, function: &str) -> Result<Command> {
        let settings = self.settings.get(function);
        let settings = settings.with_context(|| format!("no function is called {function}"))?;
        let mut command = Command::new(self.folder.join(function));
        command
            .envs(settings)
            // With a heap for each thread, as glibc has it by default, what one thread has freed is
            // not there for the next, and the same work takes half as much memory again.
            .env("MALLOC_ARENA_MAX", "1")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        Ok(command)
    }

    fn spawn(&self, function: &str) -> Result<Process> {
        let port = ReservedPort::new()?;
        let mut command = self.command(function)?;
        let started = command.env("PORT", port.number().to_string()).spawn();
        let child = started.with_context(|| {
            format!(
                "{} cannot be started; build it with `cargo build --workspace`",
                self.folder.join(function).display()
            )
        })?;
        Ok(Process {
            function: function.to_owned(),
            port,
            child,
        })
    }

    /// Sends requests to a process, once it listens.
    async fn admit(&self, mut process: Process) -> Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        while tokio::net::TcpStream::connect(("127.0.0.1", process.port.number()))
            .await
            .is_err()
        {
            if let Some(status) = process.child.try_wait()? {
                bail!("{} ended before it listened: {status}", process.function);
            }
            if Instant::now() > deadline {
                bail!("{} does not listen", process.function);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.running().push(process);
        Ok(())
    }

    fn running(&self) -> MutexGuard<'_, Vec<Process>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks all to end, as Cloud Run does, and waits for it.
    pub(crate) async fn stop(&self) {
        let running = std::mem::take(&mut *self.running());
        end(running).await;
    }

    /// Puts a new process in the place of each, as a release does: requests go to the new ones
    /// before the old ones are asked to end.
    pub(crate) async fn redeploy(&self) -> Result<()> {
        let new = self.settings.keys().map(|name| self.spawn(name));
        let new = new.collect::<Result<Vec<Process>>>()?;
        let ports: Vec<u16> = new.iter().map(|it| it.port.number()).collect();
        for process in new {
            self.admit(process).await?;
        }
        let old = {
            let mut running = self.running();
            running
                .extract_if(.., |it| !ports.contains(&it.port.number()))
                .collect()
        };
        end(old).await;
        Ok(())
    }

    /// Ends all processes of a function as a crash would, without a word.
    pub(crate) async fn kill(&self, function: &str) -> Result<()> {
        let killed: Vec<Process> = {
            let mut running = self.running();
            running
                .extract_if(.., |it| it.function == function)
                .collect()
        };
        if killed.is_empty() {
            bail!("no process is called {function}");
        }
        for mut process in killed {
            process.child.kill().await?;
        }
        Ok(())
    }

    /// A process of a function.
    pub(crate) fn id(&self, function: &str) -> Result<u32> {
        let running = self.running();
        let found = running.iter().find(|it| it.function == function);
        found
            .and_then(|process| process.child.id())
            .with_context(|| format!("no process is called {function}"))
    }

    /// The port of a process of a function: of each in turn.
    fn port(&self, function: &str) -> Option<u16> {
        let mut running = self.running();
        let place = running.iter().position(|it| it.function == function)?;
        let process = running.remove(place);
        let port = process.port.number();
        running.push(process);
        Some(port)
    }

    /// Passes a request on to who answers its path.
    pub(crate) async fn answer(&self, request: Request) -> Response {
        let path = request.uri().path();
        let mut routes = self.routes.iter();
        let found = routes.find(|(route, _)| matches(route, path).is_some());
        let function = found.map_or("", |(_, function)| function);
        self.work(function, request).await
    }

    /// Passes a request on to a function.
    pub(crate) async fn work(&self, function: &str, request: Request) -> Response {
        let answer = match self.port(function) {
            Some(port) => self.forward(request, port).await,
            None if self.settings.contains_key(function) => Err(no_answer()),
            None => Err(Problem::not_found("There is nothing at this address.")),
        };
        answer.unwrap_or_else(|problem| problem.into_response("gateway"))
    }

    async fn forward(&self, mut request: Request, port: u16) -> Result<Response, Problem> {
        let rest = request
            .uri()
            .path_and_query()
            .map_or("/", PathAndQuery::as_str);
        let address = format!("http://127.0.0.1:{port}{rest}");
        *request.uri_mut() = address.parse::<Uri>().map_err(Problem::internal)?;
        *request.version_mut() = http::Version::HTTP_11;
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| no_answer().caused_by(error))?;
        Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
    }
}

/// Asks processes to end, as Cloud Run does, and waits for it.
async fn end(mut running: Vec<Process>) {
    for process in &running {
        let Some(id) = process.child.id() else {
            continue; // it has ended already
        };
        let told = Command::new("kill")
            .args(["-TERM", &id.to_string()])
            .status()
            .await;
        tracing::debug!(?told, "{} was told to end", process.function);
    }
    for Process {
        function, child, ..
    } in &mut running
    {
        match tokio::time::timeout(Duration::from_secs(10), child.wait()).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(status) => tracing::warn!(?status, "{function} ended badly"),
            Err(_elapsed) => {
                tracing::warn!("{function} did not end in 10 s and is killed");
                drop(child.kill().await);
            }
        }
    }
}

fn no_answer() -> Problem {
    Problem::unavailable("The function does not answer.", Duration::from_secs(1))
}
