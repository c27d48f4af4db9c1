//! One piece of a job: fetched, with some patience, and kept at once.

use std::{panic::AssertUnwindSafe, sync::atomic::Ordering, time::Duration};

use futures_util::FutureExt as _;
use nova_store::{JobItem, Settled, Settlement};
use serde_json::value::to_raw_value;
use tokio::time::{Instant, sleep};

use super::{Stop, Worker};
use crate::{
    jobs::{
        Failure, LongTool, Work,
        backoff::{is_tried_again, pause},
    },
    problem::Problem,
    receipts::Receipts,
};

/// How often what was fetched is tried to be kept while the database is away: for some minutes.
const KEPT_TRIES: u32 = 60;

impl<T: LongTool> Worker<'_, T> {
    /// Gets a piece, unless none is to be begun any more.
    pub(super) async fn piece(
        &self,
        work: &Work<T::Arguments>,
        piece: JobItem,
    ) -> Result<(), Stop> {
        if self.begins_nothing() || !self.may_go_on().await {
            return Ok(());
        }
        let receipts = self.ledger.open(piece.position);
        let fetched = self.fetch(work, &piece.key, &receipts).await?;
        let mut tries = 0;
        loop {
            match self.keep(work, &piece, &fetched, &receipts).await {
                // It is paid for: it is kept as soon as the database is back, unless another
                // worker has the job by then, which `stay_alive` notices. What the database refuses
                // it refuses again.
                Err(problem)
                    if problem.is_our_fault() && !problem.is_final() && tries < KEPT_TRIES =>
                {
                    tracing::warn!(error = ?problem, "what was fetched is not kept yet");
                    sleep(pause(
                        tries,
                        Duration::from_millis(200),
                        Duration::from_secs(5),
                    ))
                    .await;
                    tries += 1;
                }
                // Also when it was settled before: by this loop, whose commit went through though
                // its answer was lost.
                Ok(Settlement::Kept | Settlement::Before) => {
                    self.ledger.close(piece.position);
                    return Ok(());
                }
                Ok(Settlement::Lost) => return Err(Stop::Lost),
                Err(problem) => return Err(problem.into()),
            }
        }
    }

    /// What the provider gave, or why the piece is given up.
    async fn fetch(
        &self,
        work: &Work<T::Arguments>,
        key: &str,
        receipts: &Receipts,
    ) -> Result<Result<T::Paid, String>, Stop> {
        let (begun, mut tries) = (Instant::now(), 0);
        loop {
            let fetch = AssertUnwindSafe(self.tool.fetch(work, key, receipts)).catch_unwind();
            let failure = match fetch.await {
                Ok(Ok(paid)) => return Ok(Ok(paid)),
                Ok(Err(failure)) => failure,
                Err(panic) => {
                    let problem = Problem::panicked(&*panic);
                    tracing::error!(error = ?problem, tool = T::NAME, key, "a piece failed by our fault");
                    Failure::Never("failed on our side".to_owned())
                }
            };
            tries += 1;
            match failure {
                Failure::Job(problem) => return Err(problem.into()),
                Failure::Settings(problem) => return Err(Stop::Final(problem)),
                Failure::Never(reason) => return Ok(Err(reason)),
                Failure::Again { reason, after } => {
                    let wait = after.unwrap_or_else(|| {
                        pause(tries - 1, Duration::from_secs(1), Duration::from_secs(30))
                    });
                    let cancelled = self.cancelled.load(Ordering::Relaxed);
                    if cancelled || !is_tried_again(tries, begun.elapsed(), wait) {
                        return Ok(Err(format!("{reason} (tried {tries} times)")));
                    }
                    self.is_on_duty()?;
                    sleep(wait).await;
                    self.is_on_duty()?;
                }
            }
        }
    }

    /// Keeps what came of a piece and its receipts, with the mark that it is settled; nothing is
    /// kept where the mark could not be made.
    async fn keep(
        &self,
        work: &Work<T::Arguments>,
        piece: &JobItem,
        fetched: &Result<T::Paid, String>,
        receipts: &Receipts,
    ) -> Result<Settlement, Problem> {
        let (id, fence) = (self.job.id, self.job.fence);
        let mut tenant = self.tenant().await?;
        let settlement = match fetched {
            Ok(paid) => {
                let result = self.tool.keep(work, &mut tenant, piece, paid).await?;
                let result = to_raw_value(&result).map_err(Problem::internal)?;
                let further = self.tool.further(piece, paid);
                if !further.is_empty() && !tenant.extend_job(id, fence, &further).await? {
                    return Ok(Settlement::Lost);
                }
                let settled = Settled::Done(&result);
                tenant.settle_item(id, fence, &piece.key, settled).await?
            }
            Err(reason) => {
                let settled = Settled::Failed(reason);
                tenant.settle_item(id, fence, &piece.key, settled).await?
            }
        };
        if settlement == Settlement::Kept {
            self.keep_calls(&mut tenant, piece.position, receipts)
                .await?;
            tenant.commit().await?;
            self.is_further.store(true, Ordering::Relaxed);
        }
        Ok(settlement)
    }
}
