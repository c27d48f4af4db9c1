//! Tavily. It is paid in credits, whose price is a matter of the contract.

use futures_util::future::BoxFuture;
use http::StatusCode;
use nova_research::query::Query;
use serde_json::{Value, json};

use super::{Answered, Fields, Search};
use crate::{Api, ProviderError};

const FIELDS: Fields = Fields {
    passage: "content",
    dates: &["published_date"],
};

const RESULTS: u32 = 10;
/// Passages of a page that fit the question, of some 800 characters each.
const PASSAGES: u32 = 3;

pub(super) struct Tavily(pub(super) Api);

impl Search for Tavily {
    fn provider(&self) -> &'static str {
        self.0.provider()
    }

    fn search<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Answered, ProviderError>> {
        Box::pin(async move {
            let body = json!({
                "query": query, "search_depth": "advanced", "max_results": RESULTS, "chunks_per_source": PASSAGES,
            });
            let answer: Value = self.0.post("search", &body).await.map_err(spent)?;
            Ok(Answered {
                findings: FIELDS.sources(&self.0, &answer["results"])?,
                cost_micros: None,
            })
        })
    }
}

/// Statuses of its own say that the credits of the plan, or of what was paid in advance, are spent.
fn spent(error: ProviderError) -> ProviderError {
    match error {
        ProviderError::Refused {
            provider,
            status,
            message,
        } if matches!(status.as_u16(), 432 | 433) => ProviderError::Credentials {
            provider,
            status: StatusCode::PAYMENT_REQUIRED,
            message,
        },
        other => other,
    }
}
