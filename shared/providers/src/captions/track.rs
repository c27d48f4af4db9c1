//! Which of a video's captions are read.

use serde_json::Value;

/// Captions of a video in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Track {
    /// Where they are, as YouTube names it.
    pub(super) url: String,
    pub(super) language: String,
    /// YouTube heard them.
    pub(super) is_generated: bool,
}

impl Track {
    fn of(track: &Value) -> Option<Self> {
        Some(Self {
            url: track["baseUrl"].as_str()?.to_owned(),
            language: track["languageCode"].as_str()?.to_owned(),
            is_generated: track["kind"] == "asr",
        })
    }

    fn is_in(&self, language: &str) -> bool {
        let bare = |code: &str| {
            code.split('-')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        bare(&self.language) == bare(language)
    }
}

/// Those in the language that is spoken, a person's before those that YouTube heard; then those that
/// are shown first, then whichever there are. What is spoken tells what YouTube heard.
pub(super) fn choose(captions: &Value) -> Option<Track> {
    let list = &captions["playerCaptionsTracklistRenderer"];
    let tracks = list["captionTracks"].as_array()?;
    let shown = list.pointer("/audioTracks/0/defaultCaptionTrackIndex");
    let shown = shown.and_then(|it| tracks.get(usize::try_from(it.as_u64()?).ok()?));
    let shown = shown.and_then(Track::of);
    let tracks: Vec<Track> = tracks.iter().filter_map(Track::of).collect();
    let heard = tracks.iter().find(|track| track.is_generated);
    let spoken = heard.or(shown.as_ref()).map(|track| &track.language);
    let written = spoken.and_then(|spoken| {
        let mut written = tracks
            .iter()
            .filter(|track| !track.is_generated && track.is_in(spoken));
        // `en-US` beside `en-GB`.
        let same = written.clone().find(|track| track.language == *spoken);
        same.or_else(|| written.next())
    });
    let chosen = written.or(heard).or(shown.as_ref()).or(tracks.first());
    chosen.cloned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `zh` is a person's, `zh*` was heard.
    fn chosen(tracks: &[&str], shown: Option<u64>) -> Option<String> {
        let of = |name: &&str| match name.strip_suffix('*') {
            Some(name) => json!({"baseUrl": "/", "languageCode": name, "kind": "asr"}),
            None => json!({"baseUrl": "/", "languageCode": name}),
        };
        let tracks: Vec<Value> = tracks.iter().map(of).collect();
        let audio = json!([{"defaultCaptionTrackIndex": shown}]);
        let list = json!({"captionTracks": tracks, "audioTracks": audio});
        let track = choose(&json!({"playerCaptionsTracklistRenderer": list}))?;
        let mark = if track.is_generated { "*" } else { "" };
        Some(format!("{}{mark}", track.language))
    }

    #[test]
    fn a_persons_captions_in_the_spoken_language_are_preferred() {
        for (tracks, shown, wanted) in [
            (&["de", "en", "en*"][..], None, Some("en")),
            (&["de", "en-GB", "en-US", "en-US*"], Some(0), Some("en-US")),
            (&["de", "en-GB", "en*"], None, Some("en-GB")),
            (&["de", "fr", "en*"], Some(0), Some("en*")),
            (&["de", "fr"], Some(1), Some("fr")),
            (&["de", "fr"], Some(7), Some("de")),
            (&["de", "fr"], None, Some("de")),
            (&[], None, None),
        ] {
            assert_eq!(chosen(tracks, shown).as_deref(), wanted, "{tracks:?}");
        }
        assert_eq!(choose(&Value::Null), None);
    }
}
