//! Google's models.

use std::sync::Arc;

use nova_providers::{
    ProviderError,
    llm::{self, Llm},
};
use nova_runtime::{
    App, Config, Environment,
    receipts::{CallOutcome, Receipts},
};
use nova_testkit::cloudsql::CloudSql;
use nova_testkit::providers::{
    Effect, Fault,
    google::{Google, KEY, Reply},
};
use serde_json::json;

use crate::{LINE, ask, prompt};

fn app(google: &Google, key: &str) -> Arc<App> {
    let environment = Environment::from([
        ("GOOGLE_API_KEY", key),
        ("GOOGLE_BASE_URL", google.url()),
        ("SOURCE_SELECTION_MODEL", "gemini-2.5-pro"),
    ]);
    App::new("sample", Config::read(&environment).unwrap()).unwrap()
}

pub(crate) async fn gemini() -> (Google, Arc<dyn Llm>) {
    let google = Google::start().await.unwrap();
    let llm = llm::configured(&app(&google, KEY)).unwrap().unwrap();
    (google, llm)
}

#[tokio::test]
async fn gemini_answers_in_the_shape_and_leaves_a_receipt() {
    let (google, llm) = gemini().await;
    let receipts = Receipts::default();
    let answer = llm.ask(&prompt(), &receipts).await.unwrap();
    assert_eq!(
        answer,
        json!({"reason": "Said by a stand-in.", "keep": [1]})
    );
    let [call] = &receipts.all()[..] else {
        panic!("one call, one receipt")
    };
    assert_eq!(
        (call.provider, call.model.as_deref(), call.outcome),
        ("Gemini", Some("gemini-2.5-pro"), CallOutcome::Answered)
    );
    let paid = google.ledger();
    let counted = call.usage.prompt_tokens.unwrap()
        + call.usage.output_tokens.unwrap()
        + call.usage.thought_tokens.unwrap();
    assert_eq!((paid.len(), paid[0].units), (1, counted));

    let asked = google.received()[0].json();
    assert_eq!(asked["contents"][0]["parts"][1]["text"], "2: example.org");
    assert_eq!(
        asked["systemInstruction"]["parts"][0]["text"],
        "You choose sources."
    );
    assert_eq!(
        asked["generationConfig"]["responseSchema"]["type"],
        "OBJECT"
    );
}

#[tokio::test]
async fn prose_in_place_of_json_is_mended_once() {
    let (google, llm) = gemini().await;
    google.says(LINE, Reply::text("I would keep the first.").times(1));
    let (answer, outcomes) = ask(&*llm).await;
    assert_eq!(answer.unwrap()["keep"], json!([1]));
    assert_eq!(outcomes, [CallOutcome::Unusable, CallOutcome::Answered]);
    assert_eq!(google.paid(LINE), 2, "and both are paid");
    let contents = &google.received()[1].json()["contents"];
    assert_eq!(
        contents[1]["parts"][0]["text"], "I would keep the first.",
        "it sees what it said"
    );
    let complaint = contents[2]["parts"][0]["text"].as_str().unwrap();
    assert!(complaint.contains("it is not JSON"), "{complaint}");
}

#[tokio::test]
async fn ids_that_do_not_exist_are_mended_once_and_then_refused() {
    let (google, llm) = gemini().await;
    google.says(LINE, Reply::text(r#"{"reason": "", "keep": [1, 900]}"#));
    let (answer, outcomes) = ask(&*llm).await;
    let error = answer.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the answer of Gemini cannot be used: the answer.keep[1] is no whole number from 1 to 2"
    );
    assert_eq!(outcomes, [CallOutcome::Unusable; 2]);
    assert_eq!(google.paid(LINE), 2);
}

#[tokio::test]
async fn half_an_answer_and_one_held_back_are_errors_and_are_not_asked_for_again() {
    let half = r#"{"reason": "", "keep": [1]}"#;
    for (reply, error, outcome) in [
        (
            Reply::text(half).ending("MAX_TOKENS"),
            "the answer of Gemini was cut at its limit",
            CallOutcome::Cut,
        ),
        (
            Reply::text("").ending("SAFETY"),
            "Gemini holds its answer back: SAFETY",
            CallOutcome::Blocked,
        ),
        (
            Reply::blocked("PROHIBITED_CONTENT"),
            "Gemini holds its answer back: PROHIBITED_CONTENT",
            CallOutcome::Blocked,
        ),
    ] {
        let (google, llm) = gemini().await;
        google.says(LINE, reply);
        let (answer, outcomes) = ask(&*llm).await;
        assert_eq!(answer.unwrap_err().to_string(), error);
        assert_eq!(outcomes, [outcome]);
        assert_eq!(google.paid(LINE), 1, "it is paid all the same");
    }
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_is_told_apart() {
    for (effect, retryable, outcome) in [
        (Effect::RetryAfter(429, 7), true, CallOutcome::Busy),
        (Effect::Status(503), true, CallOutcome::Busy),
        (Effect::CutBefore, true, CallOutcome::Unreachable),
        (Effect::CutAfter(20), true, CallOutcome::Unreachable),
        (Effect::Garbage, false, CallOutcome::Unusable),
        (Effect::Status(404), false, CallOutcome::Refused),
    ] {
        let (google, llm) = gemini().await;
        google.inject(Fault::new(effect.clone()));
        let (answer, outcomes) = ask(&*llm).await;
        let error = answer.unwrap_err();
        assert_eq!(error.is_retryable(), retryable, "{effect:?}: {error}");
        assert_eq!(outcomes, [outcome], "{effect:?}");
        assert!(google.faults_are_used_up());
    }
}

#[tokio::test]
async fn a_wrong_key_is_a_matter_for_the_operator_though_google_calls_it_an_argument() {
    let google = Google::start().await.unwrap();
    let llm = llm::configured(&app(&google, "stolen")).unwrap().unwrap();
    let (answer, _) = ask(&*llm).await;
    let error = answer.unwrap_err();
    assert!(
        matches!(error, ProviderError::Credentials { .. }),
        "{error}"
    );
    assert!(!error.to_string().contains("stolen"));
}

#[tokio::test]
async fn vertex_needs_no_key_and_is_told_which_tool_asks() {
    let google = Google::start().await.unwrap();
    let cloud = CloudSql::start().await.unwrap();
    let environment = Environment::from([
        ("LLM_PROVIDER", "vertex"),
        ("GOOGLE_CLOUD_PROJECT", "acme"),
        ("VERTEX_LOCATION", "europe-west1"),
        ("VERTEX_BASE_URL", google.url()),
        ("GCE_METADATA_HOST", &cloud.metadata_host()),
    ]);
    let app = App::new("sample", Config::read(&environment).unwrap()).unwrap();
    let llm = llm::configured(&app).unwrap().unwrap();
    let (answer, outcomes) = ask(&*llm).await;
    assert_eq!(answer.unwrap()["keep"], json!([1]));
    assert_eq!(
        (llm.provider(), &outcomes[..]),
        ("Vertex AI", &[CallOutcome::Answered][..])
    );
    let received = &google.received()[0];
    assert_eq!(
        received.path(),
        "/v1beta1/projects/acme/locations/europe-west1/publishers/google/models/gemini-2.5-flash:generateContent"
    );
    assert_eq!(
        received.json()["labels"],
        json!({"tool": "select_research_sources_to_keep"})
    );
}
