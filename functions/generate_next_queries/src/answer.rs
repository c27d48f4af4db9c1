//! What the caller reads of the proposed questions.

use nova_providers::llm::Advice;
use nova_research::outline::Outline;
use nova_research::{
    coverage::Covered,
    questions::{Asked, Question, accept, propose},
};
use serde::Serialize;

use crate::prompt::Said;

/// The result object; its first three fields and the last are those that users know.
#[derive(Serialize)]
pub(crate) struct Answer {
    status: &'static str,
    queries_count: usize,
    /// Pairs of a question and why it should be asked.
    queries: Vec<(String, String)>,
    /// How the sections of the guideline are covered by what is stored.
    coverage: Vec<Covered>,
    /// How the questions were found: `model`, or `deterministic`.
    method: &'static str,
    /// Who found them.
    decided_by: &'static str,
    /// `llm_unavailable` where a model was asked and was of no use.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
    message: String,
}

impl Answer {
    /// What the model proposed and can be asked; what is missing then comes from the guideline.
    pub(crate) fn new(
        advice: &Advice,
        outline: &Outline,
        coverage: Vec<Covered>,
        asked: &[String],
        wanted: usize,
    ) -> Self {
        let mut asked = Asked::new(asked.iter().map(String::as_str));
        let said = advice
            .said()
            .map_or_else(Vec::new, |said: Said| said.questions);
        let mut proposed = accept(said, &mut asked, wanted);
        let by_model = proposed.len();
        proposed.extend(propose(outline, &coverage, &mut asked, wanted - by_model));
        let message = message(advice, by_model, &proposed, wanted);
        Self {
            status: advice.status(),
            queries_count: proposed.len(),
            queries: proposed
                .into_iter()
                .map(|it| (it.question, it.reason))
                .collect(),
            coverage,
            method: advice.method(),
            decided_by: advice.decided_by("coverage"),
            warning: advice.warning(),
            message,
        }
    }
}

fn message(advice: &Advice, by_model: usize, proposed: &[Question], wanted: usize) -> String {
    let (count, how) = (proposed.len(), advice.words());
    let others = match (advice, count - by_model) {
        (Advice::Given { .. }, 1..) => format!(
            " {by_model} of them are the model's that were not asked before; the others come from the guideline \
             and from what is covered least."
        ),
        _ => String::new(),
    };
    let fewer = match wanted - count {
        0 => String::new(),
        _ => format!(" The guideline gives no more that were not asked; {wanted} were wanted."),
    };
    format!(
        "Proposed {count} questions from the guideline and from what is covered least, {how}.{others}{fewer} \
         Give those you choose to run_perplexity_research."
    )
}
