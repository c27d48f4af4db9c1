//! What the caller is told.

use std::collections::BTreeMap;

use nova_research::{guideline::names_none, transcript::clock};
use nova_runtime::{Problem, jobs::reason};
use nova_store::{ArticleId, JobItem};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::part::VideoPart;

/// What the answer needs to know of a part that is there. A video goes on until a part says that it
/// is whole, or one is given up.
#[derive(Deserialize, Serialize)]
pub(crate) struct Kept {
    /// It was there before.
    unchanged: bool,
    /// Who gave it.
    #[serde(default)]
    provider: Option<String>,
}

impl Kept {
    pub(crate) const fn new(provider: Option<String>) -> Self {
        Self {
            unchanged: false,
            provider,
        }
    }

    pub(crate) const fn unchanged(provider: Option<String>) -> Self {
        Self {
            unchanged: true,
            provider,
        }
    }

    pub(crate) fn value(self) -> Result<Value, Problem> {
        serde_json::to_value(self).map_err(Problem::internal)
    }
}

/// The result. Users' scripts know the first four fields and the last.
#[derive(Serialize)]
pub(crate) struct Answer {
    status: &'static str,
    /// Videos that the article has to their end.
    videos_processed: usize,
    videos_failed: usize,
    videos_total: usize,
    /// Of those that were processed: transcribed before, and not paid for again.
    videos_unchanged: usize,
    /// Of those that were processed, in the order of the guideline: who gave their transcripts.
    transcripts: Vec<Transcript>,
    failures: Vec<Failed>,
    message: String,
}

#[derive(Serialize)]
struct Transcript {
    url: String,
    /// `Gemini`, `Vertex AI`, `YouTube captions`, `YouTube captions (generated)`.
    provider: String,
}

#[derive(Serialize)]
struct Failed {
    url: String,
    /// A word that stays the same: `unavailable`, `too_long`, `blocked`, ….
    reason: String,
    /// The same in words, and how far the video is transcribed.
    detail: String,
}

impl Answer {
    /// `is_extracted`: whether the guideline's links were looked for.
    pub(crate) fn new(
        article: ArticleId,
        is_extracted: bool,
        pieces: &[JobItem],
    ) -> Result<Self, Problem> {
        let videos = videos(pieces)?;
        let failures: Vec<Failed> = videos.iter().filter_map(Parts::failure).collect();
        let transcripts = videos.iter().filter_map(Parts::transcript).collect();
        let unchanged = videos.iter().filter(|parts| parts.is_unchanged()).count();
        let (total, failed) = (videos.len(), failures.len());
        let processed = total - failed;
        let message = match total {
            0 => names_none(article, is_extracted, "YouTube videos"),
            _ => format!(
                "Transcribed {processed}/{total} YouTube videos from article guideline '{article}'. \
                 Results saved to database."
            ),
        };
        Ok(Self {
            status: match processed {
                _ if processed == total => "success",
                0 => "warning",
                _ => "partial",
            },
            videos_processed: processed,
            videos_failed: failed,
            videos_total: total,
            videos_unchanged: unchanged,
            transcripts,
            failures,
            message,
        })
    }
}

/// The parts of one video.
struct Parts {
    url: String,
    kept: Vec<Kept>,
    /// Where it was given up, and why.
    given_up: Option<(u64, String)>,
}

impl Parts {
    fn is_unchanged(&self) -> bool {
        self.given_up.is_none() && self.kept.iter().all(|kept| kept.unchanged)
    }

    /// Of several parts, the last tells.
    fn transcript(&self) -> Option<Transcript> {
        let last = self.kept.last().filter(|_| self.given_up.is_none())?;
        Some(Transcript {
            url: self.url.clone(),
            provider: last.provider.clone()?,
        })
    }

    fn failure(&self) -> Option<Failed> {
        let (start, why) = self.given_up.as_ref()?;
        let (reason, words) = reason(why);
        let detail = match start {
            0 => words.to_owned(),
            start => format!(
                "{words}. Up to {} it is transcribed and kept; another call goes on from there.",
                clock(*start)
            ),
        };
        Some(Failed {
            url: self.url.clone(),
            reason: reason.to_owned(),
            detail,
        })
    }
}

