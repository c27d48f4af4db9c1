//! Asking BigQuery: what is asked again, what is not, and what a name stands for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use nova_providers::{
    ProviderError,
    bigquery::{BigQuery, Field, JobState, Load, Table},
};
use nova_runtime::{Config, Environment, http_client::HttpClient, tokens::TokenSource};
use nova_testkit::{
    bigquery::BigQuery as Google,
    objects::{self, ObjectStore},
    providers::{Answer, Effect, Fault},
};
use serde_json::json;

const TABLE: Table = Table {
    name: "calls",
    fields: &[Field {
        name: "at",
        kind: "TIMESTAMP",
        mode: "REQUIRED",
        description: "When.",
    }],
    partitioned_by: "at",
    clustered_by: &["at"],
};

async fn google() -> (Google, BigQuery) {
    let objects = ObjectStore::start(objects::Config::default()).await;
    let google = Google::start("acme", "nova", "EU", objects.unwrap());
    let google = google.await.unwrap();
    let settings = [
        ("BQ_DATASET_ID", "nova"),
        ("BIGQUERY_BASE_URL", google.url()),
    ];
    let config = Config::read(&Environment::from(settings)).unwrap();
    let tokens = TokenSource::fixed("token");
    let target = config.bigquery.unwrap();
    let bigquery = BigQuery::new(&target, "acme", HttpClient::new(), tokens);
    (google, bigquery)
}

#[tokio::test]
async fn a_name_stands_for_one_job() {
    let (google, bigquery) = google().await;
    assert_eq!(bigquery.location().await.unwrap().unwrap(), "EU");
    assert_eq!(bigquery.job("one", "EU").await.unwrap(), None);
    let load = Load {
        source: "gs://files/nothing",
        table: &TABLE,
        day: "20260329",
    };
    for _ in 0..2 {
        bigquery.load("one", "EU", load).await.unwrap();
    }
    assert_eq!(google.jobs().len(), 1);
    let failed = loop {
        match bigquery.job("one", "EU").await.unwrap().unwrap() {
            JobState::Running => tokio::time::sleep(Duration::from_millis(5)).await,
            JobState::Failed(error) => break error,
            JobState::Done { .. } => panic!("there is no such file"),
        }
    };
    assert_eq!(
        (failed.reason.as_str(), failed.is_passing()),
        ("notFound", false)
    );
}

#[tokio::test]
async fn who_is_busy_is_asked_again_and_who_refuses_is_not() {
    let (google, bigquery) = google().await;
    let says = |reason: &str| {
        let error = json!({"code": 403, "message": "No.", "errors": [{"reason": reason}]});
        Effect::Answer(Answer::json(403, &json!({ "error": error })))
    };
    let asked = |before: usize| google.received().len() - before;

    google.inject(Fault::new(says("rateLimitExceeded")).times(2));
    assert!(bigquery.location().await.unwrap().is_some());
    assert_eq!(asked(0), 3);

    for effect in [
        says("accessDenied"),
        says("quotaExceeded"),
        Effect::Status(400),
        // Longer than anybody waits here.
        Effect::RetryAfter(503, 3600),
    ] {
        let before = google.received().len();
        google.inject(Fault::new(effect.clone()));
        let error = bigquery.location().await.unwrap_err();
        assert_eq!(asked(before), 1, "{effect:?}: {error}");
    }
    google.inject(Fault::new(says("accessDenied")));
    let denied = bigquery.location().await.unwrap_err();
    assert!(
        denied
            .to_string()
            .starts_with("BigQuery refuses our credentials (403 Forbidden): No.")
    );
    let ProviderError::Credentials { setting, .. } = denied else {
        panic!("{denied}")
    };
    assert!(setting.contains("bigquery.jobUser"));

    let before = google.received().len();
    google.inject(Fault::new(Effect::Status(503)).times(9));
    assert!(bigquery.location().await.unwrap_err().is_retryable());
    assert_eq!(asked(before), 5);
}
