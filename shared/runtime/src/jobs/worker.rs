//! Does a job: claims it, keeps the claim alive, gets the pieces that are left, ends it.
//!
//! Whatever happens to this process, the row says what is to be done next: the claim ends with its
//! lease, and the next worker goes on with the pieces that are not settled. What is done for each of
//! them is [`piece`].

mod piece;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use nova_store::{
    ArticleStatus, CalledFor, ClaimedJob, Ended, Heartbeat, ItemState, JobItem, Tenant,
};
use serde_json::value::{RawValue, to_raw_value};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{
    Follow, LongTool, Work, backoff::pause, call::ring_for, ledger::Ledger, note::Note, share,
};
use crate::{app::App, bell::Ring, problem::Problem, receipts::Receipts};

/// How long a worker that says nothing is believed alive.
const LEASE: Duration = Duration::from_mins(1);
/// How often it says something, and hears that it was cancelled.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// What is said to whoever waits is written down at most this often.
const NOTES: Duration = Duration::from_secs(1);
/// A worker lets go of its job before Cloud Tasks gives it up, which is after 30 minutes.
const LONGEST_CLAIM: Duration = Duration::from_mins(25);
/// How long it then waits for the pieces that were begun.
const CLAIM_GRACE: Duration = Duration::from_mins(4);
/// The same when the process has to end, for which Cloud Run gives ten seconds.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How long the end of a job waits for the database.
const END_PATIENCE: Duration = Duration::from_secs(20);
/// Claims in a row that settle nothing before a job is given up. One that settles a piece begins a new
/// row: a long job may be interrupted by any number of releases.
const ATTEMPTS: i64 = 5;

/// What became of a call for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There was nothing to do: another has it, or it has ended.
    NotClaimed,
    /// It ended, well or badly.
    Ended,
    /// It is to be tried again after a pause, and nobody was called for that.
    Requeued,
    /// It is to be tried again, and a worker was called for.
    Rung,
    /// Another worker took it over meanwhile.
    Lost,
}

/// Why the work stopped before its end.
enum Stop {
    Cancelled,
    Lost,
    /// This worker has to go; another goes on.
    Rest,
    Problem(Problem),
    /// Another try would not change it.
    Final(Problem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        if problem.is_final() {
            Self::Final(problem)
        } else {
            Self::Problem(problem)
        }
    }
}

impl From<nova_store::Error> for Stop {
    fn from(error: nova_store::Error) -> Self {
        Problem::from(error).into()
    }
}

/// Does the job, if it is to be had.
pub(super) async fn run<T: LongTool>(
    app: &Arc<App>,
    tool: &T,
    id: Uuid,
    follow: Option<&dyn Follow>,
) -> Result<Outcome, Problem> {
    app.require_schema().await?;
    let Some(job) = app.store().claim_job(id, T::NAME, LEASE).await? else {
        return Ok(Outcome::NotClaimed);
    };
    let worker = Worker {
        app,
        tool,
        job: &job,
        follow,
        cancelled: AtomicBool::new(job.cancel_requested),
        resting: AtomicBool::new(false),
        is_further: AtomicBool::new(false),
        ledger: Ledger::default(),
    };
    let (note, notes) = Note::new();
    let done = tokio::select! {
        done = worker.work(note) => done,
        stop = worker.stay_alive(notes) => Err(stop),
        () = worker.rest() => Err(Stop::Rest),
    };
    worker.end(done).await
}

struct Worker<'a, T> {
    app: &'a Arc<App>,
    tool: &'a T,
    job: &'a ClaimedJob,
    follow: Option<&'a dyn Follow>,
    /// No further piece is begun, because the user wants it so.
    cancelled: AtomicBool,
    /// No further piece is begun by this worker.
    resting: AtomicBool,
    /// A piece was settled by this worker.
    is_further: AtomicBool,
    /// Receipts that are not written down yet.
    ledger: Ledger,
}

