//! The scheduled job: calls workers for jobs that were committed and never rung, forgets old jobs,
//! upload grants and, where that is wanted, usage, goes on erasing users who are to be forgotten, and
//! deletes the objects that nothing refers to any more.
//!
//! Any number may run at once, and one that is cut off is succeeded by the next. It works in small
//! batches and stops when its time is over; what is left waits for the next run.

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;
use nova_blobs::Blobs;
use nova_runtime::{App, Config, ConfigError, Environment, Function, bell::Ring, log, say};
use nova_store::{DeadBlob, Error, UserId};
use uuid::Uuid;

/// The job.
pub const FUNCTION: Function = Function::job(
    "sweep",
    "Calls workers that were not called, forgets old jobs, deletes dead files.",
    main,
);

const HELP: &str = "\
Calls workers for jobs that were committed and never rung, forgets jobs that ended a day ago, upload
grants that expired and usage of more than USAGE_MONTHS ago, goes on erasing users, and deletes the
objects that nothing refers to any more. Any number may run at once.

Usage:
  sweep                 once, for at most four minutes
  sweep --erase USER    the same, and first begins to erase a user: the `sub` of their tokens
  sweep --help | --version

Erased, articles and all that hangs on them are gone at once, files with the next runs; calls and
their costs stay in the totals under a name that leads to nobody. The user can do nothing more until
the last trace is gone, which takes nine days; every run goes on with it.

Exit codes: 0 done, 1 something failed and is left to the next run, 64 wrong arguments or settings.

Settings (environment): DATABASE_URL or CLOUD_SQL_INSTANCE, BLOB_BUCKET, CLOUD_TASKS_QUEUE with
CLOUD_TASKS_SERVICE_ACCOUNT and CLOUD_TASKS_TARGET_URL (without them nobody is called), USAGE_MONTHS
(without it usage is kept).";

/// Less than the five minutes between two runs.
pub const BUDGET: Duration = Duration::from_mins(4);
/// Who made a job has this long to call for a worker.
const GRACE: Duration = Duration::from_secs(10);
/// How long it can be asked how a job ended.
const JOBS_STAY: Duration = Duration::from_hours(24);
/// Who comes late with an upload grant is told for a while that it has expired.
const GRANTS_STAY: Duration = Duration::from_hours(1);
const BATCH: u32 = 100;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Workers that were called.
    pub rung: u64,
    /// Jobs, upload grants and users' months of usage that were forgotten.
    pub expired: u64,
    /// Users of whom nothing is left.
    pub erased: u64,
    /// Objects that are gone.
    pub deleted: u64,
    /// Calls and objects that are left to the next run.
    pub failed: u64,
}

fn main(arguments: Vec<String>, environment: Environment) -> BoxFuture<'static, ExitCode> {
    Box::pin(async move {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let erase = match arguments.as_slice() {
            [] => None,
            ["--help" | "-h", ..] => return say(HELP),
            ["--version" | "-V", ..] => return say(concat!("sweep ", env!("CARGO_PKG_VERSION"))),
            ["--erase", user] => match UserId::try_from((*user).to_owned()) {
                Ok(user) => Some(user),
                Err(error) => return FUNCTION.complain(&format!("--erase: {error}")),
            },
            ["--erase"] => return FUNCTION.complain("--erase needs a user; see --help"),
            [other, ..] => {
                return FUNCTION.complain(&format!("unknown argument {other:?}; see --help"));
            }
        };
        let (app, blobs) = match set_up(&environment) {
            Ok(set_up) => set_up,
            Err(error) => return FUNCTION.complain(&error.to_string()),
        };
        let swept = async {
            if let Some(user) = erase {
                erase_user(&app, &user).await?;
            }
            sweep(&app, &blobs, BUDGET).await
        };
        match swept.await {
            Ok(summary) => {
                let Summary {
                    rung,
                    expired,
                    erased,
                    deleted,
                    failed,
                } = summary;
                tracing::info!(rung, expired, erased, deleted, failed, "swept");
                ExitCode::from(u8::from(failed > 0))
            }
            Err(error) => {
                let error = log::causes(&error);
                tracing::error!(error, "the database could not be swept");
                ExitCode::FAILURE
            }
        }
    })
}

