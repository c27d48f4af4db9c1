//! YouTube, as far as captions are had from it.
//!
//! The page of a video (`GET /watch?v=ID`), of which others read a key; `POST /youtubei/v1/player`, which
//! says whether a video is shown and which captions it has; and the captions themselves
//! (`GET /api/timedtext?…`), whose address is named there. The shapes are those that were recorded for the
//! tests of `youtube-transcript-api` 1.2.5, which is itself run against this, in `tests/youtube.rs`.
//! Nothing is paid.

use std::{collections::HashMap, fmt::Write as _, io, ops::Deref};

use serde_json::{Value, json};

use super::{Answer, Received, StandIn, knowing::Knowing};

/// A key that whoever reads a page finds there.
const KEY: &str = "AIzaSyStandInStandInStandInStandInStand";

/// Captions in one language.
#[derive(Clone, Debug)]
struct Track {
    language: String,
    is_generated: bool,
    /// When each is shown, in seconds, and its text, which may be HTML.
    cues: Vec<(f64, String)>,
}

/// A video.
#[derive(Clone, Debug)]
pub struct Video {
    title: String,
    description: String,
    tracks: Vec<Track>,
    playability: Value,
    parameter: &'static str,
}

impl Video {
    /// One without captions.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            description: String::new(),
            tracks: Vec::new(),
            playability: json!({"status": "OK", "playableInEmbed": true}),
            parameter: "",
        }
    }

    /// With captions that somebody wrote. The first that a video is given are shown first.
    #[must_use]
    pub fn captions<'a>(
        self,
        language: &str,
        cues: impl IntoIterator<Item = (f64, &'a str)>,
    ) -> Self {
        self.track(language, false, cues)
    }

    /// With captions that were heard.
    #[must_use]
    pub fn generated<'a>(
        self,
        language: &str,
        cues: impl IntoIterator<Item = (f64, &'a str)>,
    ) -> Self {
        self.track(language, true, cues)
    }

    fn track<'a>(
        mut self,
        language: &str,
        is_generated: bool,
        cues: impl IntoIterator<Item = (f64, &'a str)>,
    ) -> Self {
        let cues = cues.into_iter();
        self.tracks.push(Track {
            language: language.to_owned(),
            is_generated,
            cues: cues.map(|(at, text)| (at, text.to_owned())).collect(),
        });
        self
    }

    /// With a description.
    #[must_use]
    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Not shown: `ERROR`, `LOGIN_REQUIRED`, `UNPLAYABLE`, and why.
    #[must_use]
    pub fn unplayable(mut self, status: &str, reason: &str) -> Self {
        let reason = json!(reason);
        let screen =
            json!({"playerErrorMessageRenderer": {"reason": {"runs": [{"text": reason}]}}});
        self.playability = json!({"status": status, "reason": reason, "errorScreen": screen});
        self
    }

    /// With captions of which YouTube gives nothing to apps that cannot prove that they are its own.
    #[must_use]
    pub const fn wanting_a_proof(mut self) -> Self {
        self.parameter = "&exp=xpe";
        self
    }

    /// As the player has it.
    fn answer(&self, id: &str, host: &str) -> Value {
        let is_shown = self.playability["status"] == "OK";
        let mut answer = json!({"responseContext": {}, "playabilityStatus": self.playability});
        if !is_shown {
            return answer;
        }
        answer["videoDetails"] = json!({
            "videoId": id, "title": self.title, "author": "A stand-in", "lengthSeconds": "60",
            "shortDescription": self.description, "isLiveContent": false,
        });
        if self.tracks.is_empty() {
            return answer;
        }
        let tracks: Vec<Value> = self
            .tracks
            .iter()
            .map(|it| self.listed(it, id, host))
            .collect();
        answer["captions"] = json!({"playerCaptionsTracklistRenderer": {
            "captionTracks": tracks,
            "audioTracks": [{"captionTrackIndices": [0], "defaultCaptionTrackIndex": 0}],
            "translationLanguages": [
                {"languageCode": "nl", "languageName": {"runs": [{"text": "Dutch"}]}},
            ],
        }});
        answer
    }

    fn listed(&self, track: &Track, id: &str, host: &str) -> Value {
        let (language, kind) = (
            &track.language,
            if track.is_generated { "&kind=asr" } else { "" },
        );
        let parameter = self.parameter;
        let url = format!(
            "http://{host}/api/timedtext?v={id}&caps=asr{parameter}&hl=en&sparams=ip,v,caps&signature=0A.1B\
             {kind}&lang={language}&fmt=srv3"
        );
        let mut listed = json!({
            "baseUrl": url, "name": {"runs": [{"text": language}]}, "vssId": format!(".{language}"),
            "languageCode": language, "isTranslatable": true, "trackName": "",
        });
        if track.is_generated {
            listed["kind"] = json!("asr");
        }
        listed
    }
}

