//! Loads of a day's file into BigQuery: one that succeeds for each content it had.
//!
//! A load's name is made of the day and of what is loaded where, so that every run asks for the same
//! one, and BigQuery, which takes a name once, tells them what became of it. A load that failed keeps
//! its name; the next try has the next number.

use std::time::{Duration, Instant};

use nova_blobs::Object;
use nova_providers::{
    ProviderError,
    bigquery::{BigQuery, JobError, JobState, Load},
};
use nova_runtime::{hex, sha256};
use time::Date;
use tokio::time::sleep;

use crate::rows::TABLE;

/// Loads of megabytes take seconds, and wait for minutes where many do.
const PATIENCE: Duration = Duration::from_mins(10);
const FIRST_LOOK: Duration = Duration::from_millis(250);
const LAST_LOOK: Duration = Duration::from_secs(10);
/// Loads of one file that one run begins, where they fail for reasons that pass.
const TRIES: u32 = 3;

/// Why a file is not in the table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// It is not known whether it is.
    #[error("BigQuery could not be asked about the load {name}. {}", advice(.source))]
    Unknown {
        name: String,
        #[source]
        source: ProviderError,
    },
    /// The load is still at work.
    #[error("the load {name} is not done after {PATIENCE:?}; the next run looks after it")]
    Late { name: String },
    /// The load failed.
    #[error("the load {name} failed. {}", remedy(.source))]
    Failed {
        name: String,
        #[source]
        source: JobError,
    },
}

/// What to do about a load that failed.
fn remedy(error: &JobError) -> &'static str {
    match error.reason.as_str() {
        "invalid" => {
            "If its table has other columns than this release writes, rename it: the next run makes it anew"
        }
        "notFound" => {
            "The file or the dataset is gone: see that BLOB_BUCKET and BQ_DATASET_ID name what is there"
        }
        "accessDenied" => {
            "The job's account needs bigquery.dataEditor on the dataset and must be able to read the bucket"
        }
        "quotaExceeded" => {
            "A quota of the project is used up: the next run tries again, or raise it"
        }
        _ => "The next run tries again",
    }
}

/// What to do where BigQuery does not answer as it should.
pub(crate) fn advice(error: &ProviderError) -> String {
    match error {
        ProviderError::Credentials { setting, .. } => format!("Look after {setting}"),
        _ => "The next run asks again".to_owned(),
    }
}

/// A file that may be loaded.
pub(crate) struct Loads<'a> {
    bigquery: &'a BigQuery,
    location: &'a str,
    /// `YYYYMMDD`
    day: String,
    source: String,
    name: String,
}

impl<'a> Loads<'a> {
    /// Those of an object of a bucket, as it is now.
    pub(crate) fn new(
        bigquery: &'a BigQuery,
        location: &'a str,
        bucket: &str,
        object: &Object,
        day: Date,
    ) -> Self {
        let (year, month, date) = day.to_calendar_date();
        let day = format!("{year:04}{:02}{date:02}", u8::from(month));
        let source = format!("gs://{bucket}/{}", object.name);
        let what = format!("{source}#{} {}", object.generation, bigquery.dataset());
        let name = format!("nova_usage_{day}_{}", hex(sha256(what).iter().take(8)));
        Self {
            bigquery,
            location,
            day,
            source,
            name,
        }
    }

    /// Sees that one of them has succeeded; tells how many rows it brought, or `None` where that was
    /// so before.
    pub(crate) async fn ensure(&self) -> Result<Option<u64>, LoadError> {
        let (mut number, mut begun) = (1, 0);
        loop {
            let name = self.numbered(number);
            let found = self.state(&name).await?;
            if matches!(found, Some(JobState::Done { .. })) {
                return Ok(None);
            }
            if found.is_none() {
                self.begin(&name).await?;
                begun += 1;
            }
            match self.end_of(&name).await? {
                Ok(rows) => return Ok(Some(rows)),
                // It is of a run before, and its reason may be gone.
                Err(_) if found.is_some() => {}
                Err(error) if error.is_passing() && begun < TRIES => {
                    tracing::warn!(%error, name, "a load is begun anew");
                }
                Err(source) => return Err(LoadError::Failed { name, source }),
            }
            number += 1;
        }
    }

    /// Waits until none of them is at work: it would put an older content in the place of the one that
    /// is about to come.
    pub(crate) async fn settle(&self) -> Result<(), LoadError> {
        let mut number = 1;
        while self.state(&self.numbered(number)).await?.is_some() {
            // How it ends makes no difference.
            drop(self.end_of(&self.numbered(number)).await?);
            number += 1;
        }
        Ok(())
    }

    fn numbered(&self, number: u32) -> String {
        format!("{}_{number}", self.name)
    }

    async fn begin(&self, name: &str) -> Result<(), LoadError> {
        let load = Load {
            source: &self.source,
            table: &TABLE,
            day: &self.day,
        };
        let begun = self.bigquery.load(name, self.location, load).await;
        begun.map_err(|source| unknown(name, source))
    }

    async fn state(&self, name: &str) -> Result<Option<JobState>, LoadError> {
        let state = self.bigquery.job(name, self.location).await;
        state.map_err(|source| unknown(name, source))
    }

    /// How a load ends: with so many rows, or why not.
    async fn end_of(&self, name: &str) -> Result<Result<u64, JobError>, LoadError> {
        let end = Instant::now() + PATIENCE;
        let mut pause = FIRST_LOOK;
        loop {
            match self.state(name).await? {
                Some(JobState::Done { rows }) => return Ok(Ok(rows)),
                Some(JobState::Failed(error)) => return Ok(Err(error)),
                // What was just begun may take a moment to be known everywhere.
                Some(JobState::Running) | None if Instant::now() + pause < end => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LAST_LOOK);
                }
                Some(JobState::Running) | None => {
                    let name = name.to_owned();
                    return Err(LoadError::Late { name });
                }
            }
        }
    }
}

fn unknown(name: &str, source: ProviderError) -> LoadError {
    LoadError::Unknown {
        name: name.to_owned(),
        source,
    }
}
