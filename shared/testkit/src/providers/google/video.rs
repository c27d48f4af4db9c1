//! Parts of videos: how they are named in a request, and what is said in them.

use std::fmt::Write as _;

use serde_json::Value;

use super::request::Refusal;

/// A part of a video on YouTube.
pub(super) struct Clip {
    pub(super) id: String,
    start: u64,
    end: u64,
    is_vertex: bool,
}

/// A part that was watched.
pub(super) struct Watched {
    pub(super) transcript: String,
    /// What watching it counts.
    pub(super) tokens: u64,
}

/// A sentence every so many seconds.
const STEP: usize = 30;
/// Of a second in low resolution, sound and all.
const TOKENS_PER_SECOND: u64 = 100;
/// What a model takes in.
const MOST_TOKENS: u64 = 1_048_576;

/// The video among the parts of a prompt, when there is one.
pub(super) fn clip(
    parts: &[Value],
    configuration: &Value,
    is_vertex: bool,
) -> Result<Option<Clip>, Refusal> {
    let Some(part) = parts.iter().find(|part| part.get("fileData").is_some()) else {
        return Ok(None);
    };
    let (file, metadata) = (&part["fileData"], &part["videoMetadata"]);
    if is_vertex && file["mimeType"].as_str().is_none_or(str::is_empty) {
        return Err(Refusal::argument(
            "The mimeType parameter in fileData is required.",
        ));
    }
    let url = file["fileUri"].as_str().unwrap_or_default();
    let id = url.strip_prefix("https://www.youtube.com/watch?v=");
    let Some(id) = id.filter(|id| id.len() == 11) else {
        return Err(Refusal::argument("Invalid or unsupported file uri."));
    };
    let fps = &metadata["fps"];
    if !fps.is_null() && !fps.as_f64().is_some_and(|fps| fps > 0.0 && fps <= 24.0) {
        return Err(Refusal::argument("fps must be in the range (0.0, 24.0]."));
    }
    let resolution = &configuration["mediaResolution"];
    let known = ["LOW", "MEDIUM", "HIGH"].map(|it| format!("MEDIA_RESOLUTION_{it}"));
    if !resolution.is_null() && !known.iter().any(|it| resolution == it) {
        return Err(Refusal::argument("Invalid value at media_resolution."));
    }
    let (start, end) = (&metadata["startOffset"], &metadata["endOffset"]);
    let (start, end) = (seconds(start, 0)?, seconds(end, u64::MAX)?);
    if start >= end {
        return Err(Refusal::argument("endOffset must be after startOffset."));
    }
    Ok(Some(Clip {
        id: id.to_owned(),
        start,
        end,
        is_vertex,
    }))
}

/// A duration as protocol buffers write it in JSON.
fn seconds(value: &Value, unsaid: u64) -> Result<u64, Refusal> {
    if value.is_null() {
        return Ok(unsaid);
    }
    let seconds = value.as_str().and_then(|it| it.strip_suffix('s'));
    let seconds = seconds.and_then(|it| it.parse().ok());
    seconds.ok_or_else(|| Refusal::argument("Illegal duration format; duration must end with 's'."))
}

impl Clip {
    /// As the ledger has it.
    pub(super) fn what(&self) -> String {
        format!("{} {}s-{}s", self.id, self.start, self.end)
    }

    /// What is said in it, when there is such a video and it has so many seconds. Of what lies
    /// behind its end nothing is said.
    pub(super) fn watch(&self, seconds: Option<u64>) -> Result<Watched, Refusal> {
        let Some(seconds) = seconds else {
            return Err(self.not_public());
        };
        let end = self.end.min(seconds);
        let tokens = end.saturating_sub(self.start) * TOKENS_PER_SECOND;
        if tokens > MOST_TOKENS {
            return Err(Refusal::argument(format!(
                "The input token count ({tokens}) exceeds the maximum number of tokens allowed ({MOST_TOKENS})."
            )));
        }
        let mut transcript = String::new();
        for at in (self.start..end).step_by(STEP) {
            // Writing to a String cannot fail.
            writeln!(transcript, "{} Said in {} at {at}.", stamp(at), self.id).ok();
        }
        if self.start < end {
            transcript.push_str(&stamp(end));
        }
        Ok(Watched { transcript, tokens })
    }

    fn not_public(&self) -> Refusal {
        if self.is_vertex {
            return Refusal::argument(
                "Cannot fetch content from the provided URL. Please ensure the URL is valid and accessible by Vertex AI before passing as fileUri in next request.",
            );
        }
        Refusal {
            status: 403,
            name: "PERMISSION_DENIED",
            message: "The caller does not have permission".to_owned(),
            reason: None,
        }
    }
}

fn stamp(second: u64) -> String {
    let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
    match hours {
        0 => format!("[{minutes:02}:{seconds:02}]"),
        _ => format!("[{hours}:{minutes:02}:{seconds:02}]"),
    }
}
