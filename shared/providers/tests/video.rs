//! Videos over HTTP, against a stand-in that answers as Google's models do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use nova_providers::video::{self, VideoError, Videos};
use nova_research::transcript::{Part, Progress, Window};
use nova_runtime::{
    App, Config, Environment,
    jobs::Failure,
    receipts::{CallOutcome, Receipts},
};
use nova_testkit::{
    cloudsql::CloudSql,
    providers::{
        Answer, Effect, Fault,
        google::{Google, KEY, Reply},
    },
};
use serde_json::json;

const ID: &str = "dQw4w9WgXcQ";
const URL: &str = "https://www.youtube.com/watch?v=dQw4w9WgXcQ";

fn app<const N: usize>(settings: [(&str, &str); N]) -> Arc<App> {
    App::new(
        "sample",
        Config::read(&Environment::from(settings)).unwrap(),
    )
    .unwrap()
}

async fn gemini() -> (Google, Videos) {
    let google = Google::start().await.unwrap();
    google.put_video(ID, 2400);
    let app = app([("GOOGLE_API_KEY", KEY), ("GOOGLE_BASE_URL", google.url())]);
    let videos = Videos::from_app(&app).unwrap();
    (google, videos)
}

async fn transcribe(
    videos: &Videos,
    window: Window,
) -> (Result<Part, VideoError>, Vec<CallOutcome>) {
    let receipts = Receipts::default();
    let part = videos.transcribe(URL, window, &receipts).await;
    let outcomes = receipts.all().iter().map(|call| call.outcome).collect();
    (part, outcomes)
}

#[tokio::test]
async fn a_part_is_watched_by_its_url_and_says_whether_there_is_more() {
    let (google, videos) = gemini().await;
    let receipts = Receipts::default();
    let first = videos.transcribe(URL, Window::from(0), &receipts).await;
    let first = first.unwrap();
    assert!(
        first
            .markdown
            .starts_with("[00:00] Said in dQw4w9WgXcQ at 0.\n")
    );
    assert!(
        first
            .markdown
            .ends_with("[29:30] Said in dQw4w9WgXcQ at 1770.")
    );
    assert_eq!(first.progress(), Progress::Until(1800));
    let second = videos.transcribe(URL, Window::from(1800), &receipts).await;
    let second = second.unwrap();
    assert!(second.markdown.starts_with("[30:00] Said"));
    assert_eq!(second.progress(), Progress::Whole);

    let calls = receipts.all();
    let (calls, paid) = (&calls[..], google.ledger());
    let what: Vec<&str> = paid.iter().map(|payment| &*payment.what).collect();
    assert_eq!(what, ["dQw4w9WgXcQ 0s-1800s", "dQw4w9WgXcQ 1800s-3600s"]);
    for (call, payment) in calls.iter().zip(&paid) {
        assert_eq!(
            (call.provider, call.model.as_deref(), call.outcome),
            ("Gemini", Some("gemini-2.5-flash"), CallOutcome::Answered)
        );
        let counted = call.usage.prompt_tokens.unwrap()
            + call.usage.output_tokens.unwrap()
            + call.usage.thought_tokens.unwrap();
        assert_eq!(counted, payment.units);
    }
    let asked = google.received()[1].json();
    let part = &asked["contents"][0]["parts"][0];
    assert_eq!(part["fileData"]["fileUri"], URL);
    assert_eq!(
        part["videoMetadata"],
        json!({"startOffset": "1800s", "endOffset": "3600s", "fps": 0.5})
    );
}

#[tokio::test]
async fn vertex_needs_no_key_and_is_told_which_tool_asks() {
    let google = Google::start().await.unwrap();
    google.put_video(ID, 60);
    let cloud = CloudSql::start().await.unwrap();
    let settings = [
        ("GOOGLE_CLOUD_PROJECT", "acme"),
        ("VERTEX_LOCATION", "global"),
        ("VERTEX_BASE_URL", google.url()),
        ("GCE_METADATA_HOST", &*cloud.metadata_host()),
        ("YOUTUBE_TRANSCRIPTION_MODEL", "gemini-3-flash"),
    ];
    let videos = Videos::from_app(&app(settings)).unwrap();
    let (part, _) = transcribe(&videos, Window::from(0)).await;
    assert_eq!(part.unwrap().progress(), Progress::Whole);
    let received = &google.received()[0];
    assert_eq!(
        received.path(),
        "/v1beta1/projects/acme/locations/global/publishers/google/models/gemini-3-flash:generateContent"
    );
    let body = received.json();
    assert_eq!(body["labels"], json!({"tool": "transcribe_youtube_urls"}));
    assert!(body["generationConfig"]["thinkingConfig"].is_null());
    let gone = "https://www.youtube.com/watch?v=aaaaaaaaaaa";
    let receipts = Receipts::default();
    let error = videos.transcribe(gone, Window::from(0), &receipts);
    let error = error.await.unwrap_err();
    assert_eq!(error.reason(), "unavailable", "{error}");
}

