//! Calls of providers: what each was, what it cost and what came of it.

use std::time::Duration;

use uuid::Uuid;

use crate::text_enum::text_enum;

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
}
