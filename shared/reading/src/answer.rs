//! What a caller reads in the end.

use nova_runtime::{Problem, fetch::Initiative, jobs::reason};
use nova_store::{Article, ItemState, JobItem};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{PageList, cleaned, list::Piece};

/// The result object.
#[derive(Serialize)]
struct Answer {
    status: &'static str,
    /// Pages that the article has now, those that it had before included.
    urls_processed: usize,
    urls_failed: usize,
    urls_total: usize,
    /// Of those processed: what the article had already.
    urls_unchanged: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    youtube_urls_ignored: Option<usize>,
    /// What was paid for these pages, in Firecrawl's unit.
    #[serde(skip_serializing_if = "is_zero")]
    firecrawl_credits: u64,
    /// What a language model left out of these pages, where one was asked (`SCRAPING_MODEL`).
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks_dropped: Option<usize>,
    /// Pages as they were read, because the model that was to clean them was of no use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_cleaned: Vec<NotRead>,
    failures: Vec<NotRead>,
    /// Pages that the article has from before and that cannot be had today.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stale: Vec<NotRead>,
    message: String,
}

/// A page, and why it was not read.
#[derive(Serialize)]
struct NotRead {
    url: String,
    /// A word that stays the same: `http_404`, `no_content`, `robots`, ….
    reason: String,
    /// The same in words.
    detail: String,
}

/// What was kept of a piece; see [`crate::page::keep`].
#[derive(Deserialize)]
struct Kept {
    outcome: String,
    reason: Option<String>,
    #[serde(default)]
    credits: u64,
}

pub(crate) fn answer<L: PageList>(article: &Article, pieces: &[JobItem]) -> Result<Value, Problem> {
    let (mut read, mut unchanged, mut videos, mut credits) = (0, 0, 0, 0);
    let (mut failures, mut stale) = (Vec::new(), Vec::new());
    let cleanings = pieces
        .iter()
        .filter(|it| matches!(Piece::of(&it.key), Piece::Clean(_)));
    let total = pieces.len() - cleanings.clone().count();
    let (blocks_dropped, not_cleaned) = cleaned(cleanings)?;
    let pages = pieces
        .iter()
        .filter(|it| matches!(Piece::of(&it.key), Piece::Read(_)));
    for piece in pages {
        let (ItemState::Done, Some(result)) = (piece.state, &piece.result) else {
            failures.push(NotRead::of(piece, piece.error.as_deref()));
            continue;
        };
        let kept: Kept = serde_json::from_str(result.get()).map_err(Problem::internal)?;
        credits += kept.credits;
        match &*kept.outcome {
            "read" => read += 1,
            "unchanged" => unchanged += 1,
            "video" => videos += 1,
            _ => stale.push(NotRead::of(piece, kept.reason.as_deref())),
        }
    }
    let (total, processed) = (total - videos, read + unchanged + stale.len());
    let unchanged = unchanged + stale.len();
    let answer = Answer {
        status: if processed == 0 && total > 0 {
            "warning"
        } else {
            "success"
        },
        urls_processed: processed,
        urls_failed: failures.len(),
        urls_total: total,
        urls_unchanged: unchanged,
        youtube_urls_ignored: (L::INITIATIVE == Initiative::Program).then_some(videos),
        firecrawl_credits: credits,
        blocks_dropped,
        message: message::<L>(article, processed, total, failures.len()),
        not_cleaned,
        failures,
        stale,
    };
    serde_json::to_value(answer).map_err(Problem::internal)
}

/// Blocks that were left out, and pages that are as they were read though they were to be cleaned.
fn cleaned<'a>(
    pieces: impl Iterator<Item = &'a JobItem>,
) -> Result<(Option<usize>, Vec<NotRead>), Problem> {
    let (mut dropped, mut not_cleaned) = (None, Vec::new());
    for piece in pieces {
        let Some(result) = &piece.result else {
            not_cleaned.push(NotRead::of(piece, piece.error.as_deref()));
            continue;
        };
        let kept: cleaned::Kept = serde_json::from_str(result.get()).map_err(Problem::internal)?;
        if let Some(blocks) = kept.blocks_dropped {
            dropped = Some(dropped.unwrap_or(0) + blocks);
        }
        if let Some(why) = &kept.not_cleaned {
            let why = format!("llm_unavailable: {why}");
            not_cleaned.push(NotRead::of(piece, Some(&why)));
        }
    }
    Ok((dropped, not_cleaned))
}

fn message<L: PageList>(
    article: &Article,
    processed: usize,
    total: usize,
    failed: usize,
) -> String {
    let (what, id) = (L::WHAT, article.id);
    if total == 0 {
        return format!(
            "There are no {what} to read for article guideline '{id}'. {}",
            L::FIRST
        );
    }
    let why = if failed > 0 {
        " `failures` says why the others were not."
    } else {
        ""
    };
    format!(
        "Scraped and cleaned {processed}/{total} {what} from article guideline '{id}'. Results saved to database.{why}"
    )
}

impl NotRead {
    fn of(piece: &JobItem, why: Option<&str>) -> Self {
        let (reason, detail) = reason(why.unwrap_or_default());
        let (Piece::Read(url) | Piece::Clean(url)) = Piece::of(&piece.key);
        Self {
            url: url.to_owned(),
            reason: reason.to_owned(),
            detail: detail.to_owned(),
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