#[tokio::test]
async fn who_is_asked_is_what_the_settings_say_and_nobody_without_them() {
    let key = ("GOOGLE_API_KEY", KEY);
    let place = [
        ("GOOGLE_CLOUD_PROJECT", "acme"),
        ("VERTEX_LOCATION", "global"),
    ];
    let who = |app: Arc<App>| Videos::from_app(&app).map(|videos| videos.provider());
    assert_eq!(who(app([])), None);
    // A project alone is not meant to be used for that.
    assert_eq!(who(app([place[0]])), None);
    assert_eq!(who(app([key])), Some("Gemini"));
    assert_eq!(who(app(place)), Some("Vertex AI"));
    assert_eq!(who(app([key, place[0], place[1]])), Some("Gemini"));
    let vertex = ("LLM_PROVIDER", "vertex");
    assert_eq!(who(app([key, place[0], vertex])), Some("Vertex AI"));
    let told = video::not_configured().document("1").to_string();
    assert!(
        told.contains("GOOGLE_API_KEY") && told.contains("VERTEX_LOCATION"),
        "{told}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_video_is_told_apart_and_never_ends_the_job() {
    let refused = |status, message: &str| {
        let error = json!({"error": {"code": status, "message": message, "status": "X"}});
        Effect::Answer(Answer::json(status, &error))
    };
    let long =
        "The input token count (1091639) exceeds the maximum number of tokens allowed (1048576).";
    for (effect, reason) in [
        (
            refused(403, "The caller does not have permission"),
            "unavailable",
        ),
        (
            refused(400, "Cannot fetch content from the provided URL."),
            "unavailable",
        ),
        (refused(400, long), "too_long"),
        (refused(404, "models/x is not found"), "provider"),
        (Effect::Garbage, "provider"),
    ] {
        let (google, videos) = gemini().await;
        google.inject(Fault::new(effect));
        let (part, _) = transcribe(&videos, Window::from(0)).await;
        let error = part.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        let Failure::Never(words) = Failure::from(error) else {
            panic!("{reason}: of this video alone, and not asked again");
        };
        assert!(words.starts_with(&format!("{reason}: ")), "{words}");
    }
    for (reply, reason, outcome) in [
        (
            Reply::text("").ending("RECITATION"),
            "blocked",
            CallOutcome::Blocked,
        ),
        (
            Reply::blocked("PROHIBITED_CONTENT"),
            "blocked",
            CallOutcome::Blocked,
        ),
        (Reply::text("[00:00]"), "no_content", CallOutcome::Answered),
    ] {
        let (google, videos) = gemini().await;
        google.says(ID, reply);
        let (part, outcomes) = transcribe(&videos, Window::from(0)).await;
        let error = part.unwrap_err();
        assert_eq!((error.reason(), &outcomes[..]), (reason, &[outcome][..]));
        assert_eq!(google.ledger().len(), 1, "paid, and not again");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_deployment_ends_the_job_and_what_passes_is_asked_again() {
    let (google, videos) = gemini().await;
    let off = json!({"error": {"code": 403, "status": "PERMISSION_DENIED",
        "message": "Generative Language API has not been used in project 7 before or it is disabled."}});
    google.inject(Fault::new(Effect::Answer(Answer::json(403, &off))));
    let (part, _) = transcribe(&videos, Window::from(0)).await;
    assert!(matches!(
        Failure::from(part.unwrap_err()),
        Failure::Settings(_)
    ));
    let stolen = app([
        ("GOOGLE_API_KEY", "stolen"),
        ("GOOGLE_BASE_URL", google.url()),
    ]);
    let (part, _) = transcribe(&Videos::from_app(&stolen).unwrap(), Window::from(0)).await;
    assert!(matches!(
        Failure::from(part.unwrap_err()),
        Failure::Settings(_)
    ));

    for (effect, wait) in [
        (Effect::RetryAfter(429, 7), Some(Duration::from_secs(7))),
        (Effect::Status(503), None),
        (Effect::CutBefore, None),
        (Effect::CutAfter(20), None),
        (Effect::Hang, None),
    ] {
        let (google, videos) = gemini().await;
        let videos = videos.deadline(Duration::from_millis(500));
        google.inject(Fault::new(effect.clone()));
        let (part, _) = transcribe(&videos, Window::from(0)).await;
        match Failure::from(part.unwrap_err()) {
            Failure::Again { after, .. } => assert_eq!(after, wait, "{effect:?}"),
            other => panic!("{effect:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn where_too_much_is_said_for_an_answer_less_is_watched_at_once() {
    let (google, videos) = gemini().await;
    let half = Reply::text("[00:00] And so").ending("MAX_TOKENS");
    google.says("\"1800s\"", half.clone().times(1));
    let (part, outcomes) = transcribe(&videos, Window::from(0)).await;
    let part = part.unwrap();
    assert_eq!(outcomes, [CallOutcome::Cut, CallOutcome::Answered]);
    assert_eq!(part.progress(), Progress::Until(600));
    assert!(!part.markdown.contains("And so"), "half an answer is none");

    google.says(ID, half);
    let (part, outcomes) = transcribe(&videos, Window::from(0)).await;
    assert_eq!(part.unwrap_err().reason(), "too_much_said");
    assert_eq!(outcomes, [CallOutcome::Cut; 2]);
}
