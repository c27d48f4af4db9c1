//! Reports for operators, over all users: the five published queries, and what providers cost.
//!
//! Each of the five has the columns, the meaning and the numbers of its published form. Three of them read
//! the monthly counters instead of every call ever made, which is the same number (the counters
//! always equal the rows) for a hundredth of the work. What the published query leaves open is
//! added: an upper limit for the rows, and an order.

use serde::Serialize;
use uuid::Uuid;

use crate::{Answer, ArticleStatus, Store};

/// Monthly tool calls per user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MonthlyCalls {
    /// Who.
    pub user_id: String,
    /// `YYYY-MM` in UTC.
    pub year_month: String,
    /// Calls admitted and not given back.
    pub calls: i64,
}

/// Most popular tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PopularTool {
    /// The tool.
    pub tool_name: String,
    /// Calls admitted and not given back.
    pub usage: i64,
}

/// Research completion rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Completion {
    /// How far.
    pub status: ArticleStatus,
    /// Articles that are there.
    pub count: i64,
}

/// Tools per research session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToolsPerArticle {
    /// The article.
    pub article_id: Uuid,
    /// All calls of the article's owner: what the published query counts.
    pub tool_calls: i64,
    /// Calls that worked on this article: what its title promises.
    pub tool_calls_of_article: i64,
}

/// What providers were asked in a month, and what they told of the price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderCosts {
    /// `YYYY-MM` in UTC.
    pub year_month: String,
    /// Who was asked.
    pub provider: String,
    /// Which model, where the provider has several.
    pub model: Option<String>,
    /// Calls, whatever came of them.
    pub calls: i64,
    /// Those whose answer was used.
    pub answered: i64,
    /// Tokens of what was read; `None` where no call told, here and below.
    pub prompt_tokens: Option<i64>,
    /// Tokens of answers and of thinking.
    pub output_tokens: Option<i64>,
    /// In millionths of a US dollar.
    pub cost_micros: Option<i64>,
    /// In the provider's own unit.
    pub credits: Option<i64>,
}

/// Users approaching the rate limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NearLimit {
    /// Who.
    pub user_id: String,
    /// Calls this month, more than 80.
    pub calls: i64,
}

impl Store {
    /// Monthly tool calls per user, the newest month and the most calls first.
    pub fn monthly_calls(&self, limit: u32) -> Answer<'_, Vec<MonthlyCalls>> {
        Box::pin(async move {
            let rows = sqlx::query_as!(
                MonthlyCalls,
                "-- analytics: monthly calls
                 SELECT user_id, year_month, used AS calls FROM usage_counters WHERE used > 0
                  ORDER BY year_month DESC, used DESC, user_id LIMIT $1",
                i64::from(limit),
            )
            .fetch_all(&mut *self.connections.lend().await?)
            .await?;
            Ok(rows)
        })
    }

    /// Tools by calls, the most popular first.
    pub fn popular_tools(&self, limit: u32) -> Answer<'_, Vec<PopularTool>> {
        Box::pin(async move {
            let rows = sqlx::query_as!(
                PopularTool,
                r#"-- analytics: popular tools
                SELECT tool_name, count(*) AS "usage!" FROM tool_call_usage
                 GROUP BY tool_name ORDER BY count(*) DESC, tool_name LIMIT $1"#,
                i64::from(limit),
            )
            .fetch_all(&mut *self.connections.lend().await?)
            .await?;
            Ok(rows)
        })
    }

    /// Articles by status, in the order of the workflow.
    pub fn completion(&self) -> Answer<'_, Vec<Completion>> {
        Box::pin(async move {
            let rows = sqlx::query_as!(
                Completion,
                r#"-- analytics: completion
                SELECT status::text AS "status!: ArticleStatus", count(*) AS "count!" FROM articles
                 GROUP BY articles.status ORDER BY articles.status"#,
            )
            .fetch_all(&mut *self.connections.lend().await?)
            .await?;
            Ok(rows)
        })
    }

    /// Calls per article, the newest article first.
    pub fn tools_per_article(&self, limit: u32) -> Answer<'_, Vec<ToolsPerArticle>> {
        Box::pin(async move {
            let rows = sqlx::query_as!(
                ToolsPerArticle,
                r#"-- analytics: tools per article
                WITH newest AS (
                  SELECT id, user_id, created_at FROM articles ORDER BY created_at DESC, id DESC LIMIT $1),
                owners AS (
                  SELECT user_id, sum(used) AS used FROM usage_counters
                   WHERE user_id IN (SELECT user_id FROM newest) GROUP BY user_id),
                own AS (
                  SELECT t.article_id, count(*) AS calls FROM newest n
                    JOIN tool_call_usage t ON t.user_id = n.user_id AND t.article_id = n.id GROUP BY t.article_id)
                SELECT n.id AS article_id, coalesce(o.used, 0)::bigint AS "tool_calls!",
                       coalesce(own.calls, 0) AS "tool_calls_of_article!"
                  FROM newest n LEFT JOIN owners o ON o.user_id = n.user_id LEFT JOIN own ON own.article_id = n.id
                 ORDER BY n.created_at DESC, n.id DESC"#,
                i64::from(limit),
            )
            .fetch_all(&mut *self.connections.lend().await?)
            .await?;
            Ok(rows)
        })
    }

    /// What providers were asked, by month, the newest first.
    pub fn provider_costs(&self, limit: u32) -> Answer<'_, Vec<ProviderCosts>> {
        Box::pin(async move {
            let rows = sqlx::query_as!(
                ProviderCosts,
                r#"-- analytics: provider costs
                SELECT to_char(date_trunc('month', created_at AT TIME ZONE 'UTC'), 'YYYY-MM') AS "year_month!",
                       provider, model, count(*) AS "calls!", count(*) FILTER (WHERE outcome = 'answered') AS "answered!",
                       sum(prompt_tokens)::bigint AS prompt_tokens,
                       (sum(output_tokens) + coalesce(sum(thought_tokens), 0))::bigint AS output_tokens,
                       sum(cost_micros)::bigint AS cost_micros, sum(credits)::bigint AS credits
                  FROM provider_calls GROUP BY 1, provider, model
                 ORDER BY 1 DESC, provider, model LIMIT $1"#,
                i64::from(limit),
            )
            .fetch_all(&mut *self.connections.lend().await?)
            .await?;
            Ok(rows)
        })
    }

    /// Users with more than 80 calls this month, most calls first.
    pub fn near_limit(&self, limit: u32) -> Answer<'_, Vec<NearLimit>> {
        Box::pin(async move {
            let rows = sqlx::query_as!(
                NearLimit,
                "-- analytics: near the limit
                 SELECT user_id, used AS calls FROM usage_counters
                  WHERE year_month = to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') AND used > 80
                  ORDER BY used DESC, user_id LIMIT $1",
                i64::from(limit),
            )
            .fetch_all(&mut *self.connections.lend().await?)
            .await?;
            Ok(rows)
        })
    }
}
