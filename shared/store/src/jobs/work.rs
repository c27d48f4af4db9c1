//! What a worker does with a job: claims it, keeps the claim, settles its pieces, ends it.

use std::time::Duration;

use serde_json::value::RawValue;
use sqlx::types::Json;
use uuid::Uuid;

use super::{ClaimedJob, Ended, Heartbeat, ItemState, JobItem, JobState, Settled, Settlement};
use crate::tenant::watch;
use crate::text;
use crate::{Answer, Error, Store, Tenant, UserId};

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
            .fetch_optional(&mut *self.connections.lend().await?)
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
}

impl Tenant {
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

    /// Lists further pieces behind those that a job has, in the transaction that settles the piece
    /// which told of them: so a crash neither loses nor repeats one. After everything else that is
    /// kept there, because the job is held against whoever settles another piece, who came that way
    /// too. Answers false when the claim is not this worker's any more.
    pub fn extend_job<'a>(
        &'a mut self,
        id: Uuid,
        fence: i64,
        keys: &'a [String],
    ) -> Answer<'a, bool> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let held = sqlx::query_scalar!(
                "-- jobs: hold alone
                 SELECT id FROM jobs WHERE id = $1 AND user_id = $2 AND fence = $3 AND state = 'running' FOR NO KEY UPDATE",
                id,
                user,
                fence,
            )
            .fetch_optional(&mut *connection)
            .await?;
            if held.is_none() {
                return Ok(false);
            }
            sqlx::query!(
                "-- jobs: list further items
                 INSERT INTO job_items (job_id, position, user_id, item_key)
                 SELECT $1, has.items + nth - 1, $2, key
                   FROM (SELECT coalesce(max(position) + 1, 0) AS items FROM job_items WHERE job_id = $1 AND user_id = $2) AS has,
                        unnest($3::text[]) WITH ORDINALITY AS k (key, nth)
                 ON CONFLICT (job_id, item_key) DO NOTHING",
                id,
                user,
                keys,
            )
            .execute(connection)
            .await?;
            Ok(true)
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

    /// Marks a piece as done or given up, in the transaction that keeps what came of it.
    pub fn settle_item<'a>(
        &'a mut self,
        id: Uuid,
        fence: i64,
        key: &'a str,
        settled: Settled<'a>,
    ) -> Answer<'a, Settlement> {
        watch(self.broken(), async move {
            if !self.holds(id, fence).await? {
                return Ok(Settlement::Lost);
            }
            let (state, result, error) = match settled {
                Settled::Done(result) => (ItemState::Done, Some(Json(text::json(result))), None),
                Settled::Failed(error) => (ItemState::Failed, None, Some(text::text(error))),
            };
            let (user, connection) = self.parts();
            let done = sqlx::query!(
                "-- jobs: settle an item
                 UPDATE job_items
                    SET state = $4::text::job_item_state, result = $5, error = $6, settled_at = now(), settled_by = $7
                  WHERE job_id = $1 AND user_id = $2 AND item_key = $3 AND state = 'pending'",
                id,
                user,
                key,
                state.as_str(),
                result as _,
                error.as_deref(),
                fence,
            )
            .execute(connection)
            .await?;
            if done.rows_affected() == 0 {
                return Ok(Settlement::Before);
            }
            self.announce(id).await?;
            Ok(Settlement::Kept)
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
            let note = note.map(text::text);
            let (user, connection) = self.parts();
            let cancel_requested = sqlx::query_scalar!(
                "-- jobs: heartbeat
                 UPDATE jobs SET lease_until = now() + make_interval(secs => $4), note = coalesce($5, note)
                  WHERE id = $1 AND user_id = $2 AND fence = $3 AND state = 'running' RETURNING cancel_requested",
                id,
                user,
                fence,
                lease.as_secs_f64(),
                note.as_deref(),
            )
            .fetch_optional(connection)
            .await?;
            if note.is_some() && cancel_requested.is_some() {
                self.announce(id).await?;
            }
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
                Ended::Succeeded(result) => {
                    (JobState::Succeeded, Some(Json(text::json(result))), None)
                }
                Ended::Failed(error) => (JobState::Failed, None, Some(Json(text::json(error)))),
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
    /// order (`counts` false) has not tried in vain. Answers false when the claim is not this
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
}
