//! Listing and erasing.

use http::{Method, StatusCode};
use nova_testkit::{
    Gate,
    providers::{Effect, Fault, perplexity},
};
use serde_json::{Value, json};

use crate::system::System;

#[tokio::test]
async fn the_list_comes_in_pages_newest_first_without_gaps() {
    let system = System::start().await;
    let mut uploaded = Vec::new();
    for number in 0..5 {
        uploaded.push(
            system
                .upload("alice", format!("# {number}"))
                .await
                .to_string(),
        );
    }
    system.upload("bob", "# Bob's").await;
    uploaded.reverse();
    let (mut listed, mut path) = (Vec::new(), "/articles?limit=2".to_owned());
    loop {
        let page = system.get("alice", &path).await.json();
        let articles = page["articles"].as_array().unwrap();
        assert!(articles.len() <= 2);
        listed.extend(
            articles
                .iter()
                .map(|one| one["article_guideline_id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/articles?limit=2&cursor={next}");
    }
    assert_eq!(listed, uploaded);
}

#[tokio::test]
async fn a_wrong_page_is_told() {
    let system = System::start().await;
    let range = "limit: must be a whole number from 1 to 100";
    for (path, words) in [
        ("/articles?limit=0", range),
        ("/articles?limit=101", range),
        ("/articles?limit=x", range),
        ("/articles?cursor=x", "cursor: not the `next`"),
    ] {
        system
            .get("alice", path)
            .await
            .is_problem(StatusCode::BAD_REQUEST, words);
    }
}

#[tokio::test]
async fn an_article_shows_how_far_its_research_has_come() {
    let provider = perplexity::Perplexity::start().await.unwrap();
    let settings = [
        ("PPLX_BASE_URL", provider.url()),
        ("PPLX_API_KEY", perplexity::KEY),
    ];
    let system = System::start_with(&settings, false).await;
    let article = system.upload("alice", "# One").await;
    let path = format!("/articles/{article}");
    let progress =
        async || -> Value { system.get("alice", &path).await.json()["progress"].clone() };
    let none = progress().await;
    assert_eq!(none["running"], Value::Null, "{none}");
    assert_eq!(
        (&none["questions_answered"], &none["provider_calls"]),
        (&json!(0), &json!(0)),
        "{none}"
    );

    let gate = Gate::new();
    provider.inject(Fault::new(Effect::Hold(gate.clone())).after(1));
    let arguments =
        json!({"article_guideline_id": article, "queries": ["Why?", "How?", "Since when?"]});
    let tool = "run_perplexity_research";
    let call = system.tool_with(
        "alice",
        tool,
        arguments.clone(),
        &[("x-nova-max-wait", "0")],
    );
    let begun = call.await.json();
    while gate.held() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let under = progress().await;
    let running = &under["running"];
    assert_eq!(
        (&running["tool"], &running["done"], &running["total"]),
        (&json!(tool), &json!(1), &json!(3)),
        "{under}"
    );
    assert_eq!(running["job_id"], begun["job_id"]);
    assert_eq!(under["questions_answered"], 1, "{under}");
    gate.open();
    let done = system.tool_with("alice", tool, arguments, &[]).await;
    assert_eq!(done.status, StatusCode::OK, "{done:?}");
    let after = progress().await;
    assert_eq!(after["running"], Value::Null, "{after}");
    // Two pages of each question's own, and one that all find.
    for (field, value) in [
        ("questions_answered", 3),
        ("sources_found", 7),
        ("sources_kept", 0),
        ("provider_calls", 3),
    ] {
        assert_eq!(after[field], value, "{after}");
    }
}

#[tokio::test]
async fn an_erased_article_is_gone_and_its_blobs_are_left_to_the_sweeper() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let path = format!("/articles/{article}");
    let erased = system
        .send_as("alice", Method::DELETE, &path, &[], "")
        .await;
    assert_eq!(
        (erased.status, erased.body.len()),
        (StatusCode::NO_CONTENT, 0)
    );
    system
        .get("alice", &path)
        .await
        .is_problem(StatusCode::NOT_FOUND, "no article");
    let again = system
        .send_as("alice", Method::DELETE, &path, &[], "")
        .await;
    again.is_problem(StatusCode::NOT_FOUND, "no article");
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM blobs WHERE state IN ('committed', 'deleting')")
            .fetch_one(&system.database.pool())
            .await
            .unwrap();
    assert_eq!(left, 1);
}
