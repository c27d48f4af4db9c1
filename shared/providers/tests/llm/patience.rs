//! Quick tools ask again, for a while.

use std::time::{Duration, Instant};

use nova_providers::llm::ask_patiently;
use nova_runtime::receipts::{CallOutcome, Receipts};
use nova_testkit::providers::{Effect, Fault};

use crate::{google::gemini, prompt};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_busy_model_is_asked_again_when_it_says_and_paid_once() {
    let (google, llm) = gemini().await;
    google.inject(Fault::new(Effect::RetryAfter(429, 1)));
    let (begun, receipts) = (Instant::now(), Receipts::default());
    let answer = ask_patiently(&*llm, &prompt(), &receipts, MINUTE).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let outcomes: Vec<CallOutcome> = receipts.all().iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, [CallOutcome::Busy, CallOutcome::Answered]);
    assert_eq!(google.ledger().len(), 1);
}

#[tokio::test]
async fn a_model_that_wants_more_time_than_there_is_is_not_waited_for() {
    let (google, llm) = gemini().await;
    google.inject(Fault::new(Effect::RetryAfter(429, 600)));
    let (begun, receipts) = (Instant::now(), Receipts::default());
    let error = ask_patiently(&*llm, &prompt(), &receipts, MINUTE).await;
    assert!(error.unwrap_err().to_string().contains("is busy (429"));
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_model_that_never_answers_costs_the_limit_and_no_more() {
    let (google, llm) = gemini().await;
    google.inject(Fault::new(Effect::Hang));
    let (limit, receipts) = (Duration::from_millis(300), Receipts::default());
    let error = ask_patiently(&*llm, &prompt(), &receipts, limit).await;
    assert!(error.unwrap_err().to_string().contains("does not answer"));
    assert_eq!(receipts.all()[0].outcome, CallOutcome::Unreachable);
    assert_eq!(google.received().len(), 1);
}

#[tokio::test]
async fn what_another_try_cannot_change_is_not_tried_again() {
    let (google, llm) = gemini().await;
    google.inject(Fault::new(Effect::Status(404)));
    let receipts = Receipts::default();
    let error = ask_patiently(&*llm, &prompt(), &receipts, MINUTE).await;
    assert!(error.is_err());
    assert_eq!(google.received().len(), 1);
}
