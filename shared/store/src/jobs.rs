//! Jobs: calls of tools that wait for a provider, and the pieces they are made of.
//!
//! The row is the truth. Whoever asks for the same work again finds the same row; a worker holds
//! it by a lease, and every write of a worker names the number of its claim (the *fence*), so that
//! one which was believed dead and woke up again changes nothing. What a piece of work cost is
//! kept in the transaction that marks it as done: after a crash only the others are left to do.

use std::time::Duration;

use serde_json::value::RawValue;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::tenant::watch;
use crate::text_enum::text_enum;
use crate::{Answer, ArticleId, Error, Store, Tenant, UserId};

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
    /// Pieces altogether; 0 while that is not known.
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
    /// Claims so far, this one included, without those that ended in good order.
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

/// A column row of what [`Job`] is made of; one place for the conversion.
struct Row {
    id: Uuid,
    article_id: ArticleId,
    tool: String,
    state: JobState,
    settled: i64,
    total: i64,
    note: Option<String>,
    result: Option<Json<Box<RawValue>>>,
    error: Option<Json<Box<RawValue>>>,
    cancel_requested: bool,
    created_at: OffsetDateTime,
    finished_at: Option<OffsetDateTime>,
}

impl From<Row> for Job {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            article: row.article_id,
            tool: row.tool,
            state: row.state,
            settled: row.settled.try_into().unwrap_or_default(),
            total: row.total.try_into().unwrap_or_default(),
            note: row.note,
            result: row.result.map(|json| json.0),
            error: row.error.map(|json| json.0),
            cancel_requested: row.cancel_requested,
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}

const NO_JOB: Error = Error::NotFound { what: "job" };