impl<T: LongTool> Worker<'_, T> {
    /// A transaction of the job's owner, whose moves of the article are recorded as the job's.
    async fn tenant(&self) -> Result<Tenant, Problem> {
        let job = self.job;
        self.app.tenant_in_call(&job.user, T::NAME, job.id).await
    }

    /// Keeps the claim, and says what is being done; returns when it cannot be kept.
    async fn stay_alive(&self, mut notes: watch::Receiver<Option<String>>) -> Stop {
        let mut kept = Instant::now();
        loop {
            tokio::select! {
                () = sleep(HEARTBEAT) => {}
                Ok(()) = notes.changed() => sleep(NOTES).await,
            }
            let note = notes.borrow_and_update().clone();
            match self.beat(note.as_deref()).await {
                Ok(Heartbeat::Lost) => return Stop::Lost,
                Ok(Heartbeat::Held { cancel_requested }) => {
                    kept = Instant::now();
                    self.cancelled.fetch_or(cancel_requested, Ordering::Relaxed);
                }
                // The database is away for a moment. Without it the claim lasts as long as the lease.
                Err(_) if kept.elapsed() + HEARTBEAT < LEASE => {}
                Err(problem) => return problem.into(),
            }
        }
    }

    async fn beat(&self, note: Option<&str>) -> Result<Heartbeat, Problem> {
        let mut tenant = self.app.tenant(&self.job.user).await?;
        let (id, fence) = (self.job.id, self.job.fence);
        let beat = tenant.keep_job(id, fence, LEASE, note).await?;
        tenant.commit().await?;
        Ok(beat)
    }

    /// Begins nothing new once the process is told to stop, or has worked for long; returns when
    /// what was begun cannot be waited for any longer.
    async fn rest(&self) {
        let grace = tokio::select! {
            () = self.app.stopping() => STOP_GRACE,
            () = sleep(LONGEST_CLAIM) => CLAIM_GRACE,
        };
        self.resting.store(true, Ordering::Relaxed);
        sleep(grace).await;
    }

    fn begins_nothing(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || self.resting.load(Ordering::Relaxed)
    }

    /// Stops a worker that rests: what it begins now may be cut off when it is paid for, and another
    /// begins it anew.
    fn is_on_duty(&self) -> Result<(), Stop> {
        if self.resting.load(Ordering::Relaxed) {
            return Err(Stop::Rest);
        }
        Ok(())
    }

    /// Claims in a row, this one included, that settled nothing.
    fn in_vain(&self) -> i64 {
        if self.is_further.load(Ordering::Relaxed) {
            0
        } else {
            self.job.attempts
        }
    }

    /// What whoever follows in this process says.
    async fn may_go_on(&self) -> bool {
        let Some(follow) = self.follow else {
            return true;
        };
        let may = follow.may_go_on().await;
        self.cancelled.fetch_or(!may, Ordering::Relaxed);
        may
    }

    async fn work(&self, note: Note) -> Result<Box<RawValue>, Stop> {
        if self.job.attempts > ATTEMPTS {
            let tried = format!("worker died {ATTEMPTS} times in a row and got no further");
            return Err(Problem::internal(tried).into());
        }
        let (arguments, share) = share::read(&self.job.arguments);
        let arguments = serde_json::from_str(arguments).map_err(Problem::internal)?;
        let work = self.load(arguments, note).await?;
        let keys = self.tool.pieces(&work).await?;
        let keys = match &share {
            Some(share) => share.take(keys),
            None => keys,
        };
        let mut tenant = self.tenant().await?;
        let planned = tenant.plan_job(self.job.id, self.job.fence, &keys).await?;
        tenant.commit().await?;
        let mut pieces = planned.ok_or(Stop::Lost)?;
        // In rounds, because pieces may come of pieces.
        while pieces.iter().any(|piece| piece.state == ItemState::Pending) {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(Stop::Cancelled);
            }
            self.is_on_duty()?;
            pieces = self.round(&work, pieces).await?;
        }
        let answer = self.tool.answer(&work, &pieces)?;
        Ok(to_raw_value(&answer).map_err(Problem::internal)?)
    }

    /// Gets the pieces that are left, as long as any may be begun; gives all there are then.
    async fn round(
        &self,
        work: &Work<T::Arguments>,
        pieces: Vec<JobItem>,
    ) -> Result<Vec<JobItem>, Stop> {
        stream::iter(pieces)
            .filter(|piece| std::future::ready(piece.state == ItemState::Pending))
            .map(|piece| self.piece(work, piece))
            .buffer_unordered(self.tool.at_once(&work.arguments))
            // When one of them says that none can be had, those that are being fetched are paid for
            // all the same: they are waited for and kept, and no other is begun.
            .fold(Ok(()), |first: Result<(), Stop>, done| {
                if done.is_err() {
                    self.resting.store(true, Ordering::Relaxed);
                }
                std::future::ready(first.and(done))
            })
            .await?;
        let mut tenant = self.tenant().await?;
        Ok(tenant.job_items(self.job.id).await?)
    }

    async fn load(
        &self,
        arguments: T::Arguments,
        note: Note,
    ) -> Result<Work<T::Arguments>, Problem> {
        let mut tenant = self.tenant().await?;
        let article = tenant.article(self.job.article).await?;
        drop(tenant);
        Ok(Work {
            app: Arc::clone(self.app),
            article,
            user: self.job.user.clone(),
            job_id: self.job.id,
            arguments,
            note,
        })
    }

    async fn keep_calls(
        &self,
        tenant: &mut Tenant,
        position: u64,
        receipts: &Receipts,
    ) -> Result<(), Problem> {
        let called_for = CalledFor {
            article: self.job.article,
            job: self.job.id,
            tool: T::NAME,
            position,
        };
        Ok(tenant.keep_calls(called_for, &receipts.all()).await?)
    }

    /// A transaction for the end of the job, also when the database is away for a moment: the job
    /// would lie there until the claim has run out. It has the receipts of what is not settled.
    async fn last_tenant(&self) -> Result<Tenant, Problem> {
        let deadline = Instant::now() + END_PATIENCE;
        let mut tenant = loop {
            match self.tenant().await {
                Err(problem) if problem.is_our_fault() && Instant::now() < deadline => {
                    sleep(Duration::from_millis(500)).await;
                }
                opened => break opened?,
            }
        };
        for (position, receipts) in self.ledger.left() {
            self.keep_calls(&mut tenant, position, &receipts).await?;
        }
        Ok(tenant)
    }

    /// Writes down how it ended.
    async fn end(&self, done: Result<Box<RawValue>, Stop>) -> Result<Outcome, Problem> {
        let (id, fence) = (self.job.id, self.job.fence);
        let mut tenant = self.last_tenant().await?;
        let ended = match done {
            Ok(answer) => tenant.end_job(id, fence, Ended::Succeeded(&answer)).await?,
            // The work is another's; what was paid in this worker's name was paid all the same.
            Err(Stop::Lost) => false,
            Err(Stop::Cancelled) => tenant.end_job(id, fence, Ended::Cancelled).await?,
            Err(Stop::Rest) => return self.put_off(tenant, Duration::ZERO, false).await,
            Err(Stop::Problem(problem)) if problem.is_our_fault() && self.in_vain() < ATTEMPTS => {
                tracing::warn!(job_id = %id, tool = T::NAME, error = ?problem, "a job is put off");
                let tries = u32::try_from(self.in_vain() - 1).unwrap_or_default();
                let wait = pause(tries, Duration::from_secs(5), Duration::from_mins(5));
                return self.put_off(tenant, wait, true).await;
            }
            Err(Stop::Problem(problem) | Stop::Final(problem)) => {
                tracing::error!(job_id = %id, tool = T::NAME, error = ?problem, "a job failed");
                let document = problem.document(&id.simple().to_string());
                let document = to_raw_value(&document).map_err(Problem::internal)?;
                let ended = tenant.end_job(id, fence, Ended::Failed(&document)).await?;
                if ended && problem.is_our_fault() {
                    let (_, share) = share::read(&self.job.arguments);
                    let charged = share.map_or(id, |share| share.call_id);
                    tenant.refund(charged, "failed by our fault").await?;
                    // Whatever is called next moves it on; what was completed stays so.
                    let article = self.job.article;
                    tenant.advance(article, ArticleStatus::Failed).await?;
                }
                ended
            }
        };
        tenant.commit().await?;
        Ok(if ended { Outcome::Ended } else { Outcome::Lost })
    }

    /// Puts the job back into the queue and calls for the next worker.
    async fn put_off(
        &self,
        mut tenant: Tenant,
        wait: Duration,
        counts: bool,
    ) -> Result<Outcome, Problem> {
        let (id, fence) = (self.job.id, self.job.fence);
        let requeued = tenant.requeue_job(id, fence, wait, counts).await?;
        tenant.commit().await?;
        if !requeued {
            return Ok(Outcome::Lost);
        }
        let ring = Ring {
            tool: T::NAME,
            job: id,
            nth: &fence.to_string(),
            after: wait,
        };
        Ok(if ring_for(self.app, &self.job.user, &ring).await {
            Outcome::Rung
        } else {
            Outcome::Requeued
        })
    }
}
