//! Perplexity's Search API. Its price is by the request and not told in the answer.

use futures_util::future::BoxFuture;
use nova_research::query::Query;
use nova_research::url::Reach;
use nova_runtime::receipts::{CallUsage, Receipts};
use serde_json::{Value, json};

use super::{Answered, Fields, Search};
use crate::{Api, ProviderError};

const FIELDS: Fields = Fields {
    passage: "snippet",
    dates: &["date", "last_updated"],
};

/// Pages for a question.
const RESULTS: u32 = 10;
/// Of each page; about three thousand characters.
const TOKENS_OF_A_PAGE: u32 = 1024;

pub(super) struct Perplexity(pub(super) Api, pub(super) Reach);

impl Search for Perplexity {
    fn provider(&self) -> &'static str {
        self.0.provider()
    }

    fn search<'a>(
        &'a self,
        query: &'a Query,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Answered, ProviderError>> {
        Box::pin(async move {
            let body = json!({
                "query": query, "max_results": RESULTS, "max_tokens_per_page": TOKENS_OF_A_PAGE,
            });
            let (answer, call) = self
                .0
                .call::<Value>("search", &body, None, receipts)
                .await?;
            let findings = FIELDS.sources(&self.0, self.1, &answer["results"]);
            call.end(ProviderError::outcome_of(&findings), CallUsage::default());
            Ok(Answered {
                findings: findings?,
                cost_micros: None,
            })
        })
    }
}
