//! What the caller is told.

use nova_providers::code::Code;
use nova_research::guideline::names_none;
use nova_runtime::Problem;
use nova_store::{ArticleId, JobItem};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the answer needs to know of a URL that was read.
#[derive(Deserialize, Serialize)]
pub(crate) struct Kept {
    unchanged: bool,
    #[serde(default)]
    tokens: usize,
}

impl Kept {
    pub(crate) fn unchanged() -> Result<Value, Problem> {
        Self {
            unchanged: true,
            tokens: 0,
        }
        .value()
    }

    pub(crate) fn code(code: &Code) -> Result<Value, Problem> {
        Self {
            unchanged: false,
            tokens: code.digest.tokens,
        }
        .value()
    }

    fn value(self) -> Result<Value, Problem> {
        serde_json::to_value(self).map_err(Problem::internal)
    }
}

/// The result. Users' scripts know the first four fields and the last.
#[derive(Serialize)]
pub(crate) struct Answer {
    status: &'static str,
    urls_processed: usize,
    urls_failed: usize,
    urls_total: usize,
    /// Of those that were processed: in them nothing has changed since the last time.
    urls_unchanged: usize,
    /// About, of what is new.
    tokens: usize,
    failures: Vec<Failed>,
    message: String,
}

#[derive(Serialize)]
struct Failed {
    url: String,
    reason: String,
}

impl Answer {
    /// `is_extracted`: whether the guideline's links were looked for.
    pub(crate) fn new(
        article: ArticleId,
        is_extracted: bool,
        pieces: &[JobItem],
    ) -> Result<Self, Problem> {
        let kept = pieces
            .iter()
            .filter_map(|piece| piece.result.as_ref())
            .map(|result| serde_json::from_str(result.get()))
            .collect::<Result<Vec<Kept>, _>>()
            .map_err(Problem::internal)?;
        let failures: Vec<Failed> = pieces
            .iter()
            .filter_map(|piece| {
                Some(Failed {
                    url: piece.key.clone(),
                    reason: piece.error.clone()?,
                })
            })
            .collect();
        let (processed, total) = (kept.len(), pieces.len());
        let message = match total {
            0 => names_none(article, is_extracted, "GitHub URLs"),
            _ => format!(
                "Processed {processed}/{total} GitHub URLs from article guideline '{article}'. \
                 Results saved to database."
            ),
        };
        Ok(Self {
            status: if processed == 0 && total > 0 {
                "warning"
            } else {
                "success"
            },
            urls_processed: processed,
            urls_failed: failures.len(),
            urls_total: total,
            urls_unchanged: kept.iter().filter(|it| it.unchanged).count(),
            tokens: kept.iter().map(|it| it.tokens).sum(),
            failures,
            message,
        })
    }
}
