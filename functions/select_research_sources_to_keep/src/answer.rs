//! What the caller reads of a choice.

use nova_providers::llm::Advice;
use serde::Serialize;

/// The result object; its first three fields and the last are those that users know.
#[derive(Serialize)]
pub(crate) struct Answer {
    status: &'static str,
    sources_selected_count: usize,
    /// By number.
    pub(crate) selected_source_ids: Vec<i64>,
    /// Every source with what became of it, the best first.
    reasons: Vec<Judged>,
    /// Numbers that the model named and that are no sources it was asked about.
    dropped: usize,
    /// How the choice was made: `model`, or `deterministic`.
    method: &'static str,
    /// Who made it.
    decided_by: &'static str,
    /// `llm_unavailable` where a model was asked and was of no use.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
    message: String,
    /// Why the model that was asked did not; for the file.
    #[serde(skip)]
    pub(crate) ranked_because: Option<String>,
}

/// A source that was judged.
#[derive(Serialize)]
pub(crate) struct Judged {
    pub(crate) source: i64,
    pub(crate) url: String,
    pub(crate) kept: bool,
    /// In one sentence.
    pub(crate) reason: String,
    #[serde(skip)]
    pub(crate) by_caller: bool,
}

impl Answer {
    /// The numbers of all sources that were judged.
    pub(crate) fn judged(&self) -> Vec<i64> {
        self.reasons.iter().map(|it| it.source).collect()
    }

    pub(crate) fn new(judged: Vec<Judged>, dropped: usize, advice: &Advice) -> Self {
        let mut kept: Vec<i64> = judged
            .iter()
            .filter(|it| it.kept)
            .map(|it| it.source)
            .collect();
        kept.sort_unstable();
        let overruled = judged.iter().filter(|it| it.by_caller).count();
        let by_caller = match overruled {
            0 => String::new(),
            count => format!(" {count} of them as you said."),
        };
        let none = if kept.is_empty() {
            " The document will have none of them."
        } else {
            ""
        };
        let judged_by = match advice {
            Advice::Given { .. } => "judged",
            _ => "ranked by relevance, authority, freshness and substance",
        };
        let message = format!(
            "Kept {} of {} sources, {judged_by} {}.{by_caller}{none} `reasons` says why; `keep` and `drop` \
             overrule it.",
            kept.len(),
            judged.len(),
            advice.words()
        );
        Self {
            status: advice.status(),
            sources_selected_count: kept.len(),
            selected_source_ids: kept,
            reasons: judged,
            dropped,
            method: advice.method(),
            decided_by: advice.decided_by("ranking"),
            warning: advice.warning(),
            message,
            ranked_because: match advice {
                Advice::Failed(why) => Some(why.clone()),
                Advice::Given { .. } | Advice::NotAsked => None,
            },
        }
    }
}