fn set_up(environment: &Environment) -> Result<(Arc<App>, Blobs), ConfigError> {
    let config = Config::read(environment)?;
    if config.database.is_none() {
        return Err(ConfigError::new(
            "sweep needs a database: set DATABASE_URL or CLOUD_SQL_INSTANCE",
        ));
    }
    log::start(&config);
    let app = App::new("sweep", config)?;
    let blobs = Blobs::from_app(&app)?;
    Ok((app, blobs))
}

/// Sweeps until nothing is left or the time is over.
///
/// # Errors
///
/// When the database is away. What was done is done.
pub async fn sweep(app: &App, blobs: &Blobs, budget: Duration) -> Result<Summary, Error> {
    let end = Instant::now() + budget;
    let mut summary = Summary::default();
    ring(app, end, &mut summary).await?;
    while Instant::now() < end {
        let expired = app.store().expire_jobs(JOBS_STAY, BATCH).await?;
        summary.expired += expired;
        if expired < u64::from(BATCH) {
            break;
        }
    }
    while Instant::now() < end {
        let expired = app.store().expire_upload_grants(GRANTS_STAY, BATCH).await?;
        summary.expired += expired;
        if expired < u64::from(BATCH) {
            break;
        }
    }
    let months = app.config().usage_months;
    while months > 0 && Instant::now() < end {
        let forgotten = app.store().forget_usage(months, BATCH).await?;
        summary.expired += forgotten;
        if forgotten < u64::from(BATCH) {
            break;
        }
    }
    // Before files are deleted: theirs are due with this.
    for user in app.store().users_being_erased(BATCH).await? {
        summary.erased += u64::from(erase_user(app, &user).await?);
    }
    while Instant::now() < end {
        let dead = app.store().claim_dead_blobs(BATCH).await?;
        if dead.is_empty() {
            break;
        }
        for blob in dead {
            if delete(app, blobs, &blob).await? {
                summary.deleted += 1;
            } else {
                summary.failed += 1;
            }
        }
    }
    Ok(summary)
}

/// Begins to erase a user or goes on with it; whether nothing is left.
async fn erase_user(app: &App, user: &UserId) -> Result<bool, Error> {
    // Random, known to nobody and used once: no guess of a name leads to the usage that stays.
    let salt = format!("{}{}", Uuid::now_v7(), Uuid::now_v7());
    app.store().erase_user(user, &salt).await
}

/// Where there is no bell, somebody watches the jobs, and they are not marked here.
async fn ring(app: &App, end: Instant, summary: &mut Summary) -> Result<(), Error> {
    let Some(bell) = app.bell() else {
        return Ok(());
    };
    // Another name than those of earlier calls, which may be spent.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nth = format!("s{}", now.unwrap_or_default().as_secs());
    while Instant::now() < end {
        let jobs = app.store().jobs_to_ring(GRACE, BATCH).await?;
        if jobs.is_empty() {
            break;
        }
        for (job, tool) in jobs {
            let ring = Ring {
                tool: &tool,
                job,
                nth: &nth,
                after: Duration::ZERO,
            };
            match bell.ring(&ring).await {
                Ok(()) => summary.rung += 1,
                Err(error) => {
                    let error = log::causes(&error);
                    tracing::warn!(error, job_id = %job, "no worker could be called for");
                    summary.failed += 1;
                }
            }
        }
    }
    Ok(())
}

/// Deletes a blob's object and says so to the database; false when the bucket did not.
async fn delete(app: &App, blobs: &Blobs, blob: &DeadBlob) -> Result<bool, Error> {
    if let Err(error) = blobs.delete(&blob.bucket, &blob.object_name).await {
        let error = log::causes(&error);
        tracing::warn!(error, blob_id = %blob.id, "an object could not be deleted");
        return Ok(false);
    }
    app.store().blob_deleted(blob.id).await?;
    Ok(true)
}
