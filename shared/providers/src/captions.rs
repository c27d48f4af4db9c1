//! Captions of videos on YouTube: a video in, what is said in it out, for nothing.
//!
//! There is no interface for that which others may use. YouTube's own apps learn from
//! `POST /youtubei/v1/player` which captions a video has, and fetch them from the address that is
//! named there, on the same host; so does whoever else reads captions, the Python package
//! `youtube-transcript-api` first of all. YouTube answers people's machines and takes most addresses
//! in clouds for robots, so that nobody is asked unless the settings say so (`YOUTUBE_CAPTIONS`).
//!
//! Captions that a person wrote, in the language that is spoken, are preferred; then those that
//! YouTube heard; then whatever the video shows first.

mod track;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use nova_research::captions::{chapters, timed_text};
use nova_runtime::{
    App,
    jobs::Failure,
    receipts::{CallOutcome, CallUsage, Receipts},
};
use serde_json::{Value, json};
use tokio::time::sleep;
use url::Url;

use self::track::Track;
use crate::{Api, Credentials, ProviderError};

/// One of the two calls; each is answered in less than a second.
const DEADLINE: Duration = Duration::from_secs(20);
/// Before a call that broke off is made once more.
const PAUSE: Duration = Duration::from_secs(1);
/// The app that YouTube gives captions to without a proof that it is one: the version is that of
/// `youtube-transcript-api` 1.2.5.
const APP: (&str, &str) = ("ANDROID", "20.10.38");

/// Whoever is asked for captions.
#[derive(Clone, Debug)]
pub struct YouTube {
    api: Api,
}

/// What is said in a video, by its captions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captions {
    /// A transcript in Markdown.
    pub markdown: String,
    /// What the video is called.
    pub title: Option<String>,
    /// By whom it is.
    pub author: Option<String>,
    /// Their language, as `en` or `pt-BR`.
    pub language: String,
    /// YouTube heard them; no person wrote them.
    pub is_generated: bool,
}

impl Captions {
    /// Who gave them, as messages name it.
    pub const fn provider(&self) -> &'static str {
        if self.is_generated {
            "YouTube captions (generated)"
        } else {
            "YouTube captions"
        }
    }
}

impl YouTube {
    /// YouTube, where the settings say that it is asked.
    pub fn from_app(app: &App) -> Option<Self> {
        let endpoint = app.config().providers.captions.as_ref()?;
        let http = app.http().clone();
        let api = Api::new("YouTube", http, &endpoint.base_url, Credentials::None);
        Some(Self::new(api))
    }

    /// YouTube behind `api`.
    #[must_use]
    pub fn new(api: Api) -> Self {
        Self {
            api: api.deadline(DEADLINE),
        }
    }

    /// The captions of a video, by its id. A call that broke off is made twice. Nothing is paid, and
    /// the receipt says so.
    ///
    /// # Errors
    ///
    /// When there are none, or YouTube does not give them to us.
    pub async fn captions(&self, id: &str, receipts: &Receipts) -> Result<Captions, CaptionsError> {
        let captions = self.try_once(id, receipts).await;
        match captions {
            Err(CaptionsError::Provider(error)) if broke_off(&error) => {
                sleep(PAUSE).await;
                self.try_once(id, receipts).await
            }
            captions => captions,
        }
    }

    async fn try_once(&self, id: &str, receipts: &Receipts) -> Result<Captions, CaptionsError> {
        let call = receipts.begin(self.api.provider(), Some("captions"));
        let captions = self.ask(id).await;
        if let Err(error) = &captions {
            tracing::info!(reason = error.reason(), %error, "a video gave no captions");
        }
        let usage = CallUsage {
            cost_micros: Some(0),
            ..CallUsage::default()
        };
        call.end(outcome(&captions), usage);
        captions
    }

    async fn ask(&self, id: &str) -> Result<Captions, CaptionsError> {
        let (client, version) = APP;
        let app = json!({"client": {"clientName": client, "clientVersion": version}});
        let question = json!({"context": app, "videoId": id});
        let player: Value = self
            .api
            .post("/youtubei/v1/player?prettyPrint=false", &question)
            .await?;
        is_playable(&player["playabilityStatus"])?;
        let Track {
            url,
            language,
            is_generated,
        } = track::choose(&player["captions"]).ok_or(CaptionsError::None)?;
        let details = &player["videoDetails"];
        let said = self.timed_text(&url).await?;
        let said = timed_text::read(&said).ok_or_else(|| self.api.unusable("no timed text"))?;
        let description = details["shortDescription"].as_str().unwrap_or_default();
        Ok(Captions {
            markdown: said.markdown(&chapters::of(description)),
            title: in_one_line(&details["title"]),
            author: in_one_line(&details["author"]),
            language,
            is_generated,
        })
    }

