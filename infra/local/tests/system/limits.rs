//! The monthly limit, as a user meets it.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use crate::system::System;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_calls_at_once_with_a_limit_of_100_admit_exactly_100() {
    let system = Arc::new(System::start_with(&[("MONTHLY_TOOL_CALL_LIMIT", "100")], false).await);
    let article = system
        .upload("alice", "# One\n\nhttps://example.com/a")
        .await;
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let system = Arc::clone(&system);
            tokio::spawn(async move {
                system
                    .tool("alice", "extract_guidelines_urls", article)
                    .await
            })
        })
        .collect();
    let (mut admitted, mut refused) = (0, 0);
    for call in calls {
        let answer = call.await.unwrap();
        match answer.status {
            StatusCode::OK => admitted += 1,
            StatusCode::TOO_MANY_REQUESTS => refused += 1,
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!((admitted, refused), (100, 100));
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM tool_call_usage")
        .fetch_one(&system.database.pool())
        .await
        .unwrap();
    assert_eq!(rows, 100);
}

#[tokio::test]
async fn a_spent_quota_is_told_in_the_published_words() {
    let system = System::start_with(&[("MONTHLY_TOOL_CALL_LIMIT", "1")], false).await;
    let article = system.upload("alice", "# One").await;
    let first = system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    assert_eq!(first.status, StatusCode::OK);
    assert!(
        first.header("ratelimit").starts_with("\"monthly\";r=0;t="),
        "{first:?}"
    );

    let refused = system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    refused.is_problem(
        StatusCode::TOO_MANY_REQUESTS,
        "Monthly tool usage limit exceeded. You have used 1/1 tool calls this month. \
         Your quota resets on ",
    );
    let document = refused.json();
    assert_eq!(
        (&document["used"], &document["limit"]),
        (&json!(1), &json!(1))
    );
    let resets_at = document["resets_at"].as_str().unwrap();
    assert!(resets_at.ends_with("-01T00:00:00Z"), "{resets_at}");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=31 * 24 * 3600).contains(&wait), "{wait}");

    let usage = system.get("alice", "/usage").await.json();
    assert_eq!(usage["remaining"], 0);
    assert_eq!(usage["resets_at"], document["resets_at"]);
    let bob = system.get("bob", "/usage").await.json();
    assert_eq!((&bob["used"], &bob["remaining"]), (&json!(0), &json!(1)));
}

#[tokio::test]
async fn a_limit_of_zero_is_no_limit_and_still_counts() {
    let system = System::start_with(&[("MONTHLY_TOOL_CALL_LIMIT", "0")], false).await;
    let article = system.upload("alice", "# One").await;
    for _ in 0..3 {
        let answer = system
            .tool("alice", "extract_guidelines_urls", article)
            .await;
        assert_eq!(
            (answer.status, answer.header("ratelimit")),
            (StatusCode::OK, "")
        );
    }
    let usage = system.get("alice", "/usage").await.json();
    assert_eq!((&usage["used"], &usage["limit"]), (&json!(3), &Value::Null));
}

#[tokio::test]
async fn a_call_repeated_with_its_key_is_charged_once() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let arguments = json!({ "article_guideline_id": article });
    for _ in 0..3 {
        let headers = [("idempotency-key", "again")];
        let answer = system
            .tool_with(
                "alice",
                "extract_guidelines_urls",
                arguments.clone(),
                &headers,
            )
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    assert_eq!(system.get("alice", "/usage").await.json()["used"], 1);
}

#[tokio::test]
async fn a_key_stands_for_its_call_for_a_day_and_then_for_the_next_one() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let pool = system.database.pool();
    let call = async || {
        let headers = [("idempotency-key", "always the same")];
        let arguments = json!({ "article_guideline_id": article });
        let answer = system
            .tool_with("alice", "extract_guidelines_urls", arguments, &headers)
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    };
    for (hours_later, charged) in [(0, 1), (23, 1), (2, 2), (23, 2), (2, 3)] {
        let pass =
            "UPDATE tool_call_usage SET created_at = created_at - make_interval(hours => $1)";
        let pass = sqlx::query(pass).bind(hours_later);
        pass.execute(&pool).await.unwrap();
        for _delivered_twice in 0..2 {
            call().await;
        }
        let calls = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM tool_call_usage");
        assert_eq!(calls.fetch_one(&pool).await.unwrap(), charged);
    }
    let drift = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM usage_drift");
    assert_eq!(drift.fetch_one(&pool).await.unwrap(), 0);
}

#[tokio::test]
async fn a_key_stands_for_one_call_and_not_for_all_of_them() {
    let system = System::start().await;
    let (one, two) = (
        system.upload("alice", "# One").await,
        system.upload("alice", "# Two").await,
    );
    let source = |url: &str| json!([{"url": url, "answer": "It is known."}]);
    let sources =
        |url: &str| json!({"article_guideline_id": one, "query": "Why?", "sources": source(url)});
    let calls = [
        (
            "extract_guidelines_urls",
            json!({"article_guideline_id": one}),
        ),
        (
            "extract_guidelines_urls",
            json!({"article_guideline_id": two}),
        ),
        ("add_sources", sources("https://a.example/")),
        ("add_sources", sources("https://b.example/")),
    ];
    for _delivered_twice in 0..2 {
        for (tool, arguments) in &calls {
            let headers = [("idempotency-key", "one")];
            let answer = system
                .tool_with("alice", tool, arguments.clone(), &headers)
                .await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        }
    }
    assert_eq!(system.get("alice", "/usage").await.json()["used"], 4);
    let pool = system.database.pool();
    let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM research_sources");
    assert_eq!(count.fetch_one(&pool).await.unwrap(), 2);
}

#[tokio::test]
async fn a_call_that_fails_by_our_fault_is_given_back() {
    use nova_testkit::objects::{Action, Effect, Fault};
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    system.local.objects.inject(
        Fault::new(Effect::Status(403))
            .on(Action::Download)
            .times(100),
    );
    let failed = system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    assert!(failed.status.is_server_error(), "{failed:?}");
    assert!(
        !failed.text().contains("403"),
        "the cause is for the log: {failed:?}"
    );
    assert_eq!(system.get("alice", "/usage").await.json()["used"], 0);
}