impl Track {
    /// `fmt` says which of two formats.
    fn xml(&self, format: Option<&str>) -> String {
        let mut xml = "<?xml version=\"1.0\" encoding=\"utf-8\" ?>".to_owned();
        let is_later = format == Some("srv3");
        xml.push_str(if is_later {
            "<timedtext format=\"3\"><body>\n"
        } else {
            "<transcript>"
        });
        for (at, text) in &self.cues {
            let text = escaped(text);
            // Writing to a String cannot fail.
            if is_later {
                let ms = at * 1000.0;
                writeln!(xml, "<p t=\"{ms:.0}\" d=\"2000\">{text}</p>").ok();
            } else {
                write!(xml, "<text start=\"{at}\" dur=\"2\">{text}</text>").ok();
            }
        }
        xml.push_str(if is_later {
            "</body></timedtext>"
        } else {
            "</transcript>"
        });
        xml
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// A YouTube on loopback.
#[derive(Clone)]
pub struct YouTube(Knowing<HashMap<String, Video>>);

impl YouTube {
    /// One that has no videos.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        Ok(Self(Knowing::start(visit).await?))
    }

    /// Puts a video there.
    pub fn put(&self, id: impl Into<String>, video: Video) {
        self.0.known().insert(id.into(), video);
    }
}

impl Deref for YouTube {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.0
    }
}

fn visit(received: &Received, videos: &HashMap<String, Video>) -> Answer {
    let host = received.header("host").unwrap_or_default();
    match (received.method.as_str(), received.path()) {
        ("GET", "/watch") => {
            let page = format!(
                "<!doctype html><script>ytcfg.set({{\"INNERTUBE_API_KEY\": \"{KEY}\"}})</script>"
            );
            Answer::new(200, "text/html; charset=utf-8", page)
        }
        ("POST", "/youtubei/v1/player") => player(received, videos, host),
        ("GET", "/api/timedtext") => timed_text(received, videos),
        _ => Answer::new(404, "text/html", "<h1>404</h1>"),
    }
}

fn player(received: &Received, videos: &HashMap<String, Video>, host: &str) -> Answer {
    // Others send the key that they found; without one, it is not asked for.
    if received.parameter("key").is_some_and(|key| key != KEY) {
        return refused(400, "API key not valid. Please pass a valid API key.");
    }
    let asked = received.json();
    let client = &asked["context"]["client"];
    if client["clientName"] != "ANDROID" || !client["clientVersion"].is_string() {
        return refused(400, "Request contains an invalid argument.");
    }
    let id = asked["videoId"].as_str().unwrap_or_default();
    let unknown = || Video::new("").unplayable("ERROR", "This video is unavailable");
    let video = videos.get(id).cloned().unwrap_or_else(unknown);
    Answer::json(200, &video.answer(id, host))
}

fn timed_text(received: &Received, videos: &HashMap<String, Video>) -> Answer {
    let of = |name: &str| received.parameter(name);
    let video = of("v").and_then(|id| videos.get(&id));
    let (language, is_generated) = (of("lang"), of("kind").is_some_and(|kind| kind == "asr"));
    let track = video.and_then(|video| {
        let mut tracks = video.tracks.iter();
        tracks.find(|it| it.is_generated == is_generated && Some(&it.language) == language.as_ref())
    });
    // An address that it did not name itself has no signature.
    let Some(track) = track.filter(|_| of("signature").is_some()) else {
        return Answer::new(404, "text/html; charset=UTF-8", "");
    };
    if of("exp").is_some_and(|exp| exp == "xpe") {
        return Answer::new(200, "text/html; charset=UTF-8", "");
    }
    let xml = track.xml(of("fmt").as_deref());
    Answer::new(200, "text/xml; charset=UTF-8", xml)
}

fn refused(status: u16, message: &str) -> Answer {
    let error = json!({"code": status, "message": message, "status": "INVALID_ARGUMENT"});
    Answer::json(status, &json!({"error": error}))
}
