//! A run: day by day, the newest first.

use std::time::{Duration, Instant};

use nova_blobs::{Blobs, Checksum, Error as BlobError, Object, checksum};
use nova_providers::{ProviderError, bigquery::BigQuery};
use nova_runtime::log;
use nova_store::Store;
use time::Date;

use crate::{
    file::file,
    loads::{LoadError, Loads},
    rows::Pseudonyms,
};

/// BigQuery loads no larger one that is packed, and a day is far from it.
const LARGEST_FILE_BYTES: u64 = 4_000_000_000;

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    /// Days that were loaded.
    pub(crate) loaded: u64,
    /// Their rows.
    pub(crate) rows: u64,
    /// Days that are in BigQuery as they are.
    pub(crate) unchanged: u64,
    /// Days that are left to the next run.
    pub(crate) failed: u64,
}

/// Why a day could not be exported.
#[derive(Debug, thiserror::Error)]
enum DayError {
    #[error("the rows cannot be read")]
    Rows(#[from] nova_store::Error),
    #[error("the file cannot be written")]
    File(#[from] BlobError),
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// From where to where.
pub(crate) struct Export {
    store: Store,
    blobs: Blobs,
    bigquery: BigQuery,
    pseudonyms: Pseudonyms,
}

impl Export {
    pub(crate) const fn new(
        store: Store,
        blobs: Blobs,
        bigquery: BigQuery,
        pseudonyms: Pseudonyms,
    ) -> Self {
        Self {
            store,
            blobs,
            bigquery,
            pseudonyms,
        }
    }

    /// Where the dataset is; `None` when it is not there.
    pub(crate) async fn location(&self) -> Result<Option<String>, ProviderError> {
        self.bigquery.location().await
    }

    /// Exports the days before today that have changed. A day that fails does not hold up the others.
    pub(crate) async fn run(
        &self,
        location: &str,
        today: Date,
        days: u16,
        budget: Duration,
    ) -> Summary {
        let end = Instant::now() + budget;
        let mut summary = Summary::default();
        for before in 1..=i64::from(days) {
            let day = today - time::Duration::days(before);
            if Instant::now() >= end {
                tracing::warn!(%day, "the time is over; this day and those before it wait");
                summary.failed += 1;
                break;
            }
            match self.export(location, day).await {
                Ok(Done::Nothing) => {}
                Ok(Done::Unchanged) => summary.unchanged += 1,
                Ok(Done::Loaded { rows }) => {
                    tracing::info!(%day, rows, "a day was loaded");
                    summary.loaded += 1;
                    summary.rows += rows;
                }
                Err(error) => {
                    let error = log::causes(&error);
                    tracing::error!(error, %day, "a day could not be exported");
                    summary.failed += 1;
                }
            }
        }
        summary
    }

    async fn export(&self, location: &str, day: Date) -> Result<Done, DayError> {
        let name = file_name(day);
        let seen = match self.blobs.stat(self.blobs.bucket(), &name).await {
            Ok(object) => Some(object),
            Err(BlobError::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        // Days before there was anybody leave nothing behind. One that had calls and has none any more does.
        if seen.is_none() && self.store.usage_of_day(day, None, 1).await?.is_empty() {
            return Ok(Done::Nothing);
        }
        let loads =
            |of: &Object| Loads::new(&self.bigquery, location, self.blobs.bucket(), of, day);
        let new = || file(&self.store, &self.pseudonyms, day);
        let is_current = match &seen {
            Some(object) => Checksum::from(object) == checksum(new()).await?,
            None => false,
        };
        let object = match seen {
            Some(object) if is_current => object,
            seen => {
                if let Some(old) = &seen {
                    loads(old).settle().await?;
                }
                let replaced = self.blobs.replace(
                    &name,
                    "application/gzip",
                    seen.as_ref(),
                    new(),
                    LARGEST_FILE_BYTES,
                );
                replaced.await?
            }
        };
        Ok(match loads(&object).ensure().await? {
            Some(rows) => Done::Loaded { rows },
            None => Done::Unchanged,
        })
    }
}

/// What became of a day.
enum Done {
    /// It has no rows.
    Nothing,
    Unchanged,
    Loaded {
        rows: u64,
    },
}

/// Where the file of a day is in the bucket.
pub fn file_name(day: Date) -> String {
    let (year, month, date) = day.to_calendar_date();
    let month = u8::from(month);
    format!("exports/usage/day={year:04}-{month:02}-{date:02}/part-0000.ndjson.gz")
}
