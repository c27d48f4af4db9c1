//! The job bell: what Cloud Tasks and the scheduled `sweep` are in the cloud.
//!
//! It watches the jobs, as a sweeper does and with a sweeper's rights, and calls the function of
//! each that is due and that nobody holds: new ones and those whose pause is over, at once, and
//! those whose worker died as soon as the lease ends. As from Cloud Tasks, a call that fails is made
//! again for a while, and each carries a token of the one account that may call.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use futures_util::future::BoxFuture;
use http::StatusCode;
use nova_runtime::{App, Config, Environment};
use nova_store::{Announcements, Store};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use uuid::Uuid;

use crate::database::as_sweeper;

/// In whose name it calls.
pub(crate) const ACCOUNT: &str = "bell@nova.local";
/// Steps that are announced within this time are looked at together.
const GATHER: Duration = Duration::from_millis(10);
/// How often it looks although nothing was announced: pauses and leases end in silence.
const LOOK: Duration = Duration::from_millis(500);
/// Jobs that are called for in one go.
const AT_ONCE: u32 = 100;
/// How often a call is made that fails, and the pause between two.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_secs(1);

/// Calls the function of a tool to do a job, and waits until it is done with it.
pub(crate) type Ring = Arc<dyn Fn(String, Uuid) -> BoxFuture<'static, StatusCode> + Send + Sync>;

/// A bell that rings until it is stopped.
pub(crate) struct Bell {
    watch: JoinHandle<()>,
}

impl Bell {
    /// Begins to watch the database at this address, an administrator's.
    ///
    /// # Errors
    ///
    /// When that is no address of a database.
    pub(crate) fn start(database_url: &str, ring: Ring) -> Result<Self> {
        let app = app(database_url)?;
        let watch = tokio::spawn(async move { watch(app.store(), &ring).await });
        Ok(Self { watch })
    }

    /// Calls nobody any more. Calls under way are not waited for: whoever was called works on.
    pub(crate) async fn stop(self) {
        self.watch.abort();
        drop(self.watch.await);
    }
}

/// The database with the rights of a sweeper, and no more.
fn app(database_url: &str) -> Result<Arc<App>> {
    let url = as_sweeper(database_url);
    let config = Config::read(&Environment::from([("DATABASE_URL", url.as_str())]))?;
    App::new("bell", config).context("the bell")
}

async fn watch(store: &Store, ring: &Ring) {
    let mut announcements = None;
    // They end with this future.
    let mut calls = JoinSet::new();
    loop {
        // Listening first: what is committed after the look that follows is heard.
        if announcements.is_none() {
            announcements = store.announcements().await.ok();
        }
        match store.jobs_to_ring(Duration::ZERO, AT_ONCE).await {
            Ok(jobs) => {
                for (id, tool) in jobs {
                    calls.spawn(call(Arc::clone(ring), tool, id));
                }
            }
            Err(error) => tracing::debug!(?error, "the jobs cannot be looked at"),
        }
        while calls.try_join_next().is_some() {}
        tokio::select! {
            heard = hear(&mut announcements) => if !heard {
                announcements = None;
                sleep(LOOK).await;
            },
            () = sleep(LOOK) => {}
        }
    }
}

/// Returns when something was announced, with all that comes with it; false when nothing can be
/// heard any more.
async fn hear(announcements: &mut Option<Announcements>) -> bool {
    let Some(announcements) = announcements else {
        return false;
    };
    let heard = announcements.hear().await;
    sleep(GATHER).await;
    while let Ok(Ok(_)) = tokio::time::timeout(Duration::ZERO, announcements.hear()).await {}
    heard.is_ok()
}

async fn call(ring: Ring, tool: String, id: Uuid) {
    for _ in 0..TRIES {
        let status = ring(tool.clone(), id).await;
        if !status.is_server_error() {
            if !status.is_success() {
                tracing::warn!(%status, tool, job_id = %id, "nobody does this job");
            }
            return;
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests;
