//! The command line: `run`, `research`, `demo`, `token`, `database-url`.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail};
use nova_runtime::{Config, Environment, log, serve};
use nova_store::migrate::local::create_database;
use nova_testkit::{
    issuer::refuse_on_cloud_run,
    objects::{self, ObjectStore},
    postgres::{Cluster, Settings, Stop},
};

use crate::{
    database::DATABASE,
    demo,
    local::{Local, Parts, issuer},
    research,
    state::{Running, State},
};

const HELP: &str = "\
The whole of Nova on this machine; never deployed.

Usage:
  nova-local run [--port PORT] [--processes]      start everything; Ctrl-C stops it
  nova-local research GUIDELINE [OPTION]…         the workflow for one article, without an agent
  nova-local demo [--folder FOLDER]               the same with stand-ins for the providers
  nova-local token --user NAME [--scope SCOPES]   print a token for the running system
  nova-local database-url                         print the running database's address
  nova-local --help

State is kept in .nova/ (NOVA_STATE names another folder). SCOPES are separated by commas
or spaces; without --scope they are research:read and research:run; admin opens the reports.
Settings of the functions (MONTHLY_TOOL_CALL_LIMIT, LOG_LEVEL, …) are passed on.";

/// Settings that this program makes itself, or that are about itself. All others of the
/// environment the functions get as they are.
const OWN: [&str; 12] = [
    "BLOB_BUCKET",
    "CLOUD_SQL_INSTANCE",
    "CLOUD_RUN_JOB",
    "DATABASE_URL",
    "DB_USER",
    "DB_PASS",
    "DESCOPE_PROJECT_ID",
    "NOVA_STATE",
    "OIDC_ISSUER",
    "OIDC_JWKS_URL",
    "PORT",
    "STORAGE_EMULATOR_HOST",
];

/// Long enough for a day's work with one token in the shell.
const TOKEN_LIFETIME: Duration = Duration::from_hours(24);

enum Command {
    Run { port: Option<u16>, processes: bool },
    Research { arguments: Vec<String> },
    Demo { folder: PathBuf },
    Token { user: String, scopes: String },
    DatabaseUrl,
    Help,
}

/// The program.
pub fn main() -> ExitCode {
    let environment = Environment::of_process();
    let command = match parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(error) => return complain(&error, nova_runtime::EXIT_USAGE),
    };
    let state = PathBuf::from(environment.get("NOVA_STATE").unwrap_or(".nova"));
    let done = match command {
        Command::Research { arguments } => match do_research(&environment, &state, arguments) {
            Ok(exit) => return exit,
            Err(error) => Err(error),
        },
        Command::Help => {
            say(HELP);
            Ok(())
        }
        Command::Token { user, scopes } => token(&state, &user, &scopes),
        Command::DatabaseUrl => database_url(&state),
        Command::Run { port, processes } => run(&environment, &state, port, processes),
        Command::Demo { folder } => demonstrate(&environment, &folder),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, 1),
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Command> {
    let command = arguments.next();
    if command.as_deref() == Some("research") {
        let arguments = arguments.collect();
        return Ok(Command::Research { arguments });
    }
    let (mut port, mut processes, mut user, mut scopes) = (None, false, None, None);
    let mut folder = None;
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--port" => port = Some(value()?.parse().context("--port: a port number")?),
            "--processes" => processes = true,
            "--folder" => folder = Some(PathBuf::from(value()?)),
            "--user" => user = Some(value()?),
            "--scope" => scopes = Some(value()?.replace(',', " ")),
            "--help" | "-h" => return Ok(Command::Help),
            other => bail!("unknown argument {other:?}; see nova-local --help"),
        }
    }
    Ok(match command.as_deref() {
        Some("run") => Command::Run { port, processes },
        Some("demo") => Command::Demo {
            folder: folder.unwrap_or_else(|| "target/demo".into()),
        },
        Some("token") => Command::Token {
            user: user.context("whose token? nova-local token --user NAME")?,
            scopes: scopes.unwrap_or_else(|| "research:read research:run".to_owned()),
        },
        Some("database-url") => Command::DatabaseUrl,
        Some("--help" | "-h" | "help") | None => Command::Help,
        Some(other) => bail!("unknown command {other:?}; see nova-local --help"),
    })
}

fn token(state: &std::path::Path, user: &str, scopes: &str) -> Result<()> {
    let state = State::open(state)?;
    let running = state.running()?;
    let issuer = issuer(&running.server_url, Some(state.issuer_key()))?;
    let scopes: Vec<&str> = scopes.split_whitespace().collect();
    say(&issuer.token(user, &scopes, &running.server_url, TOKEN_LIFETIME));
    Ok(())
}

