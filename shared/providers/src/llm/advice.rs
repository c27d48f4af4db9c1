//! Advice: what a model says to a step that has a way of its own without one.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use nova_runtime::receipts::Receipts;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Llm, PATIENCE, Prompt, ask_patiently};

/// What came of asking for advice. A model that fails fails no step: it goes its own way, and its
/// result says so.
#[derive(Clone, Debug)]
pub enum Advice {
    /// Nobody was asked: there is no model, or nothing to ask.
    NotAsked,
    /// A model said this, in the prompt's shape.
    Given {
        /// Who that is.
        by: &'static str,
        /// What it said.
        said: Value,
    },
    /// A model was asked, and this is why it gave nothing that can be used.
    Failed(String),
}

impl Advice {
    /// Asks with as much patience as a caller has; see [`ask_patiently`].
    pub fn ask<'a>(
        llm: Option<&'a dyn Llm>,
        prompt: Option<&'a Prompt>,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Self> {
        Box::pin(async move {
            let (Some(llm), Some(prompt)) = (llm, prompt) else {
                return Self::NotAsked;
            };
            match ask_patiently(llm, prompt, receipts, PATIENCE).await {
                Ok(said) => Self::Given {
                    by: llm.provider(),
                    said,
                },
                Err(error) => {
                    // The operator may have to do something about it.
                    tracing::warn!(%error, tool = prompt.tool, "a step goes on without a model");
                    Self::Failed(error.to_string())
                }
            }
        })
    }

    /// This advice, unless it names numbers and none of those that were asked about: who says that has
    /// not read the question. And how many numbers it names that were not asked about: they are to be
    /// dropped.
    pub fn about(
        self,
        named: impl IntoIterator<Item = i64>,
        asked: &BTreeSet<i64>,
    ) -> (Self, usize) {
        let named: BTreeSet<i64> = named.into_iter().collect();
        let dropped = named.difference(asked).count();
        if dropped == 0 || dropped < named.len() {
            return (self, dropped);
        }
        let by = self.decided_by("it");
        let failed = Self::Failed(format!("{by} names no source that exists"));
        (failed, dropped)
    }

    /// What was said, if it was.
    pub fn said<T: DeserializeOwned>(&self) -> Option<T> {
        match self {
            // It has the shape, of which T has the fields.
            Self::Given { said, .. } => T::deserialize(said).ok(),
            Self::NotAsked | Self::Failed(_) => None,
        }
    }

    /// Who decided: the model, or else `own`, the step itself.
    pub const fn decided_by(&self, own: &'static str) -> &'static str {
        match self {
            Self::Given { by, .. } => by,
            Self::NotAsked | Self::Failed(_) => own,
        }
    }

    /// How it was decided, in one word: `model`, or `deterministic`.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Given { .. } => "model",
            Self::NotAsked | Self::Failed(_) => "deterministic",
        }
    }

    /// What the result of a step says of itself: `partial` where a model was to decide and did not.
    pub const fn status(&self) -> &'static str {
        match self {
            Self::NotAsked | Self::Given { .. } => "success",
            Self::Failed(_) => "partial",
        }
    }

    /// The same as a word that a program can look for.
    pub const fn warning(&self) -> Option<&'static str> {
        match self {
            Self::NotAsked | Self::Given { .. } => None,
            Self::Failed(_) => Some("llm_unavailable"),
        }
    }

    /// The same in words for the user, to stand behind what was done.
    pub fn words(&self) -> String {
        match self {
            Self::NotAsked => "without a language model".to_owned(),
            Self::Given { by, .. } => format!("by {by}"),
            Self::Failed(why) => format!("without a language model, because {why}"),
        }
    }
}
