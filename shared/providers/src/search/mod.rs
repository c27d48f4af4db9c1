//! Search: a question in, sources out, each with the passage that answers.
//!
//! | `SEARCH_PROVIDER` | Who | Needs |
//! | --- | --- | --- |
//! | `perplexity` | Perplexity's Search API: ranked pages, no model between us and them | `PPLX_API_KEY` |
//! | `sonar` | Perplexity's model that searches and cites | `PPLX_API_KEY` |
//! | `tavily` | Tavily: pages with the passages that fit the question | `TAVILY_API_KEY` |
//! | `searxng` | one's own `SearXNG`, which nobody pays | `SEARXNG_BASE_URL` |
//! | `gemini` | Google's models that search, by key | `GOOGLE_API_KEY` |
//! | `vertex` | the same by IAM, without a key | `GOOGLE_CLOUD_PROJECT` |
//!
//! When it is not set, the first of `perplexity`, `tavily`, `searxng`, `gemini` that is configured, and
//! then `vertex` where `VERTEX_LOCATION` says that it is wanted. Tavily and
//! not Brave, because what is kept of a source is its passage: Tavily picks up to three of the page
//! for the question, Brave describes the page in a line, and wants another contract where results
//! are stored.
//!
//! No URL comes from what a model wrote: they are those that the provider lists as found. What is
//! then believed of them is [`Findings`]' business.

mod choice;
mod grounding;
mod perplexity;
mod searxng;
mod sonar;
mod tavily;

use futures_util::future::BoxFuture;
use nova_research::findings::{Findings, Hit};
use nova_research::query::Query;
use nova_research::url::Reach;
use nova_runtime::receipts::Receipts;
use serde_json::Value;

pub use self::choice::{chosen, configured, not_configured};
use crate::{Api, ProviderError};

/// What a question brought.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// The sources, and what was left out.
    pub findings: Findings,
    /// What the provider asks for the call, in millionths of a US dollar, where it tells.
    pub cost_micros: Option<u64>,
}

/// Somebody who searches.
pub trait Search: Send + Sync {
    /// Who that is, as messages name it.
    fn provider(&self) -> &'static str;

    /// Asks one question, in one paid call, which leaves its receipt.
    fn search<'a>(
        &'a self,
        query: &'a Query,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Answered, ProviderError>>;
}

/// The names that a provider gives to the fields of a result.
struct Fields {
    passage: &'static str,
    /// The first that is there counts.
    dates: &'static [&'static str],
}

impl Fields {
    /// The sources of a list of results. A result that is not what it should be is left out, and
    /// takes no other with it.
    fn sources(&self, api: &Api, reach: Reach, results: &Value) -> Result<Findings, ProviderError> {
        let results = results
            .as_array()
            .ok_or_else(|| api.unusable("it has no list of results"))?;
        let hits = results.iter().map(|it| self.hit(it));
        Ok(Findings::within(reach, hits))
    }

    fn hit(&self, result: &Value) -> Hit {
        Hit {
            title: text(&result["title"]),
            published: self.dates.iter().find_map(|name| text(&result[*name])),
            ..Hit::new(
                text(&result["url"]).unwrap_or_default(),
                text(&result[self.passage]).unwrap_or_default(),
            )
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
