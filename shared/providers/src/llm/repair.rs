//! Reads an answer, and has the model mend it once.

use futures_util::future::BoxFuture;
use nova_runtime::receipts::{CallOutcome, CallUsage, OpenCall, Receipts};
use serde_json::Value;

use super::{Llm, Prompt};
use crate::ProviderError;

/// As much of a wrong answer as is shown to whoever gave it.
const SHOWN_CHARACTERS: usize = 4000;

/// What a model said, before it is read.
pub(super) struct Said<'a> {
    pub(super) text: String,
    pub(super) usage: CallUsage,
    pub(super) call: OpenCall<'a>,
}

/// An answer that has not the shape.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    /// The answer, shortened.
    pub(super) answer: String,
    /// What the model is told about it.
    pub(super) complaint: String,
}

/// A model that says something to a prompt, or to a complaint about what it said.
pub(super) trait Speak: Send + Sync {
    fn provider(&self) -> &'static str;

    fn speak<'a>(
        &'a self,
        prompt: &'a Prompt,
        wrong: Option<Wrong>,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Said<'a>, ProviderError>>;
}

impl<S: Speak> Llm for S {
    fn provider(&self) -> &'static str {
        Speak::provider(self)
    }

    fn ask<'a>(
        &'a self,
        prompt: &'a Prompt,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Value, ProviderError>> {
        Box::pin(async move {
            let wrong = match read(prompt, self.speak(prompt, None, receipts).await?) {
                Ok(value) => return Ok(value),
                Err(wrong) => wrong,
            };
            let provider = Speak::provider(self);
            tracing::info!(
                provider,
                tool = prompt.tool,
                wrong.complaint,
                "an answer is to be mended"
            );
            let mended = self.speak(prompt, Some(wrong), receipts).await?;
            read(prompt, mended).map_err(|wrong| ProviderError::Unusable {
                provider,
                message: wrong.complaint,
            })
        })
    }
}

fn read(prompt: &Prompt, said: Said<'_>) -> Result<Value, Wrong> {
    let read = prompt.shape.read(&said.text);
    let outcome = match &read {
        Ok(_) => CallOutcome::Answered,
        Err(_) => CallOutcome::Unusable,
    };
    said.call.end(outcome, said.usage);
    read.map_err(|complaint| Wrong {
        answer: said.text.chars().take(SHOWN_CHARACTERS).collect(),
        complaint,
    })
}

impl Wrong {
    /// What the model is told.
    pub(super) fn request(&self) -> String {
        format!(
            "That answer cannot be used: {}. Give the whole answer again, as JSON of the schema and nothing else.",
            self.complaint
        )
    }
}