impl Tenant {
    /// Makes a job, or finds the one that does the same: a live one, or one whose end is still told.
    /// However many ask at once, one job is made.
    ///
    /// # Errors
    /// [`Error::Conflict`] when there is no such article (its row is what a job hangs on).
    pub fn enqueue_job<'a>(&'a mut self, job: &'a NewJob<'a>) -> Answer<'a, Enqueued> {
        watch(self.broken(), async move {
            if let Some(found) = self.same_job(job).await? {
                return Ok(Enqueued::Attached(found));
            }
            let (user, connection) = self.parts();
            // Waits for the end of a transaction that makes the same job at this moment.
            let made = sqlx::query_scalar!(
                "-- jobs: enqueue
                 INSERT INTO jobs (id, user_id, article_id, tool, dedupe_key, arguments)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (user_id, dedupe_key) WHERE state IN ('queued', 'running') DO NOTHING
                 RETURNING id",
                job.id,
                user,
                job.article,
                job.tool,
                &job.dedupe_key,
                Json(job.arguments) as _,
            )
            .fetch_optional(connection)
            .await?;
            if made.is_some() {
                self.announce(job.id).await?;
                return Ok(Enqueued::Created(self.job_row(job.id).await?));
            }
            let found = self.same_job(job).await?;
            found.map(Enqueued::Attached).ok_or(NO_JOB)
        })
    }

    async fn same_job(&mut self, job: &NewJob<'_>) -> Result<Option<Job>, Error> {
        let (user, connection) = self.parts();
        let found = sqlx::query_scalar!(
            "-- jobs: the same
             SELECT id FROM jobs
              WHERE user_id = $1 AND dedupe_key = $2
                AND (state IN ('queued', 'running')
                     OR (state = 'succeeded' AND finished_at > now() - make_interval(secs => $3))
                     OR (state = 'failed' AND finished_at > now() - make_interval(secs => $4)))
              ORDER BY finished_at DESC NULLS FIRST LIMIT 1",
            user,
            &job.dedupe_key,
            job.answer_stays.as_secs_f64(),
            job.failure_stays.as_secs_f64(),
        )
        .fetch_optional(connection)
        .await?;
        match found {
            Some(id) => Ok(Some(self.job_row(id).await?)),
            None => Ok(None),
        }
    }

    /// How far a job has come.
    ///
    /// # Errors
    /// [`Error::NotFound`] also when it is somebody else's.
    pub fn job(&mut self, id: Uuid) -> Answer<'_, Job> {
        watch(self.broken(), self.job_row(id))
    }

    async fn job_row(&mut self, id: Uuid) -> Result<Job, Error> {
        let (user, connection) = self.parts();
        let row = sqlx::query_as!(
            Row,
            r#"-- jobs: one
            SELECT id, article_id, tool, state::text AS "state!: JobState", note, cancel_requested,
                   result AS "result: Json<Box<RawValue>>", error AS "error: Json<Box<RawValue>>", created_at, finished_at,
                   (SELECT count(*) FROM job_items i WHERE i.job_id = jobs.id AND i.user_id = $2) AS "total!",
                   (SELECT count(*) FROM job_items i WHERE i.job_id = jobs.id AND i.user_id = $2 AND i.state <> 'pending') AS "settled!"
              FROM jobs WHERE id = $1 AND user_id = $2"#,
            id,
            user,
        )
        .fetch_optional(connection)
        .await?;
        row.map(Job::from).ok_or(NO_JOB)
    }

    /// Asks a job to stop. One that no worker has stops at once; one that runs, at its next
    /// heartbeat. What is done stays.
    ///
    /// # Errors
    /// [`Error::NotFound`]. A job that has ended already is left as it is.
    pub fn cancel_job(&mut self, id: Uuid) -> Answer<'_, Job> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            sqlx::query!(
                "-- jobs: cancel
                 UPDATE jobs
                    SET cancel_requested = true,
                        state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END,
                        finished_at = CASE WHEN state = 'queued' THEN now() END
                  WHERE id = $1 AND user_id = $2 AND state IN ('queued', 'running')",
                id,
                user,
            )
            .execute(connection)
            .await?;
            self.announce(id).await?;
            self.job_row(id).await
        })
    }

    /// Lists the pieces of a job's work, and answers all that it has: what was listed by an
    /// earlier worker stays as that left it. `None`: the claim is not this worker's any more.
    pub fn plan_job<'a>(
        &'a mut self,
        id: Uuid,
        fence: i64,
        keys: &'a [String],
    ) -> Answer<'a, Option<Vec<JobItem>>> {
        watch(self.broken(), async move {
            if !self.holds(id, fence).await? {
                return Ok(None);
            }
            let (user, connection) = self.parts();
            sqlx::query!(
                "-- jobs: list items
                 INSERT INTO job_items (job_id, position, user_id, item_key)
                 SELECT $1, nth - 1, $2, key FROM unnest($3::text[]) WITH ORDINALITY AS k (key, nth)
                 ON CONFLICT DO NOTHING",
                id,
                user,
                keys,
            )
            .execute(connection)
            .await?;
            self.announce(id).await?;
            Ok(Some(self.item_rows(id).await?))
        })
    }

    /// The pieces of a job in their order.
    pub fn job_items(&mut self, id: Uuid) -> Answer<'_, Vec<JobItem>> {
        watch(self.broken(), self.item_rows(id))
    }

    async fn item_rows(&mut self, id: Uuid) -> Result<Vec<JobItem>, Error> {
        let (user, connection) = self.parts();
        let rows = sqlx::query!(
            r#"-- jobs: items
            SELECT position, item_key, state::text AS "state!: ItemState",
                   result AS "result: Json<Box<RawValue>>", error
              FROM job_items WHERE job_id = $1 AND user_id = $2 ORDER BY position"#,
            id,
            user,
        )
        .fetch_all(connection)
        .await?;
        let items = rows.into_iter().map(|row| JobItem {
            position: row.position.try_into().unwrap_or_default(),
            key: row.item_key,
            state: row.state,
            result: row.result.map(|json| json.0),
            error: row.error,
        });
        Ok(items.collect())
    }

    /// Marks a piece as done or given up, in the transaction that keeps what came of it. Answers
    /// false when the claim is not this worker's any more, or the piece was settled before: then
    /// this transaction must not be committed.
    pub fn settle_item<'a>(
        &'a mut self,
        id: Uuid,
        fence: i64,
        key: &'a str,
        settled: Settled<'a>,
    ) -> Answer<'a, bool> {
        watch(self.broken(), async move {
            if !self.holds(id, fence).await? {
                return Ok(false);
            }
            let (state, result, error) = match settled {
                Settled::Done(result) => (ItemState::Done, Some(Json(result)), None),
                Settled::Failed(error) => (ItemState::Failed, None, Some(error)),
            };
            let (user, connection) = self.parts();
            let done = sqlx::query!(
                "-- jobs: settle an item
                 UPDATE job_items SET state = $4::text::job_item_state, result = $5, error = $6, settled_at = now()
                  WHERE job_id = $1 AND user_id = $2 AND item_key = $3 AND state = 'pending'",
                id,
                user,
                key,
                state.as_str(),
                result as _,
                error,
            )
            .execute(connection)
            .await?;
            self.announce(id).await?;
            Ok(done.rows_affected() == 1)
        })
    }

    /// Whether the claim is still this worker's. Until the transaction ends, nobody takes it over.
    async fn holds(&mut self, id: Uuid, fence: i64) -> Result<bool, Error> {
        let (user, connection) = self.parts();
        let held = sqlx::query_scalar!(
            "-- jobs: hold
             SELECT id FROM jobs WHERE id = $1 AND user_id = $2 AND fence = $3 AND state = 'running' FOR SHARE",
            id,
            user,
            fence,
        )
        .fetch_optional(connection)
        .await?;
        Ok(held.is_some())
    }

    /// Keeps the claim for another while and says what the worker is doing.
    pub fn keep_job<'a>(
        &'a mut self,
        id: Uuid,
        fence: i64,
        lease: Duration,
        note: Option<&'a str>,
    ) -> Answer<'a, Heartbeat> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let cancel_requested = sqlx::query_scalar!(
                "-- jobs: heartbeat
                 UPDATE jobs SET lease_until = now() + make_interval(secs => $4), note = coalesce($5, note)
                  WHERE id = $1 AND user_id = $2 AND fence = $3 AND state = 'running' RETURNING cancel_requested",
                id,
                user,
                fence,
                lease.as_secs_f64(),
                note,
            )
            .fetch_optional(connection)
            .await?;
            Ok(
                cancel_requested.map_or(Heartbeat::Lost, |cancel_requested| Heartbeat::Held {
                    cancel_requested,
                }),
            )
        })
    }

    /// Ends a job. Answers false when the claim is not this worker's any more.
    pub fn end_job<'a>(&'a mut self, id: Uuid, fence: i64, end: Ended<'a>) -> Answer<'a, bool> {
        watch(self.broken(), async move {
            let (state, result, error) = match end {
                Ended::Succeeded(result) => (JobState::Succeeded, Some(Json(result)), None),
                Ended::Failed(error) => (JobState::Failed, None, Some(Json(error))),
                Ended::Cancelled => (JobState::Cancelled, None, None),
            };
            let (user, connection) = self.parts();
            let ended = sqlx::query!(
                "-- jobs: end
                 UPDATE jobs SET state = $4::text::job_state, result = $5, error = $6, lease_until = NULL, note = NULL,
                                 finished_at = now()
                  WHERE id = $1 AND user_id = $2 AND fence = $3 AND state = 'running'",
                id,
                user,
                fence,
                state.as_str(),
                result as _,
                error as _,
            )
            .execute(connection)
            .await?;
            self.announce(id).await?;
            Ok(ended.rows_affected() == 1)
        })
    }

    /// Puts a job back into the queue, to be claimed after a pause. A worker that stops in good
    /// order (`counts` false) is not an attempt. Answers false when the claim is not this
    /// worker's any more.
    pub fn requeue_job(
        &mut self,
        id: Uuid,
        fence: i64,
        pause: Duration,
        counts: bool,
    ) -> Answer<'_, bool> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let requeued = sqlx::query!(
                "-- jobs: requeue
                 UPDATE jobs SET state = 'queued', lease_until = NULL, due_at = now() + make_interval(secs => $4),
                                 rung_at = NULL, attempts = attempts - CASE WHEN $5 THEN 0 ELSE 1 END
                  WHERE id = $1 AND user_id = $2 AND fence = $3 AND state = 'running'",
                id,
                user,
                fence,
                pause.as_secs_f64(),
                counts,
            )
            .execute(connection)
            .await?;
            self.announce(id).await?;
            Ok(requeued.rows_affected() == 1)
        })
    }

    /// Notes that a worker was called.
    pub fn job_was_rung(&mut self, id: Uuid) -> Answer<'_, ()> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            sqlx::query!(
                "-- jobs: rung
                 UPDATE jobs SET rung_at = now() WHERE id = $1 AND user_id = $2",
                id,
                user,
            )
            .execute(connection)
            .await?;
            Ok(())
        })
    }

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

