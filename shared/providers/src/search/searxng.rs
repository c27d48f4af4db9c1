//! `SearXNG`: a search engine of search engines, on one's own machine. It costs nothing.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, StatusCode, header};
use nova_research::{findings::Findings, query::Query, url::Reach};
use nova_runtime::receipts::{CallUsage, Receipts};
use serde_json::Value;

use super::{Answered, Fields, Search};
use crate::{Api, ProviderError};

const FIELDS: Fields = Fields {
    passage: "content",
    dates: &["publishedDate"],
};

/// Nothing, which is not the same as that nobody tells.
const COST_MICROS: Option<u64> = Some(0);

pub(super) struct SearXng(pub(super) Api, pub(super) Reach);

impl Search for SearXng {
    fn provider(&self) -> &'static str {
        self.0.provider()
    }

    fn search<'a>(
        &'a self,
        query: &'a Query,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Answered, ProviderError>> {
        Box::pin(async move {
            let call = receipts.begin(self.provider(), None);
            let findings = self.ask(query).await;
            let usage = CallUsage {
                cost_micros: COST_MICROS,
                ..CallUsage::default()
            };
            call.end(ProviderError::outcome_of(&findings), usage);
            Ok(Answered {
                findings: findings?,
                cost_micros: COST_MICROS,
            })
        })
    }
}

impl SearXng {
    async fn ask(&self, query: &Query) -> Result<Findings, ProviderError> {
        let mut url = self.0.url("search")?;
        url.query_pairs_mut()
            .append_pair("q", query.as_str())
            .append_pair("format", "json");
        let request = Request::get(url.as_str()).header(header::ACCEPT, "application/json");
        let request = request
            .body(Bytes::new())
            .map_err(|error| self.0.unusable(error.to_string()))?;
        let response = self
            .0
            .send(request)
            .await
            .map_err(|error| self.told(error))?;
        let answer: Value = self.0.json(&response)?;
        let findings = FIELDS.sources(&self.0, self.1, &answer["results"])?;
        // Nothing found, because nobody was there to look: the engines block whoever asks often.
        let silent = answer["unresponsive_engines"].as_array();
        if answer["results"] == Value::Array(Vec::new())
            && silent.is_some_and(|engines| !engines.is_empty())
        {
            return Err(ProviderError::Busy {
                provider: self.provider(),
                status: StatusCode::SERVICE_UNAVAILABLE,
                message: "none of its search engines answers".to_owned(),
                after: None,
            });
        }
        Ok(findings)
    }

    /// It forbids formats that its settings do not list, and as installed they list HTML alone.
    fn told(&self, error: ProviderError) -> ProviderError {
        match error {
            ProviderError::Credentials { status, .. } if status == StatusCode::FORBIDDEN => {
                ProviderError::NotConfigured {
                    provider: self.provider(),
                    setting: "`formats: [html, json]` below `search:` in its settings.yml",
                }
            }
            other => other,
        }
    }
}
