//! Jobs for which somebody has to call a worker, and jobs that nobody needs any more.

use std::time::Duration;

use uuid::Uuid;

use crate::tenant::watch;
use crate::{Answer, Store, Tenant};

impl Tenant {
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
}

impl Store {
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
            .fetch_all(&mut *self.connections.lend().await?)
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
            .fetch_one(&mut *self.connections.lend().await?)
            .await?;
            Ok(gone.try_into().unwrap_or_default())
        })
    }
}