    /// What an address names that YouTube gave: nobody else is asked because of it.
    async fn timed_text(&self, url: &str) -> Result<String, CaptionsError> {
        let url = self.address(url)?;
        let request = Request::get(url.as_str())
            .header(header::ACCEPT, "text/xml")
            .body(Bytes::new())
            .map_err(|error| self.api.unusable(error.to_string()))?;
        let response = self.api.send(request).await?;
        let text = String::from_utf8_lossy(response.body());
        if text.trim().is_empty() {
            // So it answers apps of which it wants a proof.
            return Err(CaptionsError::Blocked("an empty answer".to_owned()));
        }
        Ok(text.replace('\0', ""))
    }

    fn address(&self, url: &str) -> Result<Url, CaptionsError> {
        let home = self.api.url("/")?;
        let mut address = home.join(url).map_err(|error| {
            self.api
                .unusable(format!("an address of captions: {error}"))
        })?;
        if address.origin() != home.origin() || !address.path().ends_with("/api/timedtext") {
            let host = address.host_str().unwrap_or_default().to_owned();
            return Err(self.api.unusable(format!("captions at {host}")).into());
        }
        let query = address.query().unwrap_or_default().to_owned();
        if query.split('&').any(|parameter| parameter == "exp=xpe") {
            let why = "it wants a proof of origin".to_owned();
            return Err(CaptionsError::Blocked(why));
        }
        // The format that is given to whoever asks for none.
        let kept = query.split('&').filter(|it| !it.starts_with("fmt="));
        address.set_query(Some(&kept.collect::<Vec<_>>().join("&")));
        Ok(address)
    }
}

/// What YouTube says of a video that it does not play for whoever asks.
fn is_playable(said: &Value) -> Result<(), CaptionsError> {
    let status = said["status"].as_str().unwrap_or("OK");
    if status == "OK" {
        return Ok(());
    }
    let reason = in_one_line(&said["reason"]).unwrap_or_else(|| status.to_owned());
    // `Sign in to confirm you’re not a bot`.
    Err(
        if status == "LOGIN_REQUIRED" && reason.contains("not a bot") {
            CaptionsError::Blocked(reason)
        } else {
            CaptionsError::Unavailable(reason)
        },
    )
}

const LINE_CHARACTERS: usize = 300;

/// A text of others as it is shown: in one line of reasonable length.
fn in_one_line(text: &Value) -> Option<String> {
    let words = text
        .as_str()?
        .split(|it: char| it.is_whitespace() || it.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let line: String = words.join(" ").chars().take(LINE_CHARACTERS).collect();
    (!line.is_empty()).then_some(line)
}

/// A try a moment later may go better. Of the rest, whoever asks to be left alone is.
fn broke_off(error: &ProviderError) -> bool {
    match error {
        ProviderError::Busy { status, .. } => *status != StatusCode::TOO_MANY_REQUESTS,
        error => error.is_retryable(),
    }
}

fn outcome(captions: &Result<Captions, CaptionsError>) -> CallOutcome {
    match captions {
        Ok(_) => CallOutcome::Answered,
        Err(CaptionsError::None | CaptionsError::Unavailable(_)) => CallOutcome::Refused,
        Err(CaptionsError::Blocked(_)) => CallOutcome::Blocked,
        Err(CaptionsError::Provider(error)) => error.outcome(),
    }
}

/// Why there are no captions. The words are for the user; [`CaptionsError::reason`] is for programs.
#[derive(Debug, thiserror::Error)]
pub enum CaptionsError {
    /// The video has none.
    #[error("the video has no captions")]
    None,
    /// YouTube takes us for a robot, or wants a proof that we are an app of its own.
    #[error("YouTube gives no captions to this server: {0}")]
    Blocked(String),
    /// YouTube does not show the video.
    #[error("YouTube does not show the video: {0}")]
    Unavailable(String),
    /// It is not the video's fault.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

impl CaptionsError {
    /// The failure as a word that stays the same: `no_captions`, ….
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::None => "no_captions",
            Self::Blocked(_) => "captions_blocked",
            Self::Unavailable(_) => "unavailable",
            Self::Provider(_) => "provider",
        }
    }
}

/// What whoever has a video without captions is told where nobody else transcribes it.
const REMEDY: &str = "Nobody is configured who transcribes videos without them: GOOGLE_API_KEY (Gemini) or \
                      VERTEX_LOCATION (Vertex AI) would be";

/// What it means for a piece of a job, where captions are all that can be had.
impl From<CaptionsError> for Failure {
    fn from(error: CaptionsError) -> Self {
        let reason = format!("{}: {error}. {REMEDY}", error.reason());
        match error {
            CaptionsError::Provider(ProviderError::Busy { after, .. }) => {
                Self::Again { reason, after }
            }
            CaptionsError::Provider(error) if error.is_retryable() => Self::Again {
                reason,
                after: None,
            },
            _ => Self::Never(reason),
        }
    }
}
