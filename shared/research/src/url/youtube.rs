//! Which video a YouTube URL means.

use nova_web::is_within;
use url::Url;

use super::Canonical;

/// What a URL on one of YouTube's hosts is.
pub(super) enum Youtube {
    /// A video, in its one canonical form.
    Video(Canonical),
    /// A channel, a playlist, a search: nothing that can be transcribed.
    NotAVideo,
}

/// Reads a URL by its host; `None` when the host is not YouTube's.
pub(super) fn read(url: &Url, host: &str) -> Option<Youtube> {
    let mut parts = url.path_segments()?.filter(|part| !part.is_empty());
    let id = if matches!(host, "youtu.be" | "www.youtu.be") {
        match parts.next() {
            Some("watch") => parameter(url, "v"),
            id => id.map(str::to_owned),
        }
    } else if is_within(host, "youtube.com") || is_within(host, "youtube-nocookie.com") {
        match (parts.next(), parts.next()) {
            (Some("watch"), None) => parameter(url, "v"),
            (Some("watch" | "shorts" | "live" | "embed" | "v" | "e"), Some(id)) => {
                Some(id.to_owned())
            }
            _ => None,
        }
    } else {
        return None;
    };
    if let Some(id) = id.filter(|id| is_video_id(id)) {
        return Some(Youtube::Video(Canonical {
            url: format!("https://www.youtube.com/watch?v={id}"),
            identity: format!("youtube.com/watch?v={id}"),
        }));
    }
    Some(Youtube::NotAVideo)
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        // People put a second `?` behind it: `watch?v=ID?t=42`.
        .map(|(_, value)| {
            value
                .split(['?', '&'])
                .next()
                .unwrap_or_default()
                .to_owned()
        })
}

/// Words of eleven letters in the place of an id: players of a playlist and of a channel.
const NOT_IDS: [&str; 2] = ["videoseries", "live_stream"];

fn is_video_id(id: &str) -> bool {
    id.len() == 11
        && !NOT_IDS.contains(&id)
        && id
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
}
