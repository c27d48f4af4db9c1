//! Jobs: calls of tools that wait for a provider, and the pieces they are made of.
//!
//! The row is the truth. Whoever asks for the same work again finds the same row; a worker holds
//! it by a lease, and every write of a worker names the number of its claim (the *fence*), so that
//! one which was believed dead and woke up again changes nothing. What a piece of work cost is
//! kept in the transaction that marks it as done: after a crash only the others are left to do.

mod announcements;
mod outbox;
mod request;
mod work;

use std::time::Duration;

use serde_json::value::RawValue;
use time::OffsetDateTime;
use uuid::Uuid;

pub use self::announcements::Announcements;
use crate::text_enum::text_enum;
use crate::{ArticleId, Error, Tenant, UserId};

/// The channel of the database on which every step of a job is announced, by the job's id.
pub const JOBS_CHANNEL: &str = "nova_jobs";

text_enum! {
    /// How far a job has come.
    pub enum JobState {
        /// No worker has it.
        Queued = "queued",
        /// A worker holds its lease, or died holding it.
        Running = "running",
        /// It has a result.
        Succeeded = "succeeded",
        /// It has an error.
        Failed = "failed",
        /// The user stopped it; what was done stays.
        Cancelled = "cancelled",
    }
}

impl JobState {
    /// Whether nothing more will happen to it.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

text_enum! {
    /// How far a piece of a job has come.
    pub enum ItemState {
        /// Still to be done.
        Pending = "pending",
        /// Done, and what came of it is kept.
        Done = "done",
        /// Given up; the others go on.
        Failed = "failed",
    }
}

/// A job about to be made.
#[derive(Clone, Debug)]
pub struct NewJob<'a> {
    /// A fresh id; also the call id under which it is charged.
    pub id: Uuid,
    /// Which tool.
    pub tool: &'a str,
    /// Which article.
    pub article: ArticleId,
    /// What makes it the same job again: SHA-256 of tool, article, arguments and what it goes by.
    pub dedupe_key: [u8; 32],
    /// The tool's arguments: a JSON object.
    pub arguments: &'a RawValue,
    /// How long the answer of a job that succeeded is given to whoever asks again.
    pub answer_stays: Duration,
    /// How long the problem of one that failed is: it has to be learnt by who stopped waiting
    /// before, and then a further call is a further try.
    pub failure_stays: Duration,
    /// Whether what it does replaces what jobs of this tool did for the article before: then an
    /// answer is given again only while no other of them has ended since.
    pub replaces: bool,
}

/// What became of a request for a job.
#[derive(Clone, Debug)]
pub enum Enqueued {
    /// It is new; the caller charges it in the same transaction.
    Created(Job),
    /// The same was asked for before: it is still being done, or has just ended.
    Attached(Job),
}

/// A job, as whoever waits for it sees it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// Which article.
    pub article: ArticleId,
    /// Which tool.
    pub tool: String,
    /// How far it has come.
    pub state: JobState,
    /// Pieces that are done or were given up.
    pub settled: u64,
    /// Pieces altogether, as far as they are known; 0 before they are listed.
    pub total: u64,
    /// What it is doing, in words.
    pub note: Option<String>,
    /// The tool's answer, once it succeeded.
    pub result: Option<Box<RawValue>>,
    /// The problem document, once it failed.
    pub error: Option<Box<RawValue>>,
    /// The user wants it to stop.
    pub cancel_requested: bool,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

/// A job that a worker holds.
#[derive(Clone, Debug)]
pub struct ClaimedJob {
    /// Its id.
    pub id: Uuid,
    /// On whose behalf to work.
    pub user: UserId,
    /// Which article.
    pub article: ArticleId,
    /// The tool's arguments.
    pub arguments: Box<RawValue>,
    /// The number of this claim, for every write.
    pub fence: i64,
    /// Claims in a row that settled no piece, this one included; those that ended in good order do not
    /// count.
    pub attempts: i64,
    /// The user wants it to stop.
    pub cancel_requested: bool,
}

/// One piece of a job.
#[derive(Clone, Debug)]
pub struct JobItem {
    /// Place in the job's list, from 0.
    pub position: u64,
    /// What it is: a normalised URL, a question, a segment of a video.
    pub key: String,
    /// How far it has come.
    pub state: ItemState,
    /// What the answer needs to know of it, once done.
    pub result: Option<Box<RawValue>>,
    /// Why it was given up.
    pub error: Option<String>,
}

/// What came of one piece.
#[derive(Clone, Copy, Debug)]
pub enum Settled<'a> {
    /// It is done; this is what the answer needs to know.
    Done(&'a RawValue),
    /// It was given up for this reason, in words for the user.
    Failed(&'a str),
}

/// What became of the mark that a piece is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It counts once this transaction commits.
    Kept,
    /// The piece was settled before, and what came of it is kept: this transaction must not be
    /// committed.
    Before,
    /// The claim is not this worker's any more: this transaction must not be committed.
    Lost,
}

/// How a worker lets go of a job.
#[derive(Clone, Copy, Debug)]
pub enum Ended<'a> {
    /// With the tool's answer.
    Succeeded(&'a RawValue),
    /// With a problem document.
    Failed(&'a RawValue),
    /// As the user wished.
    Cancelled,
}

/// What a worker that is still alive learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// The job is still this worker's.
    Held {
        /// The user wants it to stop.
        cancel_requested: bool,
    },
    /// The job was taken over, or is gone; nothing that this worker writes counts any more.
    Lost,
}

const NO_JOB: Error = Error::NotFound { what: "job" };

impl Tenant {
    /// Tells whoever waits, when this transaction commits.
    async fn announce(&mut self, id: Uuid) -> Result<(), Error> {
        let (_, connection) = self.parts();
        sqlx::query!(
            "-- jobs: announce
             SELECT pg_notify($1, $2)",
            JOBS_CHANNEL,
            id.to_string(),
        )
        .fetch_one(connection)
        .await?;
        Ok(())
    }
}
