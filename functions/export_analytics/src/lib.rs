//! The scheduled job that keeps a copy of the usage rows in BigQuery, without names.
//!
//! A day (in UTC) becomes a file in the bucket, and the file the partition of that day. Nothing is
//! remembered but these two: a day is exported again when its rows make another file than the one
//! that is there ([`file`](mod@file)), and loaded when no load of that very file has succeeded
//! ([`loads`]). So any run may be killed anywhere and the next one goes on, two at once do no
//! harm, and a run after which nothing changed loads nothing. Calls that are given back, and users who
//! are erased, change days that are over; the days of five weeks are looked through in each run.

mod arguments;
mod export;
mod file;
mod loads;
mod rows;

use std::{process::ExitCode, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use nova_blobs::Blobs;
use nova_providers::bigquery::BigQuery;
use nova_runtime::{
    App, Config, ConfigError, EXIT_USAGE, Environment, Function, config::BigQueryConfig, log, say,
};

pub use self::export::file_name;
use self::{
    arguments::{HELP, Invocation},
    export::{Export, Summary},
    loads::advice,
    rows::Pseudonyms,
};

/// The job.
pub const FUNCTION: Function = Function::job(
    "export_analytics",
    "Copies the usage of each day to BigQuery, without names.",
    main,
);

/// Less than the hour that the job has. What is left then waits for the next run.
const BUDGET: Duration = Duration::from_mins(40);

fn main(arguments: Vec<String>, environment: Environment) -> BoxFuture<'static, ExitCode> {
    Box::pin(async move {
        let days = match Invocation::parse(&arguments) {
            Ok(Invocation::Run { days }) => days,
            Ok(Invocation::Help) => return say(HELP),
            Ok(Invocation::Version) => {
                return say(concat!("export_analytics ", env!("CARGO_PKG_VERSION")));
            }
            Err(error) => return FUNCTION.complain(&error),
        };
        let set_up = Config::read(&environment).and_then(|config| match config.bigquery.clone() {
            Some(target) => set_up(config, &target).map(Some),
            None => Ok(None),
        });
        match set_up {
            Ok(Some((app, export))) => run(&app, &export, days).await,
            Ok(None) => say("BQ_DATASET_ID is not set: nothing is exported"),
            Err(error) => FUNCTION.complain(&error.to_string()),
        }
    })
}

fn set_up(config: Config, target: &BigQueryConfig) -> Result<(Arc<App>, Export), ConfigError> {
    let needs = |what: &str| ConfigError::new(format!("export_analytics needs {what}"));
    if config.database.is_none() {
        return Err(needs("a database: set DATABASE_URL or CLOUD_SQL_INSTANCE"));
    }
    let project = config.project.clone();
    let project =
        project.ok_or_else(|| needs("the dataset's project: set GOOGLE_CLOUD_PROJECT"))?;
    let salt = target.user_id_salt.clone();
    let salt = salt.ok_or_else(|| needs("a salt for the ids of users: set USER_ID_SALT"))?;
    log::start(&config);
    let app = App::new("export_analytics", config)?;
    let blobs = Blobs::from_app(&app)?;
    let bigquery = BigQuery::new(target, &project, app.http().clone(), app.tokens().clone());
    let export = Export::new(app.store().clone(), blobs, bigquery, Pseudonyms::new(salt));
    Ok((app, export))
}

async fn run(app: &App, export: &Export, days: u16) -> ExitCode {
    let location = match export.location().await {
        Ok(Some(location)) => location,
        Ok(None) => {
            tracing::error!(
                "there is no such dataset in the project: make it, or correct BQ_DATASET_ID and GOOGLE_CLOUD_PROJECT"
            );
            return ExitCode::from(EXIT_USAGE);
        }
        Err(error) => {
            let advice = advice(&error);
            let error = log::causes(&error);
            tracing::error!(error, "BigQuery cannot be used. {advice}");
            return ExitCode::FAILURE;
        }
    };
    let today = time::OffsetDateTime::from(app.clock().now()).date();
    let summary = export.run(&location, today, days, BUDGET).await;
    let Summary {
        loaded,
        rows,
        unchanged,
        failed,
    } = summary;
    tracing::info!(loaded, rows, unchanged, failed, "exported");
    ExitCode::from(u8::from(failed > 0))
}
