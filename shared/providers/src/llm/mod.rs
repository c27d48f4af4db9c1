//! Language models: asked for JSON of a certain shape, and believed only when it has it.
//!
//! ```no_run
//! use nova_providers::llm::{self, Prompt, Shape, Step};
//! use nova_runtime::receipts::Receipts;
//!
//! # async fn example(app: &nova_runtime::App) -> Result<(), Box<dyn std::error::Error>> {
//! let Some(llm) = llm::configured(app)? else {
//!     return Ok(()); // Nobody to ask: the step has a way of its own.
//! };
//! let prompt = Prompt {
//!     tool: "select_research_sources_to_keep",
//!     step: Step::SourceSelection,
//!     system: "You choose sources.".to_owned(),
//!     parts: vec!["1: example.com\n2: example.org".to_owned()],
//!     name: "selection",
//!     shape: Shape::object([("keep", Shape::list(Shape::integer(1, 2), 2))]),
//!     answer_tokens: 1024,
//! };
//! let receipts = Receipts::default();
//! let answer = llm.ask(&prompt, &receipts).await?;
//! assert!(answer["keep"].is_array());
//! // … and `receipts` are kept with what came of it.
//! # Ok(()) }
//! ```
//!
//! An answer that ends before its end, or that the provider held back, is an error of its own kind
//! and never a success. One that has not the shape is shown to the model once, with what is wrong
//! with it; a second one like that is an error. Every call leaves its receipt.
//!
//! What a page says is data, whatever it says: `nova_research::prompt` has the fence that it is
//! put into.

mod advice;
mod choice;
mod google;
mod openai;
mod patience;
mod repair;
mod shape;

use futures_util::future::BoxFuture;
use nova_runtime::receipts::Receipts;
use serde_json::Value;

pub use self::{
    advice::Advice,
    choice::{Step, configured},
    patience::{PATIENCE, ask_patiently},
    shape::Shape,
};
use crate::ProviderError;

/// Calls at once of one provider's models: quotas are counted by the minute, memory by the answer.
pub(crate) const MODELS_AT_ONCE: usize = 8;

/// A question to a language model.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The tool that asks, as whoever pays is told where the provider has labels.
    pub tool: &'static str,
    /// The step, which has a model of its own.
    pub step: Step,
    /// What the model is to do, in our words alone.
    pub system: String,
    /// The material, in parts; each may be long.
    pub parts: Vec<String>,
    /// What the answer is called: letters, digits and underscores.
    pub name: &'static str,
    /// What the answer has to look like; an object.
    pub shape: Shape,
    /// The longest answer that makes sense, in tokens. Longer ones are errors, not answers.
    pub answer_tokens: u32,
}

/// Somebody who answers with JSON.
pub trait Llm: Send + Sync {
    /// Who that is, as messages name it.
    fn provider(&self) -> &'static str;

    /// Answers with JSON of the prompt's shape: every field is there, nothing else is, and every
    /// value is within its limits. At most two calls, each with its receipt.
    fn ask<'a>(
        &'a self,
        prompt: &'a Prompt,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Value, ProviderError>>;
}
