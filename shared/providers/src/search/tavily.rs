//! Tavily. It is paid in credits, whose price is a matter of the contract.

use futures_util::future::BoxFuture;
use http::StatusCode;
use nova_research::query::Query;
use nova_research::url::Reach;
use nova_runtime::receipts::{CallUsage, Receipts};
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

pub(super) struct Tavily(pub(super) Api, pub(super) Reach);

impl Search for Tavily {
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
                "query": query, "search_depth": "advanced", "max_results": RESULTS, "chunks_per_source": PASSAGES,
                "include_usage": true,
            });
            let (answer, call) = self
                .0
                .call::<Value>("search", &body, None, receipts)
                .await
                .map_err(spent)?;
            let findings = FIELDS.sources(&self.0, self.1, &answer["results"]);
            let usage = CallUsage {
                credits: answer["usage"]["credits"].as_u64(),
                ..CallUsage::default()
            };
            call.end(ProviderError::outcome_of(&findings), usage);
            Ok(Answered {
                findings: findings?,
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
            setting: "the plan behind TAVILY_API_KEY",
            status: StatusCode::PAYMENT_REQUIRED,
            message,
        },
        other => other,
    }
}
