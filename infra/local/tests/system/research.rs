//! Search: from a guideline to numbered sources in the document, with a provider and without one.

use std::sync::Arc;

use http::StatusCode;
use nova_testkit::providers::{
    Answer as Said, Effect, Fault,
    perplexity::{KEY, Perplexity},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::{Answer, System};

const TOOL: &str = "run_perplexity_research";

async fn with_perplexity() -> (System, Perplexity) {
    let stand_in = Perplexity::start().await.unwrap();
    let settings = [("PPLX_API_KEY", KEY), ("PPLX_BASE_URL", stand_in.url())];
    (System::start_with(&settings, false).await, stand_in)
}

async fn ask(system: &System, user: &str, article: Uuid, queries: &[&str]) -> Answer {
    let arguments = json!({"article_guideline_id": article, "queries": queries});
    system.tool_with(user, TOOL, arguments, &[]).await
}

async fn add(system: &System, article: Uuid, query: &str, sources: Value) -> Answer {
    let arguments = json!({"article_guideline_id": article, "query": query, "sources": sources});
    system
        .tool_with("alice", "add_sources", arguments, &[])
        .await
}

async fn document(system: &System, user: &str, article: Uuid) -> String {
    let compiled = system.tool(user, "create_research_file", article).await;
    assert_eq!(compiled.status, StatusCode::OK, "{compiled:?}");
    let path = format!("/download_research?article_guideline_id={article}");
    system.get(user, &path).await.text()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_become_numbered_sources_of_the_document() {
    let (system, stand_in) = with_perplexity().await;
    let article = system.upload("alice", "# MCP").await;
    let answer = ask(
        &system,
        "alice",
        article,
        &["What is MCP?", " what is  mcp? ", "Why?"],
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let answer = answer.json();
    // Both questions find the paper, which is one source with two answers.
    for (field, expected) in [
        ("status", json!("success")),
        ("queries_processed", json!(2)),
        ("sources_added", json!(5)),
        ("answers_added", json!(1)),
        ("failures", json!([])),
        ("cost", json!({"calls": 2, "usd": null})),
    ] {
        assert_eq!(answer[field], expected, "{field}: {answer}");
    }
    let text = document(&system, "alice", article).await;
    let block = |query: &str, sources: &[(u32, &str)]| {
        let sources: Vec<String> = sources
            .iter()
            .map(|(number, url)| {
                format!(
                    "### Source [{number}]: {url}\n\nQuery: {query}\n\nAnswer: What {url} says to: {query}\n\n-----"
                )
            })
            .collect();
        format!(
            "<details>\n<summary>{query}</summary>\n\n{}\n\n</details>\n",
            sources.join("\n\n-----\n\n")
        )
    };
    let paper = "https://arxiv.org/abs/2310.11511";
    let expected = format!(
        "# Research\n\n## Research Results\n\n{}\n{}",
        block(
            "What is MCP?",
            &[
                (1, "https://docs.example.com/whatismcp/1"),
                (2, "https://blog.example.org/whatismcp/2"),
                (3, paper),
            ]
        ),
        block(
            "Why?",
            &[
                (3, paper),
                (4, "https://docs.example.com/why/1"),
                (5, "https://blog.example.org/why/2"),
            ]
        ),
    );
    assert!(text.starts_with(&expected), "{text}");

    // The same within a day, in another list, is answered from what is there.
    let again = ask(&system, "alice", article, &["WHY?", "How?"])
        .await
        .json();
    assert_eq!(
        (&again["queries_answered_before"], &again["sources_added"]),
        (&json!(1), &json!(2)),
        "{again}"
    );
    assert!(
        again["message"]
            .as_str()
            .unwrap()
            .contains("not paid for again"),
        "{again}"
    );
    assert_eq!(stand_in.ledger().len(), 3);
    let receipts = "SELECT count(*) FROM provider_calls
                     WHERE user_id = 'alice' AND article_id = $1 AND provider = 'Perplexity' AND outcome = 'answered'";
    let receipts = sqlx::query_scalar::<_, i64>(receipts).bind(article);
    let receipts = receipts.fetch_one(&system.database.pool()).await;
    assert_eq!(receipts.unwrap(), 3, "each call has its receipt");
    let shown = system.get("alice", &format!("/articles/{article}")).await;
    let history = shown.json()["history"].clone();
    assert_eq!(
        (&history[1]["to"], &history[1]["tool"]),
        (&json!("researching"), &json!(TOOL))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_question_of_five_keeps_the_other_four() {
    let (system, stand_in) = with_perplexity().await;
    let article = system.upload("alice", "# One").await;
    // With a letter that no database takes.
    let bad = Said::json(400, &json!({"error": {"message": "No\u{0}."}}));
    stand_in.inject(Fault::new(Effect::Answer(bad)).on("bad"));
    stand_in.inject(Fault::new(Effect::RetryAfter(503, 0)).on("two"));
    let answer = ask(
        &system,
        "alice",
        article,
        &["one", "two", "bad", "four", "five"],
    )
    .await;
    let answer = answer.json();
    assert_eq!(
        (&answer["status"], &answer["queries_processed"]),
        (&json!("partial"), &json!(4)),
        "{answer}"
    );
    let failure = &answer["failures"][0];
    assert_eq!(
        (&failure["query"], &failure["reason"]),
        (&json!("bad"), &json!("provider_refuses")),
        "{answer}"
    );
    let detail = failure["detail"].as_str().unwrap();
    assert!(detail.contains("400"), "{answer}");
    let paid: Vec<String> = stand_in.ledger().into_iter().map(|it| it.what).collect();
    assert_eq!(paid, ["one", "two", "four", "five"], "each once");
    // Called again for it alone, it is had.
    let again = ask(&system, "alice", article, &["bad"]).await.json();
    assert_eq!(again["status"], "success", "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_users_at_once_have_their_own_sources() {
    let (system, stand_in) = with_perplexity().await;
    let system = Arc::new(system);
    let mut running = tokio::task::JoinSet::new();
    for user in ["alice", "bob"] {
        let system = Arc::clone(&system);
        running.spawn(async move {
            let article = system.upload(user, "# One").await;
            let [own, more] = ["a", "b"].map(|it| format!("{it} of {user}"));
            // Two jobs at once on one article.
            let lists = [vec!["both", &*own], vec![&*more]];
            let (first, second) = tokio::join!(
                ask(&system, user, article, &lists[0]),
                ask(&system, user, article, &lists[1]),
            );
            for answer in [first, second] {
                assert_eq!(answer.json()["status"], "success", "{answer:?}");
            }
            (user, article)
        });
    }
    let articles = running.join_all().await;
    assert_eq!(stand_in.ledger().len(), 6);
    for (user, article) in articles {
        let text = document(&system, user, article).await;
        let other = if user == "alice" { "bob" } else { "alice" };
        assert!(!text.contains(&format!("of {other}")), "{text}");
        for number in 1..=7 {
            assert!(
                text.contains(&format!("### Source [{number}]: ")),
                "{number}: {text}"
            );
        }
        assert!(!text.contains("### Source [8]: "), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_no_provider_the_agent_brings_the_sources() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let refused = ask(&system, "alice", article, &["Why?"]).await;
    refused.is_problem(StatusCode::CONFLICT, "add_sources");
    assert_eq!(system.get("alice", "/usage").await.json()["used"], 0);

    let sources = json!([
        {"url": "https://arxiv.org/abs/2310.11511", "title": "Self-RAG", "answer": "It reflects."},
        {"url": "https://example.com/a", "answer": "### Source [900]: https://evil.example\n\n</details><script>alert(1)</script>"},
    ]);
    let added = add(&system, article, "Why?", sources).await;
    assert_eq!(added.status, StatusCode::OK, "{added:?}");
    assert_eq!(added.json()["sources_added"], 2);
    let further = json!([{"url": "https://arxiv.org/pdf/2310.11511v2", "answer": "It retrieves."}]);
    let further = add(&system, article, "How?", further).await.json();
    assert_eq!(
        (&further["sources_added"], &further["answers_added"]),
        (&json!(0), &json!(1))
    );
    let text = document(&system, "alice", article).await;
    for expected in [
        "### Source [1]: https://arxiv.org/abs/2310.11511\n\nQuery: Why?\n\nAnswer: It reflects.",
        "### Source [1]: https://arxiv.org/abs/2310.11511\n\nQuery: How?\n\nAnswer: It retrieves.",
        "Answer: \\### Source [900]: https://evil.example\n\n&lt;/details>&lt;script>alert(1)",
    ] {
        assert!(text.contains(expected), "{expected}\n\n{text}");
    }
}

#[tokio::test]
async fn wrong_questions_and_sources_name_what_is_wrong_and_cost_nothing() {
    let (system, stand_in) = with_perplexity().await;
    let article = system.upload("alice", "# One").await;
    for (queries, words) in [
        (json!([]), "queries: must hold at least one query"),
        (json!(["ok", ""]), "queries[1]: a query must not be empty"),
        (
            json!(["x".repeat(401)]),
            "queries[0]: a query has at most 400 characters",
        ),
        (
            json!("one"),
            "queries: invalid type: string \"one\", expected a sequence",
        ),
        (json!(["ok", 7]), "queries[1]: invalid type"),
    ] {
        let arguments = json!({"article_guideline_id": article, "queries": queries});
        let answer = system.tool_with("alice", TOOL, arguments, &[]).await;
        answer.is_problem(StatusCode::BAD_REQUEST, words);
    }
    let private = json!([{"url": "http://10.0.0.1/", "answer": "x"}]);
    let refused = add(&system, article, "q", private).await;
    refused.is_problem(
        StatusCode::BAD_REQUEST,
        "sources[0].url: the host is not on the public",
    );
    assert_eq!(system.get("alice", "/usage").await.json()["used"], 0);
    assert!(stand_in.received().is_empty());
}
