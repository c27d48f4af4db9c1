//! Where a database stands, and how it got there.

use futures_util::future::BoxFuture;

use super::error::Error;
use super::history::{self, Record, State};
use super::{Migration, Migrator, close, plan, session};

/// Where a database stands beside this build.
#[derive(Debug, Clone)]
pub struct Status {
    /// The newest version that the database has completely; 0 for an empty one.
    pub version: i32,
    /// The newest version that this build knows.
    pub head: i32,
    /// What `up` would run.
    pub pending: Vec<Migration>,
    /// What an earlier run left half done; `up` finishes it.
    pub unfinished: Vec<Record>,
    /// What a newer build brought.
    pub newer: Vec<Record>,
}

impl Migrator {
    /// Says where the database stands; fails when its history does not fit this build.
    pub fn status(&self) -> BoxFuture<'_, Result<Status, Error>> {
        Box::pin(async move {
            let migrations = Migration::list(&self.sources)?;
            let history = self.history().await?;
            let plan = plan::up(&migrations, &history, None, false)?;
            Ok(Status {
                version: plan.found,
                head: migrations.last().map_or(0, |migration| migration.version),
                pending: plan
                    .steps
                    .iter()
                    .map(|step| step.migration.clone())
                    .collect(),
                unfinished: history
                    .into_iter()
                    .filter(|record| record.state != State::Applied)
                    .collect(),
                newer: plan.newer,
            })
        })
    }

    /// Lists what the database remembers, oldest first.
    pub fn history(&self) -> BoxFuture<'_, Result<Vec<Record>, Error>> {
        Box::pin(async move {
            let mut connection = session::open(&self.settings).await?;
            let history = history::read(&mut connection).await;
            close(connection).await;
            history
        })
    }
}