/// The pieces by their video, in the order in which the guideline names them.
fn videos(pieces: &[JobItem]) -> Result<Vec<Parts>, Problem> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut videos: Vec<Parts> = Vec::new();
    for piece in pieces {
        let part = VideoPart::parse(&piece.key)?;
        let place = *places.entry(part.identity).or_insert(videos.len());
        if place == videos.len() {
            videos.push(Parts {
                url: part.url,
                kept: Vec::new(),
                given_up: None,
            });
        }
        let Some(video) = videos.get_mut(place) else {
            continue;
        };
        if let Some(error) = &piece.error {
            video.given_up = Some((part.start, error.clone()));
        }
        if let Some(result) = &piece.result {
            let kept = serde_json::from_str(result.get()).map_err(Problem::internal)?;
            video.kept.push(kept);
        }
    }
    Ok(videos)
}

#[cfg(test)]
mod tests {
    use nova_store::ItemState;
    use serde_json::{json, value::to_raw_value};
    use uuid::Uuid;

    use super::*;

    fn new() -> Kept {
        Kept::new(Some("Gemini".to_owned()))
    }

    fn url(id: &str) -> String {
        format!("https://www.youtube.com/watch?v={id}")
    }

    fn piece(key: String, came: Result<Kept, &str>) -> JobItem {
        let (result, error) = match came {
            Ok(kept) => (Some(to_raw_value(&kept).unwrap()), None),
            Err(error) => (None, Some(error.to_owned())),
        };
        let state = match error {
            None => ItemState::Done,
            Some(_) => ItemState::Failed,
        };
        JobItem {
            position: 0,
            key,
            state,
            result,
            error,
        }
    }

    #[test]
    fn a_video_is_processed_when_all_of_it_is() {
        let (one, two, three) = (url("aaaaaaaaaaa"), url("bbbbbbbbbbb"), url("ccccccccccc"));
        let pieces = [
            piece(one.clone(), Ok(new())),
            piece(two.clone(), Err("unavailable: it is private (403): no")),
            piece(
                three.clone(),
                Ok(Kept::unchanged(Some("YouTube captions".to_owned()))),
            ),
            piece(
                format!("{one}&t=1800"),
                Err("provider: Gemini is busy (tried 4 times)"),
            ),
        ];
        let answer = Answer::new(Uuid::nil(), true, &pieces).unwrap();
        let answer = serde_json::to_value(answer).unwrap();
        assert_eq!(answer["status"], "partial");
        assert_eq!(
            (
                &answer["videos_processed"],
                &answer["videos_failed"],
                &answer["videos_total"],
                &answer["videos_unchanged"]
            ),
            (&json!(1), &json!(2), &json!(3), &json!(1))
        );
        let transcripts = json!([{"url": three, "provider": "YouTube captions"}]);
        assert_eq!(answer["transcripts"], transcripts);
        assert_eq!(
            answer["failures"],
            json!([
                {"url": one, "reason": "provider",
                 "detail": "Gemini is busy (tried 4 times). Up to 30:00 it is transcribed and kept; another call goes on from there."},
                {"url": two, "reason": "unavailable", "detail": "it is private (403): no"},
            ])
        );
    }

    #[test]
    fn none_of_some_is_a_warning_and_none_of_none_a_success() {
        let failed = [piece(url("aaaaaaaaaaa"), Err("failed on our side"))];
        let answer = Answer::new(Uuid::nil(), true, &failed).unwrap();
        assert_eq!((answer.status, answer.videos_failed), ("warning", 1));
        assert_eq!(answer.failures[0].reason, "internal");
        let answer = Answer::new(Uuid::nil(), false, &[]).unwrap();
        assert_eq!(answer.status, "success");
        assert!(answer.message.contains("extract_guidelines_urls"));
    }
}
