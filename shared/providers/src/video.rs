//! Videos: a URL and a part of it in, what is said and shown there out.
//!
//! Google's models watch public videos of YouTube by their URL, through the Gemini API or Vertex AI;
//! nothing of a video comes through here. ([`crate::captions`] cost nothing, and YouTube does not give
//! them to servers in a cloud.) Whether a video can be had is learnt from the first call: a private one,
//! a removed one and one that may not be transcribed are different errors of that video, and say
//! nothing about the others.

use std::time::Duration;

use http::StatusCode;
use nova_research::transcript::{INSTRUCTIONS, Part, Window};
use nova_runtime::{
    App, Problem,
    config::LlmProvider,
    jobs::Failure,
    receipts::{CallOutcome, Receipts},
};
use serde_json::{Value, json};

use crate::{GoogleModels, ProviderError};

/// It watches half an hour in a minute or two.
const USUAL_MODEL: &str = "gemini-2.5-flash";
/// As long as the worker of a job waits at its end for what was begun, so that nothing is cut off
/// there that is paid for.
const DEADLINE: Duration = Duration::from_mins(4);
/// The longest answer that the models of 2.5 give; who speaks quickly says a third of it in half an
/// hour.
const ANSWER_TOKENS: u32 = 65_535;
/// There is nothing to think about; the least that all models of 2.5 take.
const THOUGHT_TOKENS: u32 = 512;
/// Slides and scenes stay for longer. What is said is heard whole, whatever is seen.
const FRAMES_PER_SECOND: f64 = 0.5;
/// Who is told to pay, where there are labels.
const TOOL: &str = "transcribe_youtube_urls";

/// Whoever transcribes videos.
#[derive(Clone, Debug)]
pub struct Videos {
    models: GoogleModels,
    model: String,
}

impl Videos {
    /// Google's models, behind the door that the settings name or else the first that is configured;
    /// `None` when none is.
    pub fn from_app(app: &App) -> Option<Self> {
        let settings = &app.config().providers.models;
        let gemini = || GoogleModels::gemini(app);
        let models = match settings.provider {
            Some(LlmProvider::Vertex) => GoogleModels::vertex(app).or_else(gemini),
            _ => gemini().or_else(|| {
                let wanted = settings.vertex_is_wanted;
                wanted.then(|| GoogleModels::vertex(app)).flatten()
            }),
        };
        // That of every step may be one of somebody else's.
        let every_step = settings.every_step.as_ref();
        let every_step = every_step.filter(|model| model.starts_with("gemini"));
        let model = settings.transcription.as_ref().or(every_step);
        let videos = Self {
            models: models?,
            model: model.map_or_else(|| USUAL_MODEL.to_owned(), Clone::clone),
        };
        Some(videos.deadline(DEADLINE))
    }

    /// With another deadline for each call.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.models = self.models.deadline(deadline);
        self
    }

    /// Who transcribes, as messages name it.
    pub const fn provider(&self) -> &'static str {
        self.models.provider()
    }

    /// Transcribes what lies in the window of a video: of a canonical URL, which names nothing but
    /// the video. Where so much is said that the answer is cut, a shorter window is tried once.
    ///
    /// # Errors
    ///
    /// By what is wrong with the video, or with the provider.
    pub async fn transcribe(
        &self,
        url: &str,
        window: Window,
        receipts: &Receipts,
    ) -> Result<Part, VideoError> {
        let part = match self.ask(url, window, receipts).await {
            Err(VideoError::TooMuchSaid { .. }) => {
                self.ask(url, window.shorter(), receipts).await?
            }
            part => part?,
        };
        if part.markdown.is_empty() && window.start == 0 {
            return Err(VideoError::NothingSaid {
                provider: self.provider(),
            });
        }
        Ok(part)
    }

    async fn ask(
        &self,
        url: &str,
        window: Window,
        receipts: &Receipts,
    ) -> Result<Part, VideoError> {
        let body = body(&self.model, url, window);
        let said = self.models.generate(&self.model, TOOL, body, receipts);
        let said = said.await?;
        let part = Part::read(&said.text(), window);
        said.call.end(CallOutcome::Answered, said.usage);
        Ok(part)
    }
}

