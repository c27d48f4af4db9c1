//! How a run ended.

use nova_research::workflow::Step;
use nova_store::ArticleId;
use serde::Serialize;
use serde_json::Value;

use crate::budget::Spending;

/// There is no document: a step that everything goes by failed.
pub(crate) const NO_DOCUMENT: u8 = 1;
/// There is a document without what a step would have brought that failed.
const STEP_FAILED: u8 = 2;
/// There is a document of what there was when a limit was reached.
const BUDGET_REACHED: u8 = 3;
/// There is a document without what nobody is configured for.
const NOT_CONFIGURED: u8 = 4;
/// It was told to stop (`EX_TEMPFAIL`: try again).
pub(crate) const STOPPED: u8 = 75;

/// Why a step was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It failed.
    Failed,
    /// No provider is configured for it.
    NotConfigured,
}

/// A step that brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub step: Step,
    /// Why, in a word.
    pub why: Why,
    /// What to do about it, in words for the user.
    pub detail: String,
}

/// A run that ended with a document.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The article.
    pub article: ArticleId,
    /// What the step that made the document said; where that was in a run before, where it is.
    pub document: Value,
    /// Nothing was left to be done: the document is that of a run before.
    pub is_from_before: bool,
    /// Steps that brought nothing, in their order.
    pub left_out: Vec<LeftOut>,
    /// Which limit was reached, in words.
    pub reached: Option<String>,
    /// What the article has cost.
    pub spending: Spending,
    /// How long the run took.
    pub seconds: f64,
}

/// The result object.
#[derive(Serialize)]
struct Answer<'a> {
    /// `success`, or `partial`.
    status: &'static str,
    article_guideline_id: ArticleId,
    /// Nothing was left to be done.
    finished_before: bool,
    steps_left_out: Vec<Left<'a>>,
    budget_reached: Option<&'a str>,
    provider_calls: u64,
    cost_usd: f64,
    /// Who was paid beside that and does not say how much: `cost_usd` is the whole when nobody is.
    cost_not_told_by: &'a [String],
    tokens: u64,
    seconds: f64,
    /// As `create_research_file` says it.
    document: &'a Value,
}

#[derive(Serialize)]
struct Left<'a> {
    step: &'static str,
    round: Option<u32>,
    why: Why,
    detail: &'a str,
}

impl Outcome {
    /// What the program says to its caller.
    pub fn exit_code(&self) -> u8 {
        let is = |why| self.left_out.iter().any(|it| it.why == why);
        match self.reached {
            Some(_) => BUDGET_REACHED,
            None if is(Why::Failed) => STEP_FAILED,
            None if is(Why::NotConfigured) => NOT_CONFIGURED,
            None => 0,
        }
    }

    /// The same as an object.
    pub fn to_json(&self) -> Value {
        let left_out = self.left_out.iter().map(|it| Left {
            step: it.step.tool(),
            round: it.step.round(),
            why: it.why,
            detail: &it.detail,
        });
        let answer = Answer {
            status: if self.exit_code() == 0 {
                "success"
            } else {
                "partial"
            },
            article_guideline_id: self.article,
            finished_before: self.is_from_before,
            steps_left_out: left_out.collect(),
            budget_reached: self.reached.as_deref(),
            provider_calls: self.spending.calls,
            cost_usd: self.spending.dollars(),
            cost_not_told_by: &self.spending.silent,
            tokens: self.spending.tokens,
            seconds: self.seconds,
            document: &self.document,
        };
        serde_json::to_value(answer).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(left_out: &[Why], reached: bool) -> u8 {
        let left_out = left_out.iter().map(|why| LeftOut {
            step: Step::Search(1),
            why: *why,
            detail: "Set PPLX_API_KEY.".to_owned(),
        });
        let outcome = Outcome {
            article: ArticleId::nil(),
            document: Value::Null,
            is_from_before: false,
            left_out: left_out.collect(),
            reached: reached.then(|| "--max-calls".to_owned()),
            spending: Spending {
                silent: vec!["Gemini".to_owned()],
                ..Spending::default()
            },
            seconds: 1.5,
        };
        let told = outcome.to_json();
        let is_whole = outcome.exit_code() == 0;
        assert_eq!(told["status"] == "success", is_whole, "{told}");
        assert_eq!(told["cost_not_told_by"][0], "Gemini", "{told}");
        outcome.exit_code()
    }

    #[test]
    fn each_end_has_a_code_of_its_own_and_the_budget_comes_first() {
        assert_eq!(ended(&[], false), 0);
        assert_eq!(ended(&[Why::NotConfigured], false), 4);
        assert_eq!(ended(&[Why::NotConfigured, Why::Failed], false), 2);
        assert_eq!(ended(&[Why::Failed], true), 3);
    }
}
