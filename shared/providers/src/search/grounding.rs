//! Google's models that search with Google: an answer in prose, and beside it which bytes of it come
//! from which page.
//!
//! One call: the models refuse a schema together with a search, so that prose is asked for, and what
//! each page says is put together from the segments that it supports. A page is named by a redirect
//! that expires. Where it leads is read from its `Location` without going there, and only of Google's
//! own host; the redirect itself is never kept.
//!
//! Whoever shows such an answer to the public as it is owes Google its search suggestions as well
//! (`searchEntryPoint`); what is kept here are passages of sources.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use http::{Request, header};
use nova_research::findings::{Findings, Hit, LeftOut};
use nova_research::query::Query;
use nova_runtime::{
    HttpClient,
    http_client::Limits,
    receipts::{CallOutcome, Receipts},
};
use serde_json::{Value, json};
use url::Url;

use super::{Answered, Search, text};
use crate::{GoogleModels, Part, ProviderError};

const USUAL_MODEL: &str = "gemini-2.5-flash";

const INSTRUCTIONS: &str = "Search the web and answer from official and primary sources. Say all that \
they say about the question, and nothing that none of them says.";

/// Who is told to pay, where there are labels.
const TOOL: &str = "run_perplexity_research";

/// Where Google's redirects are.
const REDIRECT_ORIGIN: &str = "https://vertexaisearch.cloud.google.com";
const REDIRECT_PATH: &str = "/grounding-api-redirect/";
/// A redirect has no body to speak of.
const REDIRECT_LIMITS: Limits = Limits {
    deadline: Duration::from_secs(10),
    response_bytes: 64 << 10,
};
/// A redirect that could not be read is a page that was paid for and is lost.
const REDIRECT_TRIES: usize = 2;

pub(super) struct Grounding {
    pub(super) models: GoogleModels,
    pub(super) http: HttpClient,
    /// Where the models are: a stand-in has its redirects at the same place.
    pub(super) base_url: Url,
    pub(super) model: Option<String>,
}

impl Search for Grounding {
    fn provider(&self) -> &'static str {
        self.models.provider()
    }

    fn search<'a>(
        &'a self,
        query: &'a Query,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Answered, ProviderError>> {
        Box::pin(async move {
            let body = json!({
                "systemInstruction": {"parts": [{"text": INSTRUCTIONS}]},
                "contents": [{"role": "user", "parts": [{"text": query}]}],
                "tools": [{"googleSearch": {}}],
            });
            let model = self.model.as_deref().unwrap_or(USUAL_MODEL);
            let said = self.models.generate(model, TOOL, body, receipts).await?;
            let hits = hits(&said.parts, &said.grounding);
            said.call.end(CallOutcome::Answered, said.usage);
            let found = join_all(hits.into_iter().map(|hit| self.resolved(hit))).await;
            let dead = found.iter().filter(|hit| hit.is_none()).count();
            let mut findings = Findings::of(found.into_iter().flatten());
            findings.leave_out(LeftOut::DeadRedirect, dead as u64);
            Ok(Answered {
                findings,
                cost_micros: None,
            })
        })
    }
}

impl Grounding {
    /// The page itself in the place of a redirect; `None` when it leads nowhere.
    async fn resolved(&self, hit: Hit) -> Option<Hit> {
        let Some(redirect) = self.redirect(&hit.url) else {
            // Named directly, and judged like any other.
            return Some(hit);
        };
        // Nothing is asked for what would be left out.
        if hit.passage.trim().is_empty() {
            return Some(Hit {
                url: String::from(redirect),
                ..hit
            });
        }
        for _try in 0..REDIRECT_TRIES {
            let request = Request::get(redirect.as_str()).body(Bytes::new()).ok()?;
            let Ok(response) = self.http.send(request, REDIRECT_LIMITS).await else {
                continue;
            };
            if !response.status().is_redirection() {
                return None;
            }
            let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
            let page = redirect.join(location).ok()?;
            // From one redirect to the next: none of them is a source.
            if self.redirect(page.as_str()).is_some() {
                return None;
            }
            return Some(Hit {
                url: page.into(),
                ..hit
            });
        }
        None
    }

    /// A URL that is one of Google's redirects.
    fn redirect(&self, url: &str) -> Option<Url> {
        let url = Url::parse(url).ok()?;
        let origin = url.origin();
        let is_googles = origin.ascii_serialization() == REDIRECT_ORIGIN;
        let is_there = is_googles || origin == self.base_url.origin();
        (is_there && url.path().starts_with(REDIRECT_PATH)).then_some(url)
    }
}

/// A hit for each page, with the segments that it supports, in their order.
fn hits(parts: &[Part], grounding: &Value) -> Vec<Hit> {
    let chunks = grounding["groundingChunks"]
        .as_array()
        .into_iter()
        .flatten();
    let mut hits: Vec<Hit> = chunks
        .map(|chunk| Hit {
            // Mostly the name of the site, which is no title.
            title: text(&chunk["web"]["title"]).filter(|title| title.contains(' ')),
            ..Hit::new(text(&chunk["web"]["uri"]).unwrap_or_default(), "")
        })
        .collect();
    for support in grounding["groundingSupports"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let Some(segment) = segment(parts, &support["segment"]) else {
            continue;
        };
        let pages = support["groundingChunkIndices"]
            .as_array()
            .into_iter()
            .flatten();
        for page in pages.filter_map(|page| usize::try_from(page.as_u64()?).ok()) {
            let Some(hit) = hits.get_mut(page) else {
                continue;
            };
            if !hit.passage.is_empty() {
                hit.passage.push('\n');
            }
            hit.passage.push_str(segment);
        }
    }
    hits
}

/// The bytes of the answer that a segment names; what is not whole characters is none.
fn segment<'a>(parts: &'a [Part], segment: &Value) -> Option<&'a str> {
    // What is zero is left out.
    let number = |name: &str| usize::try_from(segment[name].as_u64().unwrap_or_default()).ok();
    let index = number("partIndex")?;
    let part = parts.iter().find(|part| part.index == index)?;
    let text = part.text.get(number("startIndex")?..number("endIndex")?)?;
    Some(text.trim()).filter(|text| !text.is_empty())
}
