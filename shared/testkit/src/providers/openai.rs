//! OpenAI's chat completions: `POST /v1/chat/completions`, as OpenAI, Azure, Ollama, vLLM and others
//! speak it.
//!
//! A prompt that asks for JSON of a schema gets some that fits it, any other a sentence; tests
//! [say](OpenAi::says) otherwise for prompts that mention something. Some servers
//! [know no schemas](OpenAi::without_schemas). What is paid for is the first line of the first question;
//! its unit is the token.

use std::{
    io,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};

use super::{Answer, Received, StandIn, schema::example};

/// The key that it knows.
pub const KEY: &str = "sk-test";

/// What a model says.
#[derive(Clone, Debug)]
pub struct Completion {
    choice: Value,
    times: u32,
}

impl Completion {
    /// This text, to its end.
    pub fn text(text: impl Into<String>) -> Self {
        let message = json!({"role": "assistant", "content": text.into(), "refusal": null});
        Self {
            choice: json!({"index": 0, "message": message, "finish_reason": "stop"}),
            times: u32::MAX,
        }
    }

    /// That it will not, and why.
    pub fn refusal(reason: &str) -> Self {
        let message = json!({"role": "assistant", "content": null, "refusal": reason});
        Self {
            choice: json!({"index": 0, "message": message, "finish_reason": "stop"}),
            times: u32::MAX,
        }
    }

    /// Ending for another reason than its end: `length`, `content_filter`.
    #[must_use]
    pub fn ending(mut self, reason: &str) -> Self {
        self.choice["finish_reason"] = reason.into();
        self
    }

    /// Said so many times, and then no more.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

/// A server of chat completions on loopback.
#[derive(Clone)]
pub struct OpenAi {
    stand_in: StandIn,
    replies: Arc<Replies>,
}

type Replies = Mutex<Vec<(String, Completion)>>;

impl OpenAi {
    /// OpenAI's own.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        Self::serve(true).await
    }

    /// One that refuses `json_schema`, as smaller servers do.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn without_schemas() -> io::Result<Self> {
        Self::serve(false).await
    }

    async fn serve(knows_schemas: bool) -> io::Result<Self> {
        let replies = Arc::<Replies>::default();
        let known = Arc::clone(&replies);
        let stand_in = StandIn::start(move |received| complete(received, &known, knows_schemas));
        Ok(Self {
            stand_in: stand_in.await?,
            replies,
        })
    }

    /// What belongs in `OPENAI_BASE_URL`.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.stand_in.url())
    }

    /// Says what it says to prompts that mention something. What was said first is said first.
    pub fn says(&self, mention: impl Into<String>, completion: Completion) {
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.push((mention.into(), completion));
    }
}

impl Deref for OpenAi {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.stand_in
    }
}

fn complete(received: &Received, replies: &Replies, knows_schemas: bool) -> Answer {
    if received.method != "POST" || received.path() != "/v1/chat/completions" {
        return refused(404, "Invalid URL");
    }
    if received.bearer() != Some(KEY) {
        return refused(401, "Incorrect API key provided.");
    }
    let asked = received.json();
    let format = &asked["response_format"];
    let schema = match format["type"].as_str() {
        Some("json_schema") if !knows_schemas => {
            let unknown = "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.";
            return refused(400, unknown);
        }
        Some("json_schema") if format["json_schema"]["strict"] == true => {
            let schema = &format["json_schema"]["schema"];
            if !is_strict(schema) {
                return refused(400, "Invalid schema for response_format 'answer'");
            }
            Some(schema)
        }
        _ => None,
    };
    let first = asked["messages"].as_array().and_then(|all| {
        let question = all.iter().find(|message| message["role"] == "user")?;
        question["content"].as_str()?.lines().next()
    });
    let Some(first) = first else {
        return refused(400, "Missing required parameter: 'messages'.");
    };
    let completion = told(received, replies).unwrap_or_else(|| {
        Completion::text(match schema {
            Some(schema) => example(schema).to_string(),
            None => format!("A sentence about: {first}"),
        })
    });
    let prompt_tokens = received.body.len() as u64 / 4;
    let output_tokens = completion.choice.to_string().len() as u64 / 4;
    let response = json!({
        "id": "chatcmpl-stand-in",
        "object": "chat.completion",
        "model": asked["model"],
        "choices": [completion.choice],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": output_tokens,
            "total_tokens": prompt_tokens + output_tokens,
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    });
    Answer::json(200, &response).paid(first, prompt_tokens + output_tokens)
}

/// What the test said is said, if it still is.
fn told(received: &Received, replies: &Replies) -> Option<Completion> {
    let mut replies = replies.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, completion) = replies
        .iter_mut()
        .find(|(mention, completion)| completion.times > 0 && received.mentions(mention))?;
    completion.times -= 1;
    Some(completion.clone())
}

/// Strict schemas close every object and require every field of it.
fn is_strict(schema: &Value) -> bool {
    let is_closed = match schema["properties"].as_object() {
        Some(properties) => {
            let required = schema["required"].as_array().map_or(0, Vec::len);
            schema["additionalProperties"] == false && required == properties.len()
        }
        None => true,
    };
    let mut inner = schema["properties"].as_object().into_iter().flatten();
    is_closed
        && inner.all(|(_, schema)| is_strict(schema))
        && (schema["items"].is_null() || is_strict(&schema["items"]))
}

fn refused(status: u16, message: &str) -> Answer {
    let error =
        json!({"message": message, "type": "invalid_request_error", "param": null, "code": null});
    Answer::json(status, &json!({ "error": error }))
}