impl Store {
    /// Takes a job that is due and that nobody holds, for as long as the lease; `None` if it is not
    /// to be had: held by another worker, ended, not due, gone, or of another tool.
    pub fn claim_job<'a>(
        &'a self,
        id: Uuid,
        tool: &'a str,
        lease: Duration,
    ) -> Answer<'a, Option<ClaimedJob>> {
        Box::pin(async move {
            let row = sqlx::query!(
                r#"-- jobs: claim
                SELECT id AS "id!", user_id AS "user_id!", article_id AS "article_id!",
                       arguments AS "arguments!: Json<Box<RawValue>>", fence AS "fence!", attempts AS "attempts!",
                       cancel_requested AS "cancel_requested!"
                  FROM claim_job($1, $2, make_interval(secs => $3))"#,
                id,
                tool,
                lease.as_secs_f64(),
            )
            .fetch_optional(&self.pool)
            .await?;
            let Some(row) = row else { return Ok(None) };
            let user = UserId::try_from(row.user_id)
                .map_err(|error| Error::Database(Box::new(sqlx::Error::Decode(error.into()))))?;
            Ok(Some(ClaimedJob {
                id: row.id,
                user,
                article: row.article_id,
                arguments: row.arguments.0,
                fence: row.fence,
                attempts: row.attempts,
                cancel_requested: row.cancel_requested,
            }))
        })
    }

    /// At most `limit` jobs (id and tool) that have waited for a worker for longer than `grace`,
    /// or whose worker died that long ago; they are marked as called. For the sweeper and for the
    /// local bell.
    pub fn jobs_to_ring(&self, grace: Duration, limit: u32) -> Answer<'_, Vec<(Uuid, String)>> {
        Box::pin(async move {
            let rows = sqlx::query!(
                r#"-- sweep: jobs to ring
                SELECT id AS "id!", tool AS "tool!" FROM jobs_to_ring(make_interval(secs => $1), $2)"#,
                grace.as_secs_f64(),
                i64::from(limit),
            )
            .fetch_all(&self.pool)
            .await?;
            Ok(rows.into_iter().map(|row| (row.id, row.tool)).collect())
        })
    }

    /// Deletes at most `limit` jobs that ended longer ago than `age`. Answers how many.
    pub fn expire_jobs(&self, age: Duration, limit: u32) -> Answer<'_, u64> {
        Box::pin(async move {
            let gone = sqlx::query_scalar!(
                r#"-- sweep: expire jobs
                SELECT expire_jobs(make_interval(secs => $1), $2) AS "gone!""#,
                age.as_secs_f64(),
                i64::from(limit),
            )
            .fetch_one(&self.pool)
            .await?;
            Ok(gone.try_into().unwrap_or_default())
        })
    }
}
