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
#[derive(Debug, Default, Serialize)]
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
    /// Who answered last.
    #[serde(skip)]
    provider: Option<String>,
    #[serde(skip)]
    cost_micros: Option<u64>,
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
        let mut answer = Self::default();
        for piece in pieces {
            let result = piece.result.as_ref();
            match result.filter(|_| piece.state == ItemState::Done) {
                Some(result) => answer.add(serde_json::from_str(result.get())?),
                None => answer.failures.push(Failure::of(piece)),
            }
        }
        answer.status = match (answer.failures.len(), answer.queries_processed) {
            (0, _) => "success",
            (_, 0) => "failed",
            _ => "partial",
        };
        answer.cost.usd = answer.cost_micros.map(dollars);
        answer.message = answer.words(article);
        Ok(answer)
    }

    fn add(&mut self, kept: Kept) {
        self.queries_processed += 1;
        self.provider = kept.provider.or(self.provider.take());
        if kept.before {
            self.queries_answered_before += 1;
            return;
        }
        self.cost.calls += 1;
        if let Some(micros) = kept.cost_micros {
            *self.cost_micros.get_or_insert_default() += micros;
        }
        self.sources_added += kept.sources;
        self.answers_added += kept.answers;
        for (reason, count) in kept.left_out {
            *self.left_out.entry(reason).or_default() += count;
        }
    }

    fn words(&self, article: impl std::fmt::Display) -> String {
        let (processed, sources) = (self.queries_processed, self.sources_added);
        let provider = self.provider.as_deref().unwrap_or("search");
        let mut words = match self.status {
            "failed" => {
                format!("None of the queries for article guideline '{article}' could be answered.")
            }
            _ => format!(
                "Successfully completed {provider} research round for article guideline '{article}'. \
                 Processed {processed} queries and added {sources} source sections to database."
            ),
        };
        for (count, what) in [
            (
                self.answers_added,
                "further answers of known sources were added.",
            ),
            (
                self.queries_answered_before,
                "queries were answered within the last 24 hours and not paid for again.",
            ),
            (
                self.failures.len() as u64,
                "queries failed; `failures` says why. Call again with these alone.",
            ),
        ] {
            if count > 0 {
                words = format!("{words} {count} {what}");
            }
        }
        words
    }
}

impl Failure {
    fn of(piece: &JobItem) -> Self {
        let (reason, detail) = reason(piece.error.as_deref().unwrap_or_default());
        Self {
            query: piece.key.clone(),
            reason: reason.to_owned(),
            detail: detail.to_owned(),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nobody pays so much that it would matter"
)]
fn dollars(micros: u64) -> f64 {
    micros as f64 / 1e6
}
