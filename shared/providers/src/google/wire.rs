//! What `generateContent` answers.

use nova_research::questions::sentence;
use nova_runtime::receipts::CallUsage;
use serde::Deserialize;
use serde_json::Value;

use crate::ProviderError;

/// A piece of what a model said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Part {
    /// Its text; empty for a part of another kind.
    pub text: String,
    /// Its place among all parts, by which grounding refers to it.
    #[serde(skip)]
    pub index: usize,
    thought: bool,
}

/// The whole answer. Protocol buffers leave out what is empty, so that everything may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Response {
    candidates: Vec<Candidate>,
    prompt_feedback: PromptFeedback,
    usage_metadata: UsageMetadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Candidate {
    content: Content,
    finish_reason: Option<String>,
    grounding_metadata: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Content {
    parts: Vec<Part>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PromptFeedback {
    block_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UsageMetadata {
    #[serde(rename = "promptTokenCount")]
    prompt: Option<u64>,
    #[serde(rename = "candidatesTokenCount")]
    candidates: Option<u64>,
    #[serde(rename = "thoughtsTokenCount")]
    thoughts: Option<u64>,
}

impl Response {
    pub(super) const fn usage(&self) -> CallUsage {
        CallUsage {
            prompt_tokens: self.usage_metadata.prompt,
            output_tokens: self.usage_metadata.candidates,
            thought_tokens: self.usage_metadata.thoughts,
            cost_micros: None,
            credits: None,
        }
    }

    /// The parts of a whole answer, without thoughts, and its grounding.
    pub(super) fn judged(
        self,
        provider: &'static str,
    ) -> Result<(Vec<Part>, Value), ProviderError> {
        let blocked = |reason: &str| ProviderError::Blocked {
            provider,
            reason: sentence(reason),
        };
        if let Some(reason) = self.prompt_feedback.block_reason {
            return Err(blocked(&reason));
        }
        let Some(candidate) = self.candidates.into_iter().next() else {
            return Err(ProviderError::Unusable {
                provider,
                message: "it has no candidate".to_owned(),
            });
        };
        match candidate.finish_reason.as_deref() {
            Some("STOP") => {}
            Some("MAX_TOKENS") => return Err(ProviderError::Cut { provider }),
            Some("MALFORMED_RESPONSE" | "OTHER" | "FINISH_REASON_UNSPECIFIED") | None => {
                let reason = candidate.finish_reason.unwrap_or("nothing".to_owned());
                return Err(ProviderError::Unusable {
                    provider,
                    message: sentence(&format!("it ends with {reason}")),
                });
            }
            // SAFETY, RECITATION, BLOCKLIST, PROHIBITED_CONTENT, SPII, LANGUAGE, and what is new.
            Some(reason) => return Err(blocked(reason)),
        }
        let parts = candidate.content.parts.into_iter().enumerate();
        let parts = parts.filter(|(_, part)| !part.thought);
        let parts = parts.map(|(index, part)| Part { index, ..part });
        Ok((parts.collect(), candidate.grounding_metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(response: Value) -> Result<String, String> {
        let response: Response = serde_json::from_value(response).unwrap();
        match response.judged("Gemini") {
            Ok((parts, _)) => Ok(parts.iter().map(|part| part.text.as_str()).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn ending(reason: &str) -> Value {
        json!({"candidates": [{"content": {"parts": [{"text": "half"}]}, "finishReason": reason}]})
    }

    #[test]
    fn thoughts_are_no_part_of_the_answer() {
        let parts = json!([{"text": "hm", "thought": true}, {"text": "a"}, {"text": "b"}]);
        let response =
            json!({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]});
        assert_eq!(judged(response), Ok("ab".to_owned()));
    }

    #[test]
    fn only_an_answer_that_stopped_by_itself_is_one() {
        let blocked_prompt = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}});
        for (response, error) in [
            (
                ending("MAX_TOKENS"),
                "the answer of Gemini was cut at its limit",
            ),
            (ending("SAFETY"), "Gemini holds its answer back: SAFETY"),
            (
                ending("RECITATION"),
                "Gemini holds its answer back: RECITATION",
            ),
            (
                ending("OTHER"),
                "the answer of Gemini cannot be used: it ends with OTHER",
            ),
            (
                blocked_prompt,
                "Gemini holds its answer back: PROHIBITED_CONTENT",
            ),
            (
                json!({}),
                "the answer of Gemini cannot be used: it has no candidate",
            ),
            (
                json!({"candidates": [{"content": {"parts": [{"text": "half"}]}}]}),
                "the answer of Gemini cannot be used: it ends with nothing",
            ),
        ] {
            assert_eq!(judged(response), Err(error.to_owned()));
        }
    }
}
