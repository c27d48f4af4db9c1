//! What those who are asked questions were told to answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// Answers to questions that mention something. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Vec<(String, Value)>>>);

impl Told {
    /// Answers questions that mention this with this body. What was told first counts.
    pub(super) fn answer(&self, mention: String, body: Value) {
        self.all().push((mention, body));
    }

    /// The answer to a question, where there was told one.
    pub(super) fn to(&self, question: &str) -> Option<Value> {
        let all = self.all();
        let (_, body) = all.iter().find(|(mention, _)| question.contains(mention))?;
        Some(body.clone())
    }

    fn all(&self) -> MutexGuard<'_, Vec<(String, Value)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question as a part of an address, so that different ones find different pages.
pub(super) fn word_of(question: &str) -> String {
    question
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}
