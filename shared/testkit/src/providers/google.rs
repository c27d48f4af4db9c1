//! Google's models, through both doors: the Gemini API by key, Vertex AI by access token.
//!
//! `generateContent`, as it was recorded and as Google's own client writes it. A prompt that asks for
//! JSON of a schema gets some that fits it; any other gets a sentence. Tests [say](Google::says)
//! otherwise for prompts that mention something. What is not part of the protocol is refused, as Google
//! does: unknown fields, labels or `audioTimestamp` without Vertex, a schema together with a search.
//!
//! What is paid for is the first line of the prompt, or a part of a video by its id and the seconds
//! of its beginning and end: `dQw4w9WgXcQ 0s-1800s`. The unit is the token.
//!
//! Videos are watched by their URL on YouTube, as far as they are [there](Google::put_video): what is
//! said in one is a sentence every half minute, with its timestamp.

mod request;
mod video;

use std::{
    collections::HashMap,
    io,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

use http::Method;
use serde_json::{Value, json};

use self::request::{Asked, Refusal};
use super::{Answer, Received, StandIn, schema::example};

/// The key that the Gemini API knows.
pub const KEY: &str = "google-test";

/// What a model says.
#[derive(Clone, Debug)]
pub struct Reply {
    candidate: Value,
    feedback: Option<Value>,
    times: u32,
}

impl Reply {
    /// This text, to its end.
    pub fn text(text: impl Into<String>) -> Self {
        let content = json!({"role": "model", "parts": [{"text": text.into()}]});
        Self {
            candidate: json!({"content": content, "finishReason": "STOP", "index": 0}),
            feedback: None,
            times: u32::MAX,
        }
    }

    /// Nothing: the prompt itself was blocked.
    pub fn blocked(reason: &str) -> Self {
        Self {
            candidate: Value::Null,
            feedback: Some(json!({"blockReason": reason})),
            times: u32::MAX,
        }
    }

    /// Ending for another reason than its end: `MAX_TOKENS`, `SAFETY`, ….
    #[must_use]
    pub fn ending(self, reason: &str) -> Self {
        self.with("finishReason", reason)
    }

    /// With a field of the candidate, such as `groundingMetadata`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.candidate[name] = value.into();
        self
    }

    /// Said so many times, and then no more.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

/// Google's models on loopback.
#[derive(Clone)]
pub struct Google {
    stand_in: StandIn,
    replies: Arc<Replies>,
    redirects: Arc<Redirects>,
    videos: Arc<Videos>,
}

/// Public videos and their length in seconds.
type Videos = Mutex<HashMap<String, u64>>;

/// Where the redirects of grounding lead.
type Redirects = Mutex<HashMap<String, String>>;

/// What was said to be said, and to which prompts.
type Replies = Mutex<Vec<(String, Reply)>>;

impl Google {
    /// Models that nothing in particular was said about.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        let replies = Arc::<Replies>::default();
        let redirects = Arc::<Redirects>::default();
        let videos = Arc::<Videos>::default();
        let (known, ways) = (Arc::clone(&replies), Arc::clone(&redirects));
        let public = Arc::clone(&videos);
        let stand_in = StandIn::start(move |received| match received.method {
            Method::GET => redirect(received, &ways),
            _ => answer(received, &known, &public),
        });
        Ok(Self {
            stand_in: stand_in.await?,
            replies,
            redirects,
            videos,
        })
    }

    /// A redirect of grounding, as `groundingChunks` name pages, that leads there.
    pub fn redirect_to(&self, url: impl Into<String>) -> String {
        let mut redirects = self
            .redirects
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let path = format!("/grounding-api-redirect/{}", redirects.len());
        redirects.insert(path.clone(), url.into());
        format!("{}{path}", self.stand_in.url())
    }

    /// A public video on YouTube, so many seconds long. All others are private, or are not there.
    pub fn put_video(&self, id: &str, seconds: u64) {
        let mut videos = self.videos.lock().unwrap_or_else(PoisonError::into_inner);
        videos.insert(id.to_owned(), seconds);
    }

    /// Says what they say to prompts that mention something. What was said first is said first.
    pub fn says(&self, mention: impl Into<String>, reply: Reply) {
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.push((mention.into(), reply));
    }
}

impl Deref for Google {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.stand_in
    }
}

fn answer(received: &Received, replies: &Replies, videos: &Videos) -> Answer {
    let asked = match Asked::read(received) {
        Ok(asked) => asked,
        Err(refusal) => return refused(&refusal),
    };
    let mut prompt_tokens = received.body.len() as u64 / 4;
    let mut said = None;
    if let Some(clip) = &asked.clip {
        let videos = videos.lock().unwrap_or_else(PoisonError::into_inner);
        match clip.watch(videos.get(&clip.id).copied()) {
            Ok(watched) => {
                prompt_tokens += watched.tokens;
                said = Some(watched.transcript);
            }
            Err(refusal) => return refused(&refusal),
        }
    }
    let usual = || Reply::text(said.unwrap_or_else(|| usual(&asked)));
    let reply = told(received, replies).unwrap_or_else(usual);
    let output_tokens = reply.candidate.to_string().len() as u64 / 4;
    let mut response = json!({
        "usageMetadata": {
            "promptTokenCount": prompt_tokens,
            "candidatesTokenCount": output_tokens,
            "thoughtsTokenCount": 3,
            "totalTokenCount": prompt_tokens + output_tokens + 3,
        },
        "modelVersion": asked.model,
        "responseId": "stand-in",
    });
    match reply.feedback {
        Some(feedback) => response["promptFeedback"] = feedback,
        None => response["candidates"] = json!([reply.candidate]),
    }
    Answer::json(200, &response).paid(asked.what(), prompt_tokens + output_tokens + 3)
}

/// A way that nobody made, or that has expired, is not found.
fn redirect(received: &Received, redirects: &Redirects) -> Answer {
    let redirects = redirects.lock().unwrap_or_else(PoisonError::into_inner);
    match redirects.get(received.path()) {
        Some(url) => Answer::new(302, "", "").header("location", url),
        None => Answer::new(404, "text/html", "<h1>404</h1>"),
    }
}

/// What the test said is said, if it still is.
fn told(received: &Received, replies: &Replies) -> Option<Reply> {
    let mut replies = replies.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, reply) = replies
        .iter_mut()
        .find(|(mention, reply)| reply.times > 0 && received.mentions(mention))?;
    reply.times -= 1;
    Some(reply.clone())
}

/// What is said when nothing was said about it.
fn usual(asked: &Asked) -> String {
    match &asked.schema {
        Some(schema) => example(schema).to_string(),
        None => format!("A sentence about: {}", asked.what()),
    }
}

fn refused(refusal: &Refusal) -> Answer {
    let mut error =
        json!({"code": refusal.status, "message": refusal.message, "status": refusal.name});
    if let Some(reason) = refusal.reason {
        let info = "type.googleapis.com/google.rpc.ErrorInfo";
        error["details"] = json!([{"@type": info, "reason": reason, "domain": "googleapis.com"}]);
    }
    Answer::json(refusal.status, &json!({ "error": error }))
}
