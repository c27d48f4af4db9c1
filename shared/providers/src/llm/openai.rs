//! Whoever speaks OpenAI's chat completions: OpenAI, Azure, Ollama, vLLM, ….

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use http::StatusCode;
use nova_research::questions::sentence;
use nova_runtime::{
    App,
    config::ModelsConfig,
    receipts::{CallUsage, Receipts},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    MODELS_AT_ONCE, Prompt,
    repair::{Said, Speak, Wrong},
    shape::Dialect,
};
use crate::{Api, Credentials, ProviderError};

/// The usual model of every step at OpenAI itself; elsewhere `LLM_MODEL` says which there is.
const USUAL_MODEL: &str = "gpt-5-mini";
/// Room for thoughts, which count as answer.
const ROOM_FOR_THOUGHTS: u32 = 8192;
/// What is repeated of a refusal.
const REFUSAL_CHARACTERS: usize = 300;

/// Chat completions, asked for JSON.
pub(super) struct OpenAi {
    api: Api,
    settings: ModelsConfig,
    /// The server said that it knows no schemas; it is asked for any JSON from then on, and told the
    /// schema in words.
    knows_no_schema: AtomicBool,
}

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Usage,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    completion_tokens_details: Details,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    reasoning_tokens: Option<u64>,
}

impl OpenAi {
    /// `None` without a key or an address.
    pub(super) fn new(app: &App) -> Option<Self> {
        let settings = &app.config().providers;
        let endpoint = settings.openai.as_ref()?;
        let credentials = endpoint
            .key
            .clone()
            .map_or(Credentials::None, Credentials::Bearer);
        let api = Api::new(
            "OpenAI",
            app.http().clone(),
            &endpoint.base_url,
            credentials,
        );
        Some(Self {
            api: api.known_by("OPENAI_API_KEY").at_once(MODELS_AT_ONCE),
            settings: settings.models.clone(),
            knows_no_schema: AtomicBool::new(false),
        })
    }

    async fn say<'a>(
        &'a self,
        prompt: &'a Prompt,
        wrong: Option<&Wrong>,
        format: Format,
        receipts: &'a Receipts,
    ) -> Result<Said<'a>, ProviderError> {
        let model = prompt.step.model(&self.settings).unwrap_or(USUAL_MODEL);
        let body = body(prompt, model, wrong, format);
        let (completion, call) = self
            .api
            .call::<Completion>("chat/completions", &body, Some(model), receipts)
            .await?;
        let thoughts = completion.usage.completion_tokens_details.reasoning_tokens;
        let usage = CallUsage {
            prompt_tokens: completion.usage.prompt_tokens,
            // It counts the thoughts among them.
            output_tokens: completion
                .usage
                .completion_tokens
                .map(|all| all.saturating_sub(thoughts.unwrap_or_default())),
            thought_tokens: thoughts,
            ..CallUsage::default()
        };
        match self.judged(completion) {
            Ok(text) => Ok(Said { text, usage, call }),
            Err(error) => {
                call.end(error.outcome(), usage);
                Err(error)
            }
        }
    }

    /// The text of a whole answer.
    fn judged(&self, completion: Completion) -> Result<String, ProviderError> {
        let provider = self.api.provider();
        let blocked = |reason: &str| ProviderError::Blocked {
            provider,
            reason: sentence(reason).chars().take(REFUSAL_CHARACTERS).collect(),
        };
        let Some(choice) = completion.choices.into_iter().next() else {
            return Err(self.api.unusable("it has no choice"));
        };
        if let Some(refusal) = choice.message.refusal {
            return Err(blocked(&refusal));
        }
        match (choice.finish_reason.as_deref(), choice.message.content) {
            (Some("stop"), Some(text)) => Ok(text),
            (Some("length"), _) => Err(ProviderError::Cut { provider }),
            (Some("content_filter"), _) => Err(blocked("content_filter")),
            (reason, _) => {
                let reason = reason.unwrap_or("nothing");
                Err(self.api.unusable(format!("it ends with {reason}")))
            }
        }
    }
}

impl Speak for OpenAi {
    fn provider(&self) -> &'static str {
        self.api.provider()
    }

    fn speak<'a>(
        &'a self,
        prompt: &'a Prompt,
        wrong: Option<Wrong>,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Said<'a>, ProviderError>> {
        Box::pin(async move {
            if !self.knows_no_schema.load(Ordering::Relaxed) {
                let said = self.say(prompt, wrong.as_ref(), Format::Schema, receipts);
                match said.await {
                    Err(error) if is_about_schemas(&error) => {
                        self.knows_no_schema.store(true, Ordering::Relaxed);
                    }
                    said => return said,
                }
            }
            let said = self.say(prompt, wrong.as_ref(), Format::AnyJson, receipts);
            said.await
        })
    }
}

/// How the answer's form is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    /// By a schema that the server holds the model to.
    Schema,
    /// As JSON, and the schema in words.
    AnyJson,
}

fn body(prompt: &Prompt, model: &str, wrong: Option<&Wrong>, format: Format) -> Value {
    let schema = prompt.shape.schema(Dialect::JsonSchema);
    let system = match format {
        Format::Schema => prompt.system.clone(),
        Format::AnyJson => format!(
            "{}\n\nAnswer with one JSON object of this schema and nothing else:\n{schema}",
            prompt.system
        ),
    };
    let mut messages = vec![
        json!({"role": "system", "content": system}),
        // As one text: not every server takes it in parts.
        json!({"role": "user", "content": prompt.parts.join("\n\n")}),
    ];
    if let Some(wrong) = wrong {
        messages.push(json!({"role": "assistant", "content": wrong.answer}));
        messages.push(json!({"role": "user", "content": wrong.request()}));
    }
    let format = match format {
        Format::Schema => {
            let strict = json!({"name": prompt.name, "strict": true, "schema": schema});
            json!({"type": "json_schema", "json_schema": strict})
        }
        Format::AnyJson => json!({"type": "json_object"}),
    };
    json!({
        "model": model,
        "messages": messages,
        "response_format": format,
        "max_completion_tokens": prompt.answer_tokens + ROOM_FOR_THOUGHTS,
    })
}

/// Whether this is how a server says that it knows no schemas.
fn is_about_schemas(error: &ProviderError) -> bool {
    let ProviderError::Refused {
        status, message, ..
    } = error
    else {
        return false;
    };
    let message = message.to_ascii_lowercase();
    let about = ["response_format", "schema"];
    matches!(
        *status,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY
    ) && about.iter().any(|word| message.contains(word))
}
