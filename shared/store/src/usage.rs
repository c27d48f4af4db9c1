//! Usage: the monthly limit, and who has used how much of it.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::blobs::database_number;
use crate::tenant::watch;
use crate::{Answer, ArticleId, Tenant};

/// A tool call to be paid for.
#[derive(Clone, Debug)]
pub struct Charge<'a> {
    /// Name of the tool.
    pub tool: &'a str,
    /// Made by the server. The same call delivered again is not charged again.
    pub call_id: Uuid,
    /// The article it works on.
    pub article: Option<ArticleId>,
    /// Calls a month for whom neither an override nor a tier says otherwise; 0 = unlimited.
    pub default_limit: u64,
}

/// What became of a charge.
#[derive(Clone, Debug, PartialEq)]
pub enum Charged {
    /// The call may go ahead; it counts once this transaction commits.
    Admitted(Usage),
    /// This very call was admitted before; nothing more is counted.
    Replayed(Usage),
    /// The call must not go ahead.
    Refused {
        /// What has been used.
        usage: Usage,
        /// Which limit it is.
        reason: RefusedBecause,
        /// When a call can be admitted again, from now.
        retry_after: Duration,
    },
}

/// Which limit refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBecause {
    /// The month's calls are used up.
    Monthly,
    /// Too many at once.
    Burst,
}

/// How much of a month's calls is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Calls admitted this month and not given back.
    pub used: u64,
    /// Calls allowed in the month; `None` = unlimited.
    pub limit: Option<u64>,
    /// The month, `YYYY-MM` in UTC by the database's clock.
    pub year_month: String,
    /// The first moment of the next month.
    pub resets_at: OffsetDateTime,
}

fn usage(
    used: Option<i64>,
    limit: Option<i64>,
    year_month: String,
    resets_at: OffsetDateTime,
) -> Usage {
    Usage {
        used: used
            .and_then(|used| used.try_into().ok())
            .unwrap_or_default(),
        limit: limit.and_then(|limit| limit.try_into().ok()),
        year_month,
        resets_at,
    }
}

impl Tenant {
    /// Charges a tool call: decides, counts and writes the usage row, in one round trip.
    ///
    /// The counter stays locked until this transaction ends; it should end soon.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] when the call id is another user's, [`crate::Error::Refused`]
    /// when the user is being erased. Being over the limit is not an error.
    pub fn charge<'a>(&'a mut self, charge: &'a Charge<'a>) -> Answer<'a, Charged> {
        watch(self.broken(), async move {
            let (_, connection) = self.parts();
            let row = sqlx::query!(
                r#"-- usage: charge
                SELECT allowed AS "allowed!", replayed AS "replayed!", reason, used, max_calls,
                       year_month AS "year_month!", resets_at AS "resets_at!",
                       extract(epoch FROM retry_at - now())::float8 AS wait_seconds
                  FROM charge_tool_call($1, $2, $3, $4)"#,
                charge.tool,
                charge.call_id,
                database_number(charge.default_limit),
                charge.article,
            )
            .fetch_one(connection)
            .await?;
            let usage = usage(row.used, row.max_calls, row.year_month, row.resets_at);
            Ok(match (row.allowed, row.replayed) {
                (true, false) => Charged::Admitted(usage),
                (true, true) => Charged::Replayed(usage),
                (false, _) => Charged::Refused {
                    usage,
                    reason: match row.reason.as_deref() {
                        Some("burst") => RefusedBecause::Burst,
                        _ => RefusedBecause::Monthly,
                    },
                    retry_after: Duration::try_from_secs_f64(row.wait_seconds.unwrap_or_default())
                        .unwrap_or_default(),
                },
            })
        })
    }

    /// Whether a call was charged longer than `age` ago, by the database's clock.
    pub fn was_charged_before(&mut self, call_id: Uuid, age: Duration) -> Answer<'_, bool> {
        watch(self.broken(), async move {
            let (_, connection) = self.parts();
            let before = sqlx::query_scalar!(
                r#"-- usage: charged before
                SELECT coalesce(call_charged_at($1) < now() - make_interval(secs => $2), false) AS "before!""#,
                call_id,
                age.as_secs_f64(),
            )
            .fetch_one(connection)
            .await?;
            Ok(before)
        })
    }

    /// Gives a call back that failed by our fault. Answers whether there was anything to give
    /// back: a call is given back once.
    pub fn refund<'a>(&'a mut self, call_id: Uuid, reason: &'a str) -> Answer<'a, bool> {
        watch(self.broken(), async move {
            let (_, connection) = self.parts();
            let refunded = sqlx::query_scalar!(
                r#"-- usage: refund
                SELECT refund_tool_call($1, $2) AS "refunded!""#,
                call_id,
                reason,
            )
            .fetch_one(connection)
            .await?;
            Ok(refunded)
        })
    }

    /// What the user has used this month, of how much. A user who never called has used nothing.
    pub fn usage(&mut self, default_limit: u64) -> Answer<'_, Usage> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let row = sqlx::query!(
                r#"-- usage: this month
                SELECT c.used AS "used?",
                       monthly_limit(u.monthly_calls_override, u.override_until, t.monthly_calls, $2) AS max_calls,
                       month.key AS "year_month!",
                       (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC' AS "resets_at!"
                  FROM (SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') AS key) AS month
                  LEFT JOIN usage_counters c ON c.user_id = $1 AND c.year_month = month.key
                  LEFT JOIN users u ON u.user_id = $1
                  LEFT JOIN tiers t ON t.tier = coalesce(u.tier, 'default')"#,
                user,
                database_number(default_limit),
            )
            .fetch_one(connection)
            .await?;
            Ok(usage(
                row.used,
                row.max_calls,
                row.year_month,
                row.resets_at,
            ))
        })
    }
}
