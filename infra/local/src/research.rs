//! `make research`: the job `research` on this machine, for one guideline.
//!
//! Where the local cloud runs, the job stands beside it, as a Cloud Run job beside the services; where
//! it does not, the database and the object store are there for the job alone.

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, Result};
use nova_runtime::Environment;
use nova_testkit::{
    objects::{self, ObjectStore},
    postgres::{Cluster, Stop},
};

use crate::{
    command::start_cluster,
    database::{DATABASE, as_family, migrated},
    local::BUCKET,
    manifest::Manifest,
    state::State,
};

const JOB: &str = "research";

/// Runs the job with its own arguments; gives its exit code.
///
/// # Errors
///
/// When the database or the object store cannot be started.
pub(crate) async fn run(
    environment: Environment,
    state: &Path,
    arguments: Vec<String>,
) -> Result<ExitCode> {
    if arguments.iter().any(|it| it == "--help" || it == "-h") {
        return Ok(research::main(arguments, environment).await);
    }
    let state = State::open(state)?;
    if let Ok(running) = state.running() {
        let environment = environment.with("SERVER_URL", running.server_url);
        let environment = beside(environment, &running.database_url, &running.objects)?;
        return Ok(research::main(arguments, environment).await);
    }
    let lock = state.lock()?;
    let mut cluster = start_cluster(&state).await?;
    let exit = alone(environment, &state, &cluster, arguments).await;
    cluster.stop(Stop::Fast).await?;
    drop(lock);
    exit
}

async fn alone(
    environment: Environment,
    state: &State,
    cluster: &Cluster,
    arguments: Vec<String>,
) -> Result<ExitCode> {
    let database_url = cluster.url("postgres", DATABASE);
    migrated(database_url.clone()).await?;
    let objects = objects::Config {
        directory: Some(state.objects()),
        ..objects::Config::default()
    };
    let objects = ObjectStore::start(objects).await?;
    let environment = beside(environment, &database_url, &objects.url)?;
    Ok(research::main(arguments, environment).await)
}

/// The job's settings: what leads it to the rows, with the rights of its family, and to the files.
fn beside(environment: Environment, database_url: &str, objects_url: &str) -> Result<Environment> {
    let manifest = Manifest::of_this_build()?;
    let family = manifest.jobs.get(JOB).and_then(|job| job.database.clone());
    let family = family.context("the manifest has no job of this name")?;
    Ok(environment
        .with("DATABASE_URL", as_family(database_url, &family))
        .with("STORAGE_EMULATOR_HOST", objects_url)
        .with("BLOB_BUCKET", BUCKET))
}
