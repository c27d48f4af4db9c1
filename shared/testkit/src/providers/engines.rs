//! Search engines that list results and nothing else: Tavily (`POST /search`) and `SearXNG`
//! (`GET /search?format=json`).
//!
//! A search costs two credits at Tavily (`search_depth` advanced), and nothing at one's own `SearXNG`;
//! both are written down, so that it is seen how often they were asked.

use std::{io, ops::Deref};

use serde_json::{Value, json};

use super::{
    Answer, Received, StandIn,
    told::{Told, word_of},
};

/// The key that Tavily knows.
pub const KEY: &str = "tvly-test";

/// One of the two, on loopback.
#[derive(Clone)]
pub struct Engine {
    stand_in: StandIn,
    told: Told,
}

impl Engine {
    /// A Tavily.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn tavily() -> io::Result<Self> {
        Self::start(tavily).await
    }

    /// A `SearXNG` whose settings allow JSON.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn searxng() -> io::Result<Self> {
        Self::start(searxng).await
    }

    async fn start(answer: fn(&Received, &Told) -> Answer) -> io::Result<Self> {
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

impl Deref for Engine {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.stand_in
    }
}

fn tavily(received: &Received, told: &Told) -> Answer {
    if received.path() != "/search" || received.method != "POST" {
        return Answer::json(404, &json!({"detail": "Not Found"}));
    }
    if received.bearer() != Some(KEY) {
        let error = "Unauthorized: missing or invalid API key.";
        return Answer::json(401, &json!({"detail": {"error": error}}));
    }
    let arguments = received.json();
    let question = arguments["query"].as_str().unwrap_or_default();
    if question.is_empty() || question.chars().count() > 400 {
        let error = "Query is too long. Max query length is 400 characters.";
        return Answer::json(400, &json!({"detail": {"error": error}}));
    }
    let usual = || {
        json!({
            "query": question, "answer": null, "images": [], "response_time": 0.1, "request_id": "stand-in",
            "results": results(question), "usage": {"credits": 2},
        })
    };
    Answer::json(200, &told.to(question).unwrap_or_else(usual)).paid(question, 2)
}

fn searxng(received: &Received, told: &Told) -> Answer {
    if received.path() != "/search" {
        return Answer::new(404, "text/html", "<h1>Page not found</h1>");
    }
    if received.parameter("format").as_deref() != Some("json") {
        return Answer::new(200, "text/html", "<html><h1>SearXNG</h1></html>");
    }
    let question = received.parameter("q").unwrap_or_default();
    let usual = || {
        json!({
            "query": question, "number_of_results": 0, "results": results(&question),
            "answers": [], "suggestions": [], "unresponsive_engines": [],
        })
    };
    Answer::json(200, &told.to(&question).unwrap_or_else(usual)).paid(question, 0)
}

/// Two results, with the fields of both.
fn results(question: &str) -> [Value; 2] {
    let word = word_of(question);
    [1, 2].map(|number| {
        let url = format!("https://engine.example.com/{word}/{number}");
        json!({
            "title": format!("Title of {url}"), "content": format!("What {url} says to: {question}"),
            "url": url, "score": 0.9, "engine": "stand-in", "publishedDate": "2026-03-01T00:00:00",
        })
    })
}
