//! Calls of providers: what each was, what it cost and what came of it.

use std::{borrow::Cow, time::Duration};

use uuid::Uuid;

use crate::blobs::database_number;
use crate::tenant::watch;
use crate::text::text;
use crate::text_enum::text_enum;
use crate::{Answer, ArticleId, Tenant};

text_enum! {
    /// What came of a call of a provider.
    pub enum CallOutcome {
        /// An answer that was used.
        Answered = "answered",
        /// An answer that does not say what was asked for.
        Unusable = "unusable",
        /// An answer that ends before its end, at a limit.
        Cut = "cut",
        /// The provider answered that it will not: safety, a refusal.
        Blocked = "blocked",
        /// The provider refused the request itself, or our credentials. Nothing was paid.
        Refused = "refused",
        /// The provider asked to come back later. Nothing was paid.
        Busy = "busy",
        /// No answer, or not a whole one. It may have been paid.
        Unreachable = "unreachable",
    }
}

/// A call of a provider, paid or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderCall {
    /// Made when the call began, so that ids are in that order: a call that is kept twice is one row.
    pub id: Uuid,
    /// Who was asked, as messages name it.
    pub provider: &'static str,
    /// Which model, where the provider has several.
    pub model: Option<String>,
    /// What came of it.
    pub outcome: CallOutcome,
    /// How long it took.
    pub duration: Duration,
    /// What was counted, where the provider tells.
    pub usage: CallUsage,
}

/// What a provider counted of a call. `None` where it does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallUsage {
    /// Tokens of what it read.
    pub prompt_tokens: Option<u64>,
    /// Tokens of its answer.
    pub output_tokens: Option<u64>,
    /// Tokens of its thinking, which are paid like those of the answer.
    pub thought_tokens: Option<u64>,
    /// What it asks for the call, in millionths of a US dollar.
    pub cost_micros: Option<u64>,
    /// The same in the provider's own unit, whose price is a matter of the contract.
    pub credits: Option<u64>,
}

/// What calls were made for.
#[derive(Clone, Copy, Debug)]
pub struct CalledFor<'a> {
    /// The article.
    pub article: ArticleId,
    /// The job.
    pub job: Uuid,
    /// Its tool.
    pub tool: &'a str,
    /// Which of the job's items.
    pub position: u64,
}

/// What an article cost so far at one provider, by one of its models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Who was asked.
    pub provider: String,
    /// Which model, where the provider has several.
    pub model: Option<String>,
    /// Calls, those included of which nothing came.
    pub calls: i64,
    /// Tokens of all that was read, where told; and so on.
    pub prompt_tokens: i64,
    /// Tokens of answers and of thinking, which cost the same.
    pub output_tokens: i64,
    /// In millionths of a US dollar.
    pub cost_micros: i64,
    /// In the provider's own unit.
    pub credits: i64,
    /// Calls that may have been paid and whose price the provider does not tell in dollars.
    pub untold: i64,
}

impl Spent {
    /// Those who may have been paid more than they tell, each once: without them the sum is not the whole.
    pub fn silent(all: &[Self]) -> Vec<String> {
        let silent = all.iter().filter(|it| it.untold > 0);
        let mut silent: Vec<String> = silent.map(|it| it.provider.clone()).collect();
        silent.dedup();
        silent
    }
}

impl Tenant {
    /// Keeps receipts, in the transaction that keeps what the calls were for. Those that were kept
    /// before stay as they are.
    pub fn keep_calls<'a>(
        &'a mut self,
        called_for: CalledFor<'a>,
        calls: &'a [ProviderCall],
    ) -> Answer<'a, ()> {
        watch(self.broken(), async move {
            if calls.is_empty() {
                return Ok(());
            }
            let ids: Vec<Uuid> = calls.iter().map(|call| call.id).collect();
            let providers: Vec<&str> = calls.iter().map(|call| call.provider).collect();
            let models = calls.iter().map(|call| call.model.as_deref().map(text));
            let models: Vec<Option<Cow<'_, str>>> = models.collect();
            let outcomes: Vec<&str> = calls.iter().map(|it| it.outcome.as_str()).collect();
            let durations: Vec<i64> = calls
                .iter()
                .map(|call| i64::try_from(call.duration.as_millis()).unwrap_or(i64::MAX))
                .collect();
            let counted = |of: fn(&CallUsage) -> Option<u64>| -> Vec<Option<i64>> {
                let all = calls.iter().map(|call| of(&call.usage));
                all.map(|number| number.map(database_number)).collect()
            };
            let (user, connection) = self.parts();
            sqlx::query!(
                "-- provider calls: keep
                 INSERT INTO provider_calls (id, user_id, article_id, job_id, item_position, tool, provider, model, outcome,
                                             duration_ms, prompt_tokens, output_tokens, thought_tokens, cost_micros, credits)
                 SELECT c.id, $1, $2, $3, $4, $5, c.provider, c.model, c.outcome::call_outcome,
                        c.duration_ms, c.prompt_tokens, c.output_tokens, c.thought_tokens, c.cost_micros, c.credits
                   FROM unnest($6::uuid[], $7::text[], $8::text[], $9::text[], $10::bigint[],
                               $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[])
                     AS c (id, provider, model, outcome, duration_ms,
                           prompt_tokens, output_tokens, thought_tokens, cost_micros, credits)
                 ON CONFLICT (id) DO NOTHING",
                user,
                called_for.article,
                called_for.job,
                database_number(called_for.position),
                called_for.tool,
                &ids,
                &providers as _,
                &models as _,
                &outcomes as _,
                &durations,
                &counted(|usage| usage.prompt_tokens) as _,
                &counted(|usage| usage.output_tokens) as _,
                &counted(|usage| usage.thought_tokens) as _,
                &counted(|usage| usage.cost_micros) as _,
                &counted(|usage| usage.credits) as _,
            )
            .execute(connection)
            .await?;
            Ok(())
        })
    }

    /// What an article cost so far, by provider and model, in this order.
    pub fn spent_on(&mut self, article: ArticleId) -> Answer<'_, Vec<Spent>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let spent = sqlx::query_as!(
                Spent,
                r#"-- provider calls: of an article
                SELECT provider, model, count(*) AS "calls!",
                       coalesce(sum(prompt_tokens), 0)::bigint AS "prompt_tokens!",
                       coalesce(sum(coalesce(output_tokens, 0) + coalesce(thought_tokens, 0)), 0)::bigint AS "output_tokens!",
                       coalesce(sum(cost_micros), 0)::bigint AS "cost_micros!",
                       coalesce(sum(credits), 0)::bigint AS "credits!",
                       count(*) FILTER (WHERE cost_micros IS NULL AND outcome NOT IN ('refused', 'busy')) AS "untold!"
                  FROM provider_calls WHERE user_id = $1 AND article_id = $2
                 GROUP BY provider, model ORDER BY provider, model"#,
                user,
                article,
            )
            .fetch_all(connection)
            .await?;
            Ok(spent)
        })
    }
}
