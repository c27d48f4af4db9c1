//! What was asked, as far as the protocol allows it.

use serde_json::Value;

use super::{
    KEY,
    video::{self, Clip},
};
use crate::providers::Received;

/// A request that is good.
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) schema: Option<Value>,
    /// The part of a video that it is to watch.
    pub(super) clip: Option<Clip>,
    first_line: String,
}

/// A request that Google refuses.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) name: &'static str,
    pub(super) message: String,
    pub(super) reason: Option<&'static str>,
}

impl Refusal {
    pub(super) fn argument(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            name: "INVALID_ARGUMENT",
            message: message.into(),
            reason: None,
        }
    }
}

const FIELDS: &[&str] = &[
    "contents",
    "systemInstruction",
    "generationConfig",
    "tools",
    "toolConfig",
    "safetySettings",
    "cachedContent",
];

impl Asked {
    pub(super) fn read(received: &Received) -> Result<Self, Refusal> {
        let (model, is_vertex) = place(received)?;
        let body = received.json();
        let Some(fields) = body.as_object() else {
            return Err(Refusal::argument("Invalid JSON payload received."));
        };
        let unknown = fields
            .keys()
            .find(|it| !(FIELDS.contains(&it.as_str()) || is_vertex && *it == "labels"));
        if let Some(name) = unknown {
            return Err(Refusal::argument(format!(
                "Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."
            )));
        }
        let configuration = &body["generationConfig"];
        if !is_vertex && !configuration["audioTimestamp"].is_null() {
            return Err(Refusal::argument(
                "Invalid JSON payload received. Unknown name \"audioTimestamp\" at 'generation_config': Cannot find field.",
            ));
        }
        let schema = ["responseSchema", "responseJsonSchema"]
            .iter()
            .find_map(|name| configuration.get(name).cloned());
        let searches = body["tools"].as_array().into_iter().flatten();
        if schema.is_some()
            && searches
                .clone()
                .any(|tool| tool.get("googleSearch").is_some())
        {
            return Err(Refusal::argument(
                "controlled generation is not supported with google_search tool",
            ));
        }
        let parts = body["contents"][0]["parts"].as_array();
        let Some(parts) = parts.filter(|parts| !parts.is_empty()) else {
            return Err(Refusal::argument("contents is not specified"));
        };
        let clip = video::clip(parts, configuration, is_vertex)?;
        let text = parts.iter().find_map(|part| part["text"].as_str());
        let first_line = text
            .and_then(|text| text.lines().next())
            .unwrap_or_default();
        Ok(Self {
            model,
            schema,
            clip,
            first_line: first_line.to_owned(),
        })
    }

    /// What it is about, as the ledger has it.
    pub(super) fn what(&self) -> String {
        match &self.clip {
            Some(clip) => clip.what(),
            None => self.first_line.clone(),
        }
    }
}

/// Which model, and through which door; the right key for it.
fn place(received: &Received) -> Result<(String, bool), Refusal> {
    let not_found = || Refusal {
        status: 404,
        name: "NOT_FOUND",
        message: "Requested entity was not found.".to_owned(),
        reason: None,
    };
    let path = received.path().strip_suffix(":generateContent");
    let path = path
        .filter(|_| received.method == "POST")
        .ok_or_else(not_found)?;
    if let Some(model) = path.strip_prefix("/v1beta/models/") {
        if received.header("x-goog-api-key") != Some(KEY) {
            return Err(Refusal {
                reason: Some("API_KEY_INVALID"),
                ..Refusal::argument("API key not valid. Please pass a valid API key.")
            });
        }
        return Ok((model.to_owned(), false));
    }
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let [
        "v1" | "v1beta1",
        "projects",
        _,
        "locations",
        _,
        "publishers",
        "google",
        "models",
        model,
    ] = parts[..]
    else {
        return Err(not_found());
    };
    if received.bearer().is_none_or(str::is_empty) {
        return Err(Refusal {
            status: 401,
            name: "UNAUTHENTICATED",
            message: "Request is missing required authentication credential.".to_owned(),
            reason: Some("CREDENTIALS_MISSING"),
        });
    }
    Ok((model.to_owned(), true))
}
