//! The job that brings the database to this build's schema, and says how it stands.
//!
//! A Cloud Run job runs it before the new code gets traffic; at a terminal it answers questions.
//! The work is done by [`nova_store::migrate`]; here are the command line, the lines that people
//! read, and the exit codes. What was asked for goes to standard output, everything else to
//! standard error.

mod arguments;
mod console;
mod help;
mod report;
mod settings;

use std::process::ExitCode;

use futures_util::future::BoxFuture;
use nova_runtime::{EXIT_USAGE, Environment, Function};
use nova_store::migrate::{Error, Migrator, SCHEMA, grants};
use tokio::sync::watch;

use self::arguments::{Command, Invocation};
use self::settings::Settings;

/// The job.
pub const FUNCTION: Function = Function::job(
    "migrate",
    "Brings the database to this build's schema, and says how it stands.",
    main,
);

fn main(arguments: Vec<String>, environment: Environment) -> BoxFuture<'static, ExitCode> {
    Box::pin(async move { ExitCode::from(run(arguments, &environment).await) })
}

async fn run(arguments: Vec<String>, environment: &Environment) -> u8 {
    let is_job = environment.get("CLOUD_RUN_JOB").is_some();
    let invocation = match Invocation::parse(arguments, is_job) {
        Ok(Invocation {
            command: Command::Help(topic),
            ..
        }) => {
            console::result(&help::text(topic));
            return 0;
        }
        Ok(Invocation {
            command: Command::Version,
            ..
        }) => {
            console::result(concat!("migrate ", env!("CARGO_PKG_VERSION")));
            return 0;
        }
        Ok(invocation) => invocation,
        Err(problem) => {
            console::problem(&problem);
            return EXIT_USAGE;
        }
    };
    let settings = match Settings::read(environment) {
        Ok(settings) => settings,
        Err(problem) => {
            console::problem(&problem.to_string());
            return EXIT_USAGE;
        }
    };
    let stop = match stop_signals() {
        Ok(stop) => stop,
        Err(error) => {
            console::problem(&format!("cannot listen for signals: {error}"));
            return 1;
        }
    };
    match with_stop(&invocation, &settings, stop).await {
        Ok(()) => 0,
        Err(error) => {
            console::failure(&error);
            error.exit_code()
        }
    }
}

/// Counts SIGTERM and Ctrl-C: the first asks for an end between two steps, the second ends at once.
fn stop_signals() -> Result<watch::Receiver<u32>, std::io::Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let (count, counted) = watch::channel(0);
    tokio::spawn(async move {
        while count.receiver_count() > 0 {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            count.send_modify(|count| *count += 1);
        }
    });
    Ok(counted)
}

async fn with_stop(
    invocation: &Invocation,
    settings: &Settings,
    mut signals: watch::Receiver<u32>,
) -> Result<(), Error> {
    let (stop, stopped) = watch::channel(false);
    let migrator = invocation
        .configure(Migrator::new(settings.database()))
        .stop(stopped);
    let migrator = migrator.progress(console::progress);
    let work = execute(&invocation.command, &migrator, settings);
    let impatience = async {
        if signals.wait_for(|count| *count > 0).await.is_ok() {
            console::progress("asked to stop: after this step (once more: at once)");
            stop.send_replace(true);
        }
        if signals.wait_for(|count| *count > 1).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        result = work => result,
        () = impatience => Err(Error::Stopped { when: "in the middle of a step".to_owned() }),
    }
}

async fn execute(command: &Command, migrator: &Migrator, settings: &Settings) -> Result<(), Error> {
    match command {
        Command::Job => {
            console::result(&migrator.up(None).await?.to_string());
            match settings.grants() {
                Some(text) => grant(text, false, migrator).await?,
                None => console::progress("NOVA_DB_GRANTS is not set: no login was looked at"),
            }
        }
        Command::Up { to } => console::result(&migrator.up(*to).await?.to_string()),
        Command::Down { to } => console::result(&migrator.down(*to).await?.to_string()),
        Command::Status => console::result(&report::status(&migrator.status().await?)),
        Command::History => console::result(&report::history(&migrator.history().await?)),
        Command::Plan { to, from, locks } => {
            if *locks {
                console::result(&report::locks(&migrator.rehearse(*to).await?));
            }
            let sql = match from {
                Some(from) => migrator.plan_sql_offline(*from, *to)?,
                None => migrator.plan_sql(*to).await?,
            };
            console::result(&sql);
        }
        Command::Baseline { to } => {
            let recorded = migrator.baseline(*to).await?;
            console::result(&format!(
                "version {to:04}, {recorded} recorded and none run; see `check`"
            ));
        }
        Command::Check => {
            let version = migrator.check(SCHEMA).await?;
            console::result(&format!(
                "version {version:04}, the live schema is what the migrations make"
            ));
        }
        Command::Fingerprint => console::result(&migrator.fingerprint().await?),
        Command::Grants {
            create_local_logins,
        } => {
            let text = settings.grants().ok_or_else(|| {
                Error::Refused("set NOVA_DB_GRANTS to login=family,login=family".to_owned())
            })?;
            grant(text, *create_local_logins, migrator).await?;
        }
        // Answered before a database was looked for.
        Command::Help(_) | Command::Version => {}
    }
    Ok(())
}

async fn grant(text: &str, create_logins: bool, migrator: &Migrator) -> Result<(), Error> {
    let grants = grants::parse(text)?;
    let outcome = migrator.grants(&grants, create_logins).await?;
    for warning in &outcome.warnings {
        console::problem(warning);
    }
    for change in &outcome.changes {
        console::result(change);
    }
    if outcome.changes.is_empty() && outcome.warnings.is_empty() {
        console::result(&format!(
            "grants: {} login(s) are as they should be",
            grants.len()
        ));
    }
    Ok(())
}
