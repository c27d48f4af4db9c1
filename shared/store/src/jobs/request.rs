//! What a caller does with jobs: asks for one, looks how far it has come, stops it.

use serde_json::value::RawValue;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Enqueued, Job, JobState, NO_JOB, NewJob};
use crate::tenant::watch;
use crate::{Answer, ArticleId, Error, Tenant};

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
                     OR (state = 'succeeded' AND finished_at > now() - make_interval(secs => $3)
                         AND NOT ($5 AND EXISTS (
                           SELECT 1 FROM jobs since
                            WHERE since.user_id = $1 AND since.article_id = jobs.article_id AND since.tool = jobs.tool
                              AND since.state = 'succeeded' AND since.finished_at > jobs.finished_at)))
                     OR (state = 'failed' AND finished_at > now() - make_interval(secs => $4)))
              ORDER BY finished_at DESC NULLS FIRST LIMIT 1",
            user,
            &job.dedupe_key,
            job.answer_stays.as_secs_f64(),
            job.failure_stays.as_secs_f64(),
            job.replaces,
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

    /// The job of an article that goes on, the latest where there are several; `None` when none does.
    pub fn live_job(&mut self, article: ArticleId) -> Answer<'_, Option<Job>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let live = sqlx::query_scalar!(
                "-- jobs: of an article
                 SELECT id FROM jobs WHERE user_id = $1 AND article_id = $2 AND state IN ('queued', 'running')
                 ORDER BY created_at DESC LIMIT 1",
                user,
                article,
            )
            .fetch_optional(connection)
            .await?;
            match live {
                Some(id) => Ok(Some(self.job_row(id).await?)),
                None => Ok(None),
            }
        })
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
}
