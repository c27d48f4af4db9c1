//! Perplexity: its Search API (`POST /search`) and Sonar (`POST /chat/completions`).
//!
//! The shapes are those of its own client, version 0.38, and of a recorded call. Both cost when they
//! answer: a search a request, Sonar what `usage.cost` tells, in millionths of a dollar.

use std::{io, ops::Deref};

use serde_json::{Value, json};

use super::{
    Answer, Received, StandIn,
    told::{Told, word_of},
};

/// The key that it knows.
pub const KEY: &str = "pplx-test";

/// What one call of Sonar costs, in US dollars.
pub const SONAR_COST: f64 = 0.0125;

/// A Perplexity on loopback.
#[derive(Clone)]
pub struct Perplexity {
    stand_in: StandIn,
    told: Told,
}

impl Perplexity {
    /// One that answers every question with two pages of its own and one that all questions find.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        let told = Told::default();
        let knows = told.clone();
        let stand_in = StandIn::start(move |received| answer(received, &knows));
        Ok(Self {
            stand_in: stand_in.await?,
            told,
        })
    }

    /// Answers questions that mention this with this body.
    pub fn answers(&self, mention: impl Into<String>, body: Value) {
        self.told.answer(mention.into(), body);
    }
}

impl Deref for Perplexity {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.stand_in
    }
}

fn answer(received: &Received, told: &Told) -> Answer {
    if received.bearer() != Some(KEY) {
        let error =
            json!({"message": "Invalid API key provided.", "type": "invalid_api_key", "code": 401});
        return Answer::json(401, &json!({ "error": error }));
    }
    let arguments = received.json();
    let (question, usual): (_, fn(&str) -> Value) = match received.path() {
        "/search" => (arguments["query"].as_str(), search),
        "/chat/completions" => {
            let messages = arguments["messages"].as_array();
            let last = messages.and_then(|all| all.last()?["content"].as_str());
            (last.filter(|_| arguments["model"].is_string()), sonar)
        }
        _ => return Answer::json(404, &json!({"error": {"message": "Not Found"}})),
    };
    let Some(question) = question.filter(|it| !it.is_empty()) else {
        let error =
            json!({"message": "A question is required.", "type": "bad_request", "code": 400});
        return Answer::json(400, &json!({ "error": error }));
    };
    let body = told.to(question).unwrap_or_else(|| usual(question));
    let micros = body["usage"]["cost"]["total_cost"]
        .as_f64()
        .unwrap_or(0.005)
        * 1e6;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a price is small and not negative"
    )]
    Answer::json(200, &body).paid(question, micros as u64)
}

/// Pages whose addresses tell the question; the last is the same for all.
fn pages(question: &str) -> [(String, String); 3] {
    let word = word_of(question);
    [
        format!("https://docs.example.com/{word}/1"),
        format!("https://blog.example.org/{word}/2"),
        "https://arxiv.org/abs/2310.11511".to_owned(),
    ]
    .map(|url| {
        let title = format!("Title of {url}");
        (url, title)
    })
}

fn search(question: &str) -> Value {
    let results = pages(question).map(|(url, title)| {
        json!({
            "title": title, "url": url, "date": "2026-03-01", "last_updated": "2026-04-01",
            "snippet": format!("What {url} says to: {question}"),
        })
    });
    json!({"id": "stand-in", "results": results, "server_time": null})
}

fn sonar(question: &str) -> Value {
    let pages = pages(question);
    let said: Vec<String> = (1..)
        .zip(&pages)
        .map(|(number, (url, _))| format!("What {url} says to: {question} [{number}]."))
        .collect();
    let prose = said.join("\n");
    let results = pages
        .clone()
        .map(|(url, title)| json!({"title": title, "url": url, "date": null}));
    json!({
        "id": "stand-in", "model": "sonar-pro", "object": "chat.completion", "created": 1_763_000_000,
        "usage": {
            "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
            "search_context_size": "low", "cost": {"total_cost": SONAR_COST},
        },
        "citations": pages.map(|(url, _)| url),
        "search_results": results,
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": prose}, "delta": {"role": "assistant", "content": ""},
        }],
    })
}
