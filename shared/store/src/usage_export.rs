//! What leaves for the warehouse: the calls of a day, over all users.

use time::{Date, Duration, OffsetDateTime, Time};
use uuid::Uuid;

use crate::{Answer, Store};

/// A tool call that was admitted and not given back.
#[derive(Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// The call.
    pub id: Uuid,
    /// Who called; `erased:` and a salted hash after the user was erased.
    pub user_id: String,
    /// Which tool.
    pub tool_name: String,
    /// `YYYY-MM` in UTC.
    pub year_month: String,
    /// When, in microseconds and UTC.
    pub created_at: OffsetDateTime,
    /// The article it worked on; `None` where there was none, and after the user was erased.
    pub article_id: Option<Uuid>,
}

impl Store {
    /// At most `limit` calls of a day (in UTC), in the order of their time: the first ones, or those
    /// `after` a row. Each page is a transaction of its own, so that none waits for whoever takes the
    /// rows; what changes meanwhile is seen or not, and never seen twice.
    pub fn usage_of_day<'a>(
        &'a self,
        day: Date,
        after: Option<&'a UsageRow>,
        limit: u32,
    ) -> Answer<'a, Vec<UsageRow>> {
        Box::pin(async move {
            let midnight = day.with_time(Time::MIDNIGHT).assume_utc();
            let end = midnight + Duration::DAY;
            // The index on the time finds the rest of the day, whatever was read before.
            let begin = after.map_or(midnight, |row| row.created_at);
            let rows = sqlx::query_as!(
                UsageRow,
                "-- export: usage of a day
                 SELECT id, user_id, tool_name, year_month, created_at, article_id FROM tool_call_usage
                  WHERE created_at >= $1 AND created_at < $2
                    AND ($3::uuid IS NULL OR (created_at, id) > ($1, $3))
                  ORDER BY created_at, id LIMIT $4",
                begin,
                end,
                after.map(|row| row.id),
                i64::from(limit),
            )
            .fetch_all(&mut *self.connections.lend().await?)
            .await?;
            Ok(rows)
        })
    }
}
