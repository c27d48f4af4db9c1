//! Scheduled jobs: what Cloud Scheduler is in the cloud. Of the two there are, `sweep` is of use here.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result};
use nova_blobs::Blobs;
use nova_runtime::{App, Config, Environment};
use tokio::{task::JoinHandle, time::sleep};

use crate::manifest::Manifest;

const JOB: &str = "sweep";

/// Sweeps until it is stopped.
pub(crate) struct Scheduler {
    sweeps: JoinHandle<()>,
}

impl Scheduler {
    /// Sweeps as often as the manifest says, with the settings that the job would have.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, or the schedule is of a kind that is not known here.
    pub(crate) fn start(manifest: &Manifest, settings: BTreeMap<String, String>) -> Result<Self> {
        let job = manifest.jobs.get(JOB);
        let schedule = job.and_then(|job| job.schedule.as_deref());
        Self::start_every(every(schedule.unwrap_or_default())?, settings)
    }

    fn start_every(every: Duration, settings: BTreeMap<String, String>) -> Result<Self> {
        let environment = settings
            .into_iter()
            .fold(Environment::default(), |all, (name, value)| {
                all.with(&name, value)
            });
        let app = App::new(JOB, Config::read(&environment)?).context(JOB)?;
        let blobs = Blobs::from_app(&app).context(JOB)?;
        let sweeps = tokio::spawn(async move {
            loop {
                sleep(every).await;
                match sweep::sweep(&app, &blobs, sweep::BUDGET).await {
                    Ok(summary) => tracing::debug!(?summary, "swept"),
                    Err(error) => tracing::warn!(%error, "the next sweep tries again"),
                }
            }
        });
        Ok(Self { sweeps })
    }

    /// One that is cut off is succeeded by the first of the next run.
    pub(crate) async fn stop(self) {
        self.sweeps.abort();
        drop(self.sweeps.await);
    }
}

/// `*/5 * * * *`: the only kind of schedule that there is so far.
fn every(schedule: &str) -> Result<Duration> {
    let minutes = schedule
        .strip_prefix("*/")
        .and_then(|rest| rest.strip_suffix(" * * * *"))
        .and_then(|minutes| minutes.parse().ok());
    let minutes =
        minutes.with_context(|| format!("the schedule {schedule:?} is not understood"))?;
    Ok(Duration::from_mins(minutes))
}

#[cfg(test)]
mod tests {
    use nova_blobs::{Upload, whole};
    use nova_runtime::{http_client::HttpClient, tokens::TokenSource};
    use nova_store::{Purpose, Store, UserId};
    use nova_testkit::{
        objects::{self, ObjectStore},
        postgres::Postgres,
    };

    use super::*;
    use crate::{database::as_sweeper, local::BUCKET};

    #[test]
    fn the_schedule_of_the_manifest_is_understood() {
        let manifest = Manifest::of_this_build().unwrap();
        let schedule = manifest.jobs[JOB].schedule.as_deref().unwrap();
        assert_eq!(every(schedule).unwrap(), Duration::from_mins(5));
        assert!(every("0 3 * * *").is_err());
    }

    #[tokio::test]
    async fn what_nothing_refers_to_is_deleted_in_every_round() {
        let server = Postgres::shared().await;
        let database = server.database("nova", crate::migrated).await;
        let objects = ObjectStore::start(objects::Config::default())
            .await
            .unwrap();
        let settings = [
            ("DATABASE_URL", as_sweeper(&database.url)),
            ("STORAGE_EMULATOR_HOST", objects.url.clone()),
            ("BLOB_BUCKET", BUCKET.to_owned()),
        ];
        let settings = settings
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        let scheduler = Scheduler::start_every(Duration::from_millis(50), settings).unwrap();
        let blobs = Blobs::open(
            nova_blobs::Settings::new(BUCKET, Some(objects.url.parse().unwrap())),
            HttpClient::new(),
            TokenSource::anonymous(),
            Store::new(database.pool_as("upload@nova.local")),
        );
        let alice: UserId = "alice".parse().unwrap();
        for round in 0..2 {
            let upload = Upload::new(Purpose::Guideline, "text/markdown");
            let written = blobs.write(&alice, upload, whole("# Never committed"), 100);
            written.await.unwrap();
            assert_eq!(objects.objects(BUCKET).len(), 1);
            sqlx::query("UPDATE blobs SET sweep_at = now()")
                .execute(&database.pool())
                .await
                .unwrap();
            for _ in 0..500 {
                if objects.objects(BUCKET).is_empty() {
                    break;
                }
                sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(objects.objects(BUCKET).len(), 0, "round {round}");
        }
        scheduler.stop().await;
    }
}