fn body(model: &str, url: &str, window: Window) -> Value {
    let mut body = json!({
        "systemInstruction": {"parts": [{"text": INSTRUCTIONS}]},
        "contents": [{"role": "user", "parts": [
            {
                // Vertex AI wants a type, whatever it is.
                "fileData": {"fileUri": url, "mimeType": "video/*"},
                "videoMetadata": {
                    "startOffset": format!("{}s", window.start),
                    "endOffset": format!("{}s", window.end),
                    "fps": FRAMES_PER_SECOND,
                },
            },
            {"text": window.request()},
        ]}],
        "generationConfig": {
            "candidateCount": 1,
            "maxOutputTokens": ANSWER_TOKENS,
            "mediaResolution": "MEDIA_RESOLUTION_LOW",
        },
    });
    // Others refuse the field, or count their thinking in other words.
    if model.starts_with("gemini-2.5") {
        let thinking = json!({"thinkingBudget": THOUGHT_TOKENS, "includeThoughts": false});
        body["generationConfig"]["thinkingConfig"] = thinking;
    }
    body
}

/// What whoever has videos is told where nobody transcribes them.
pub fn not_configured() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "not-configured",
        "A provider is not configured",
        "Nobody is configured who transcribes videos: set GOOGLE_API_KEY (Gemini) or VERTEX_LOCATION (Vertex AI, \
         which needs no key on Google Cloud); or YOUTUBE_CAPTIONS=first, for videos with captions, where YouTube \
         gives them to this machine. Without one, go on without this step: a transcript that you have \
         can be uploaded as a local file that the guideline names, such as talk.vtt.",
    )
}

/// Why a video was not transcribed. The words are for the user; [`VideoError::reason`] is for
/// programs.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// It is not shown to whoever was to transcribe it.
    #[error(
        "{provider} cannot watch the video, which may be private, removed or restricted ({status}): {message}"
    )]
    Unavailable {
        /// Who was asked.
        provider: &'static str,
        /// What it answered.
        status: StatusCode,
        /// What it said, shortened.
        message: String,
    },
    /// It is more than a model takes in.
    #[error("the video is too long for {provider}: {message}")]
    TooLong {
        /// Who was asked.
        provider: &'static str,
        /// What it said, shortened.
        message: String,
    },
    /// It was watched, and what was seen is held back: safety, recitation.
    #[error("{provider} does not write down what is said in the video: {reason}")]
    Blocked {
        /// Who was asked.
        provider: &'static str,
        /// What it says about that.
        reason: String,
    },
    /// More is said in it than fits into an answer.
    #[error("more is said in the video than fits into an answer of {provider}")]
    TooMuchSaid {
        /// Who was asked.
        provider: &'static str,
    },
    /// There is nothing to write down.
    #[error("{provider} finds nothing to write down in the video")]
    NothingSaid {
        /// Who was asked.
        provider: &'static str,
    },
    /// It is not the video's fault.
    #[error(transparent)]
    Provider(ProviderError),
}

impl VideoError {
    /// The failure as a word that stays the same: `unavailable`, `too_long`, ….
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::TooLong { .. } => "too_long",
            Self::Blocked { .. } => "blocked",
            Self::TooMuchSaid { .. } => "too_much_said",
            Self::NothingSaid { .. } => "no_content",
            Self::Provider(_) => "provider",
        }
    }
}

/// What Google's models say of a video with the statuses that they have for requests.
impl From<ProviderError> for VideoError {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Refused {
                provider,
                status: StatusCode::BAD_REQUEST,
                message,
            } if message.contains("exceeds the maximum number of tokens") => {
                Self::TooLong { provider, message }
            }
            ProviderError::Refused {
                provider,
                status: status @ StatusCode::BAD_REQUEST,
                message,
            } => Self::Unavailable {
                provider,
                status,
                message,
            },
            // A video that is not ours to see, unless it says that it speaks of the caller.
            ProviderError::Credentials {
                provider,
                status: status @ StatusCode::FORBIDDEN,
                message,
                ..
            } if !speaks_of_the_caller(&message) => Self::Unavailable {
                provider,
                status,
                message,
            },
            ProviderError::Blocked { provider, reason } => Self::Blocked { provider, reason },
            ProviderError::Cut { provider } => Self::TooMuchSaid { provider },
            other => Self::Provider(other),
        }
    }
}

/// Keys, interfaces that are switched off, and rights in a project are the operator's to look after.
fn speaks_of_the_caller(message: &str) -> bool {
    let words = ["API", "project", "aiplatform", "billing", "unregistered"];
    words.iter().any(|word| message.contains(word))
}

/// What it means for a piece of a job: the reason comes first, then a colon and the words.
impl From<VideoError> for Failure {
    fn from(error: VideoError) -> Self {
        let reason = format!("{}: {error}", error.reason());
        match error {
            VideoError::Provider(error) => match Self::from(error) {
                Self::Again { after, .. } => Self::Again { reason, after },
                Self::Never(_) => Self::Never(reason),
                whole => whole,
            },
            _ => Self::Never(reason),
        }
    }
}
