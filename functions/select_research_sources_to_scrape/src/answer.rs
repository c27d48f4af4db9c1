//! What the caller reads of a choice.

use nova_providers::llm::Advice;
use nova_research::ranking::{Candidate, Choice};
use serde::Serialize;

/// The result object; all fields but `dropped`, `method` and `decided_by` are those that users know.
#[derive(Serialize)]
pub(crate) struct Answer {
    status: &'static str,
    /// Their addresses, the best first.
    sources_selected: Vec<String>,
    sources_selected_count: usize,
    reasoning: String,
    /// Numbers that the model named and that are no sources it was asked about.
    dropped: usize,
    /// How the choice was made: `model`, or `deterministic`.
    pub(crate) method: &'static str,
    /// Who made it.
    decided_by: &'static str,
    /// `llm_unavailable` where a model was asked and was of no use.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
    message: String,
    /// Their numbers, as they are kept.
    #[serde(skip)]
    pub(crate) numbers: Vec<i64>,
}

impl Answer {
    pub(crate) fn new(
        candidates: &[Candidate],
        chosen: &[&Choice],
        (kept, dropped): (usize, usize),
        advice: &Advice,
    ) -> Self {
        let url = |number| {
            let candidate = candidates.iter().find(|it| it.number == number);
            candidate.map(|it| it.url.clone()).unwrap_or_default()
        };
        let numbers: Vec<i64> = chosen.iter().map(|it| it.scored.number).collect();
        let reasons = chosen
            .iter()
            .map(|it| format!("{}: {}", url(it.scored.number), it.reason));
        let reasoning = match numbers.len() {
            0 if candidates.is_empty() => {
                format!("Of the {kept} kept sources none is a page that is not stored already.")
            }
            0 => "None of the pages would add enough to be read in full.".to_owned(),
            _ => reasons.collect::<Vec<_>>().join("\n"),
        };
        let ranked = match advice {
            Advice::Given { .. } => "",
            _ => "by the ranking, ",
        };
        let message = format!(
            "Chose {} of {} pages that could be read in full, of {kept} kept sources, {ranked}{}.\n{reasoning}",
            numbers.len(),
            candidates.len(),
            advice.words()
        );
        Self {
            status: advice.status(),
            sources_selected: numbers.iter().map(|&number| url(number)).collect(),
            sources_selected_count: numbers.len(),
            reasoning,
            dropped,
            method: advice.method(),
            decided_by: advice.decided_by("ranking"),
            warning: advice.warning(),
            message,
            numbers,
        }
    }
}
