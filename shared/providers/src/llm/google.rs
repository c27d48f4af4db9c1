//! Google's models as language models for JSON.

use futures_util::future::BoxFuture;
use nova_runtime::{config::ModelsConfig, receipts::Receipts};
use serde_json::{Value, json};

use super::{
    Prompt,
    repair::{Said, Speak, Wrong},
    shape::Dialect,
};
use crate::{GoogleModels, ProviderError};

/// The usual model of every step: it is quick, and reads a million tokens.
const USUAL_MODEL: &str = "gemini-2.5-flash";
/// What the models of 2.5 may think before they answer; without it they think as long as they like.
const THOUGHT_TOKENS: u32 = 1024;
/// Room for the thoughts of models whose thinking cannot be told in tokens: it counts as answer.
const ROOM_FOR_THOUGHTS: u32 = 8192;

/// Google's models, asked for JSON.
pub(super) struct Google {
    models: GoogleModels,
    settings: ModelsConfig,
}

impl Google {
    pub(super) fn new(models: GoogleModels, settings: &ModelsConfig) -> Self {
        Self {
            models,
            settings: settings.clone(),
        }
    }
}

impl Speak for Google {
    fn provider(&self) -> &'static str {
        self.models.provider()
    }

    fn speak<'a>(
        &'a self,
        prompt: &'a Prompt,
        wrong: Option<Wrong>,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Said<'a>, ProviderError>> {
        Box::pin(async move {
            let model = prompt.step.model(&self.settings).unwrap_or(USUAL_MODEL);
            let body = body(prompt, model, wrong.as_ref());
            let said = self
                .models
                .generate(model, prompt.tool, body, receipts)
                .await?;
            Ok(Said {
                text: said.text(),
                usage: said.usage,
                call: said.call,
            })
        })
    }
}

fn body(prompt: &Prompt, model: &str, wrong: Option<&Wrong>) -> Value {
    let parts: Vec<Value> = prompt
        .parts
        .iter()
        .map(|text| json!({"text": text}))
        .collect();
    let mut contents = vec![json!({"role": "user", "parts": parts})];
    if let Some(wrong) = wrong {
        contents.push(json!({"role": "model", "parts": [{"text": wrong.answer}]}));
        contents.push(json!({"role": "user", "parts": [{"text": wrong.request()}]}));
    }
    let mut body = json!({
        "systemInstruction": {"parts": [{"text": prompt.system}]},
        "contents": contents,
        "generationConfig": {
            "candidateCount": 1,
            "maxOutputTokens": prompt.answer_tokens + ROOM_FOR_THOUGHTS,
            "responseMimeType": "application/json",
            "responseSchema": prompt.shape.schema(Dialect::Google),
        },
    });
    // Others refuse the field, or count their thinking in other words.
    if model.starts_with("gemini-2.5") {
        let thinking = json!({"thinkingBudget": THOUGHT_TOKENS, "includeThoughts": false});
        body["generationConfig"]["thinkingConfig"] = thinking;
    }
    body
}