fn database_url(state: &std::path::Path) -> Result<()> {
    say(&State::open(state)?.running()?.database_url);
    Ok(())
}

fn run(
    environment: &Environment,
    state: &std::path::Path,
    port: Option<u16>,
    processes: bool,
) -> Result<()> {
    refuse_on_cloud_run(environment.get("K_SERVICE"))?;
    let config = Config::read(environment)?;
    log::start(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let port = port.unwrap_or(config.port);
    let ran = runtime.block_on(Box::pin(serve_until_stopped(
        environment,
        state,
        port,
        processes,
    )));
    runtime.shutdown_timeout(Duration::from_secs(1));
    ran
}

fn demonstrate(environment: &Environment, folder: &std::path::Path) -> Result<()> {
    refuse_on_cloud_run(environment.get("K_SERVICE"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ran = runtime.block_on(Box::pin(demo::run(folder, say)));
    runtime.shutdown_timeout(Duration::from_secs(1));
    ran
}

fn do_research(
    environment: &Environment,
    state: &std::path::Path,
    arguments: Vec<String>,
) -> Result<ExitCode> {
    refuse_on_cloud_run(environment.get("K_SERVICE"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let environment = environment.without(&OWN);
    let ran = runtime.block_on(Box::pin(research::run(environment, state, arguments)));
    runtime.shutdown_timeout(Duration::from_secs(1));
    ran
}

/// PostgreSQL with the data of this folder, and the database in it.
pub(crate) async fn start_cluster(state: &State) -> Result<Cluster> {
    let settings = Settings {
        tcp_port: Some(0),
        ..Settings::default()
    };
    let mut cluster = Cluster::durable(&state.postgres(), settings).await?;
    cluster.start().await?;
    create_database(&cluster.url("postgres", "postgres"), DATABASE).await?;
    Ok(cluster)
}

async fn serve_until_stopped(
    environment: &Environment,
    state: &std::path::Path,
    port: u16,
    processes: bool,
) -> Result<()> {
    let stop = serve::stop_signal()?;
    let state = State::open(state)?;
    let lock = state.lock()?;
    progress("starting PostgreSQL");
    let mut cluster = start_cluster(&state).await?;
    let mut stop = std::pin::pin!(stop);
    let started = tokio::select! {
        started = start(environment, &state, &cluster, port, processes) => Some(started),
        () = &mut stop => None,
    };
    let ran = match started {
        None => Ok(()),
        Some(Err(error)) => Err(error),
        Some(Ok(local)) => {
            progress(&ready(&local));
            stop.await;
            progress("stopping");
            local.stop().await;
            Ok(())
        }
    };
    state.forget();
    cluster.stop(Stop::Fast).await?;
    drop(lock);
    ran
}

async fn start(
    environment: &Environment,
    state: &State,
    cluster: &Cluster,
    port: u16,
    processes: bool,
) -> Result<Local> {
    progress("bringing the schema up to date");
    let objects = objects::Config {
        directory: Some(state.objects()),
        ..objects::Config::default()
    };
    let local = Local::start(Parts {
        database_url: cluster.url("postgres", DATABASE),
        database_as: &|login| vec![("DATABASE_URL", cluster.url(login, DATABASE))],
        objects: ObjectStore::start(objects).await?,
        issuer_key: Some(state.issuer_key()),
        port,
        processes,
        settings: environment.without(&OWN).into(),
    })
    .await?;
    state.announce(&Running {
        server_url: local.url.clone(),
        database_url: cluster
            .tcp_url(DATABASE)
            .context("the server has no TCP port")?,
        objects: local.objects.url.clone(),
    })?;
    Ok(local)
}

fn ready(local: &Local) -> String {
    let url = &local.url;
    format!(
        "ready

  Upload page   {url}/upload_article_guideline
  Tools         {url}/tools/…
  Agents (MCP)  {url}/mcp
  Health        {url}/health/db
  A token       make -s token USER=alice
  The database  make -s database-url

Ctrl-C stops everything; the data stays in .nova/ (make clean-local removes it)."
    )
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a person watches")]
fn progress(text: &str) {
    eprintln!("nova: {text}");
}

#[expect(clippy::print_stderr, reason = "a person reads it")]
fn complain(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("nova: {error:#}");
    ExitCode::from(code)
}
