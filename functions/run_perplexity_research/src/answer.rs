//! What the caller learns.

use std::collections::BTreeMap;

use nova_providers::search::Answered;
use nova_runtime::jobs::reason;
use nova_store::{Added, AnsweredBefore, ItemState, JobItem};
use serde::{Deserialize, Serialize};

/// What the answer needs to know of a question that was answered.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Kept {
    provider: Option<String>,
    /// Nobody was paid: the answer was there.
    before: bool,
    /// Sources that are new.
    sources: u64,
    /// Further answers of sources that were there.
    answers: u64,
    /// Hits that were no sources, by reason.
    left_out: BTreeMap<String, u64>,
    cost_micros: Option<u64>,
}

impl Kept {
    pub(super) fn now(provider: Option<&str>, added: Added, answered: &Answered) -> Self {
        let left_out = answered.findings.left_out.iter();
        Self {
            provider: provider.map(str::to_owned),
            before: false,
            sources: added.sources,
            answers: added.answers,
            left_out: left_out
                .map(|(reason, count)| (reason.as_str().to_owned(), *count))
                .collect(),
            cost_micros: answered.cost_micros,
        }
    }

    pub(super) fn before(before: &AnsweredBefore) -> Self {
        Self {
            provider: Some(before.provider.clone()),
            before: true,
            ..Self::default()
        }
    }
}

/// The result object.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    /// `success`, `partial` when some questions failed, `failed` when all did.
    status: &'static str,
    queries_processed: u64,
    sources_added: u64,
    /// Further answers of sources that the article had.
    answers_added: u64,
    /// Questions that were answered within the last day, and not paid for again.
    queries_answered_before: u64,
    failures: Vec<Failure>,
    /// Hits that were no sources, by reason.
    left_out: BTreeMap<String, u64>,
    cost: Cost,
    message: String,
}

#[derive(Debug, Serialize)]
struct Failure {
    query: String,
    /// A word that stays the same: `provider_unavailable`, `provider_refuses`, `blocked`, ….
    reason: String,
    /// The same in words.
    detail: String,
}

#[derive(Debug, Default, Serialize)]
struct Cost {
    /// Calls that brought an answer.
    calls: u64,
    /// What they cost in US dollars; null where the provider does not tell.
    usd: Option<f64>,
}

impl Answer {
    pub(super) fn of(
        article: impl std::fmt::Display,
        pieces: &[JobItem],
    ) -> Result<Self, serde_json::Error> {
        let (mut total, mut processed, mut before) = (Kept::default(), 0, 0);
        let (mut failures, mut cost) = (Vec::new(), Cost::default());
        for piece in pieces {
            let result = piece
                .result
                .as_ref()
                .filter(|_| piece.state == ItemState::Done);
            let Some(result) = result else {
                let (reason, detail) = reason(piece.error.as_deref().unwrap_or_default());
                failures.push(Failure {
                    query: piece.key.clone(),
                    reason: reason.to_owned(),
                    detail: detail.to_owned(),
                });
                continue;
            };
            let kept: Kept = serde_json::from_str(result.get())?;
            processed += 1;
            total.provider = kept.provider.or(total.provider);
            if kept.before {
                before += 1;
                continue;
            }
            cost.calls += 1;
            if let Some(micros) = kept.cost_micros {
                total.cost_micros = Some(total.cost_micros.unwrap_or_default() + micros);
            }
            total.sources += kept.sources;
            total.answers += kept.answers;
            for (reason, count) in kept.left_out {
                *total.left_out.entry(reason).or_default() += count;
            }
        }
        cost.usd = total.cost_micros.map(dollars);
        let status = match (failures.len(), processed) {
            (0, _) => "success",
            (_, 0) => "failed",
            _ => "partial",
        };
        let provider = total.provider.as_deref().unwrap_or("search");
        let mut message = match status {
            "failed" => {
                format!("None of the queries for article guideline '{article}' could be answered.")
            }
            _ => format!(
                "Successfully completed {provider} research round for article guideline '{article}'. \
                 Processed {processed} queries and added {} source sections to database.",
                total.sources
            ),
        };
        for (count, what) in [
            (
                total.answers,
                "further answers of known sources were added.",
            ),
            (
                before,
                "queries were answered within the last 24 hours and not paid for again.",
            ),
            (
                failures.len() as u64,
                "queries failed; `failures` says why. Call again with these alone.",
            ),
        ] {
            if count > 0 {
                message = format!("{message} {count} {what}");
            }
        }
        Ok(Self {
            status,
            queries_processed: processed,
            sources_added: total.sources,
            answers_added: total.answers,
            queries_answered_before: before,
            failures,
            left_out: total.left_out,
            cost,
            message,
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nobody pays so much that it would matter"
)]
fn dollars(micros: u64) -> f64 {
    micros as f64 / 1e6
}
