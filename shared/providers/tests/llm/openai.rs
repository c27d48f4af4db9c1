//! Whoever speaks OpenAI's chat completions.

use std::sync::Arc;

use nova_providers::{
    ProviderError,
    llm::{self, Llm},
};
use nova_runtime::{App, Config, Environment, receipts::CallOutcome};
use nova_testkit::providers::{
    Effect, Fault,
    openai::{Completion, KEY, OpenAi},
};
use serde_json::json;

use crate::{LINE, ask};

fn llm(server: &OpenAi, key: &str) -> Arc<dyn Llm> {
    let environment = Environment::from([
        ("OPENAI_API_KEY", key),
        ("OPENAI_BASE_URL", &server.base_url()),
        ("LLM_MODEL", "qwen3:8b"),
    ]);
    let app = App::new("sample", Config::read(&environment).unwrap()).unwrap();
    llm::configured(&app).unwrap().unwrap()
}

#[tokio::test]
async fn a_server_that_knows_schemas_is_asked_once() {
    let server = OpenAi::start().await.unwrap();
    let (answer, outcomes) = ask(&*llm(&server, KEY)).await;
    assert_eq!(
        answer.unwrap(),
        json!({"reason": "Said by a stand-in.", "keep": [1]})
    );
    assert_eq!(outcomes, [CallOutcome::Answered]);
    let asked = server.received()[0].json();
    assert_eq!(asked["model"], "qwen3:8b");
    assert_eq!(
        asked["messages"][1]["content"],
        format!("{LINE}\n\n2: example.org")
    );
    assert_eq!(asked["response_format"]["json_schema"]["name"], "selection");
}

#[tokio::test]
async fn a_server_without_schemas_is_told_the_schema_in_words_and_not_asked_for_one_again() {
    let server = OpenAi::without_schemas().await.unwrap();
    let llm = llm(&server, KEY);
    server.says(
        LINE,
        Completion::text("```json\n{\"reason\": \"\", \"keep\": [2]}\n```"),
    );
    let (answer, outcomes) = ask(&*llm).await;
    assert_eq!(answer.unwrap()["keep"], json!([2]));
    assert_eq!(outcomes, [CallOutcome::Refused, CallOutcome::Answered]);
    let (answer, outcomes) = ask(&*llm).await;
    assert_eq!(answer.unwrap()["keep"], json!([2]));
    assert_eq!(outcomes, [CallOutcome::Answered]);
    let asked = server.received()[2].json();
    assert_eq!(asked["response_format"], json!({"type": "json_object"}));
    let system = asked["messages"][0]["content"].as_str().unwrap();
    assert!(
        system.contains("\"required\":[\"reason\",\"keep\"]"),
        "{system}"
    );
    assert_eq!(server.paid(LINE), 2);
}

#[tokio::test]
async fn half_an_answer_and_refusals_are_errors_and_are_not_asked_for_again() {
    let half = r#"{"reason": "", "keep": [1]}"#;
    for (completion, error, outcome) in [
        (
            Completion::text(half).ending("length"),
            "the answer of OpenAI was cut at its limit",
            CallOutcome::Cut,
        ),
        (
            Completion::text("").ending("content_filter"),
            "OpenAI holds its answer back: content_filter",
            CallOutcome::Blocked,
        ),
        (
            Completion::refusal("I cannot help with that."),
            "OpenAI holds its answer back: I cannot help with that.",
            CallOutcome::Blocked,
        ),
    ] {
        let server = OpenAi::start().await.unwrap();
        server.says(LINE, completion);
        let (answer, outcomes) = ask(&*llm(&server, KEY)).await;
        assert_eq!(answer.unwrap_err().to_string(), error);
        assert_eq!(outcomes, [outcome]);
    }
}

#[tokio::test]
async fn prose_is_mended_once_and_then_refused() {
    let server = OpenAi::start().await.unwrap();
    server.says(LINE, Completion::text("The first one."));
    let (answer, outcomes) = ask(&*llm(&server, KEY)).await;
    assert!(matches!(answer, Err(ProviderError::Unusable { .. })));
    assert_eq!(outcomes, [CallOutcome::Unusable; 2]);
    let messages = &server.received()[1].json()["messages"];
    assert_eq!(
        messages[2],
        json!({"role": "assistant", "content": "The first one."})
    );
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_is_told_apart() {
    let server = OpenAi::start().await.unwrap();
    let error = ask(&*llm(&server, "sk-old")).await.0.unwrap_err();
    assert!(
        matches!(error, ProviderError::Credentials { .. }),
        "{error}"
    );
    for (effect, outcome) in [
        (Effect::RetryAfter(429, 1), CallOutcome::Busy),
        (Effect::CutAfter(9), CallOutcome::Unreachable),
        (Effect::Garbage, CallOutcome::Unusable),
        (Effect::Status(400), CallOutcome::Refused),
    ] {
        server.inject(Fault::new(effect));
        assert_eq!(ask(&*llm(&server, KEY)).await.1, [outcome]);
    }
}
