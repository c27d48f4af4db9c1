//! What to ask next, what to keep of what was found, and what of that to read: without a language
//! model, which is how every deployment does it that has none.

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{scrape_other_urls::research_file, system::System};

const GUIDELINE: &str = "\
# How agents remember

## Vector stores

How do vector stores keep the memory of agents? They embed what an agent has seen, and find it again.

## Forgetting

What do agents forget first? Decay and eviction of memories that are not asked for again.
";

/// Sources of one question: address and answer, numbered from 1.
pub(crate) async fn found(system: &System, user: &str, article: Uuid, sources: &[(&str, &str)]) {
    let pool = system.database.pool();
    let query = "INSERT INTO research_queries (id, user_id, article_id, call_id, position, query)
                 VALUES ($1, $3, $2, $1, 1, 'How do vector stores keep the memory of agents?')";
    let id = Uuid::now_v7();
    let query = sqlx::query(query).bind(id).bind(article).bind(user);
    query.execute(&pool).await.unwrap();
    let source = "INSERT INTO research_sources (article_id, source_no, user_id, query_id, url, identity, answer)
                  VALUES ($1, $2, $6, $3, $4, $4, $5)";
    for ((url, answer), number) in sources.iter().zip(1_i64..) {
        let source = sqlx::query(source).bind(article).bind(number).bind(id);
        let source = source.bind(url).bind(answer).bind(user);
        source.execute(&pool).await.unwrap();
    }
}

async fn ask(system: &System, tool: &str, arguments: Value) -> Value {
    let answer = system.tool_with("alice", tool, arguments, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

const GOOD: &str = "Vector stores keep the memory of agents: they embed what an agent has seen and find it \
                    again by similarity. Memories decay, and eviction drops those that are not asked for.";

#[tokio::test]
async fn questions_come_from_the_guideline_and_none_that_was_asked_comes_again() {
    let system = System::start().await;
    let article = system.upload("alice", GUIDELINE).await;
    let arguments = json!({"article_guideline_id": article, "n_queries": 3});
    let first = ask(&system, "generate_next_queries", arguments.clone()).await;
    assert_eq!(first["method"], "deterministic", "{first}");
    let questions = first["queries"].as_array().unwrap();
    assert_eq!(first["queries_count"], questions.len());
    let asked = "How do vector stores keep the memory of agents?";
    assert!(questions.iter().any(|it| it[0] == asked), "{first}");
    assert!(
        questions
            .iter()
            .all(|it| !it[1].as_str().unwrap().is_empty())
    );

    found(&system, "alice", article, &[("https://a.example/", GOOD)]).await;
    let second = ask(&system, "generate_next_queries", arguments).await;
    let questions = second["queries"].as_array().unwrap();
    assert!(questions.iter().all(|it| it[0] != asked), "{second}");
    // As programs write it whose numbers are all of one kind.
    let arguments = json!({"article_guideline_id": article, "n_queries": 1.0});
    let one = ask(&system, "generate_next_queries", arguments).await;
    assert_eq!(one["queries_count"], 1, "{one}");
    for n in [json!(0), json!(21), json!(-1), json!(2.5), json!("3")] {
        let arguments = json!({"article_guideline_id": article, "n_queries": n});
        let answer = system
            .tool_with("alice", "generate_next_queries", arguments, &[])
            .await;
        answer.is_problem(StatusCode::BAD_REQUEST, "n_queries");
    }
}

#[tokio::test]
async fn what_is_kept_is_explained_can_be_overruled_and_is_all_that_the_document_has() {
    let system = System::start().await;
    let article = system.upload("alice", GUIDELINE).await;
    let keep = "select_research_sources_to_keep";
    let nothing = system.tool("alice", keep, article).await;
    nothing.is_problem(
        StatusCode::CONFLICT,
        "run_perplexity_research or add_sources",
    );
    let sources = [
        ("https://arxiv.org/abs/2404.13501", GOOD),
        (
            "https://recipes.example/soup",
            "Onions are cut fine and fried until they are golden.",
        ),
        ("https://docs.example/memory", GOOD),
    ];
    found(&system, "alice", article, &sources).await;

    let chosen = ask(&system, keep, json!({"article_guideline_id": article})).await;
    let ids = chosen["selected_source_ids"].as_array().unwrap().clone();
    assert!(
        ids.contains(&json!(1)) && !ids.contains(&json!(2)),
        "{chosen}"
    );
    assert_eq!(chosen["sources_selected_count"], ids.len());
    let file = research_file(&system, article).await;
    assert!(
        file.contains("2404.13501") && !file.contains("Onions"),
        "{file}"
    );

    let overruled = json!({"article_guideline_id": article, "keep": [2], "drop": [1, 3]});
    let overruled = ask(&system, keep, overruled).await;
    assert_eq!(overruled["selected_source_ids"], json!([2]), "{overruled}");
    let none = json!({"article_guideline_id": article, "drop": [1, 2, 3]});
    let none = ask(&system, keep, none).await;
    assert_eq!(none["selected_source_ids"], json!([]), "{none}");
    let file = research_file(&system, article).await;
    assert!(
        !file.contains("2404.13501") && !file.contains("Onions"),
        "{file}"
    );
    // The first choice again, after others: done again, and not the answer of then.
    let again = ask(&system, keep, json!({"article_guideline_id": article})).await;
    assert_eq!(again["selected_source_ids"], json!(ids), "{again}");
    let file = research_file(&system, article).await;
    assert!(file.contains("2404.13501"), "{file}");

    for (arguments, words) in [
        (json!({"keep": [9]}), "no source with the number 9"),
        (json!({"keep": [1], "drop": [1]}), "drop"),
    ] {
        let mut arguments = arguments;
        arguments["article_guideline_id"] = json!(article);
        let answer = system.tool_with("alice", keep, arguments, &[]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains(words), "{detail}");
    }
}

#[tokio::test]
async fn only_kept_sources_are_chosen_to_be_read_in_full() {
    let system = System::start().await;
    let article = system.upload("alice", GUIDELINE).await;
    let sources = [
        ("https://a.example/memory", GOOD),
        ("https://b.example/soup", "Onions are cut fine."),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", GOOD),
        ("https://c.example/memory", GOOD),
    ];
    found(&system, "alice", article, &sources).await;
    let keep = json!({"article_guideline_id": article, "keep": [1, 3, 4], "drop": [2]});
    ask(&system, "select_research_sources_to_keep", keep).await;
    let arguments = json!({"article_guideline_id": article, "max_sources": 5});
    let chosen = ask(&system, "select_research_sources_to_scrape", arguments).await;
    let mut urls: Vec<&str> = chosen["sources_selected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|url| url.as_str().unwrap())
        .collect();
    urls.sort_unstable();
    assert_eq!(
        urls,
        ["https://a.example/memory", "https://c.example/memory"],
        "{chosen}"
    );
    assert!(!chosen["reasoning"].as_str().unwrap().is_empty());
    let one = json!({"article_guideline_id": article, "max_sources": 1});
    let one = ask(&system, "select_research_sources_to_scrape", one).await;
    assert_eq!(one["sources_selected_count"], 1, "{one}");
    let ranked: i64 =
        sqlx::query_scalar("SELECT count(*) FROM research_sources WHERE scrape_rank IS NOT NULL")
            .fetch_one(&system.database.pool())
            .await
            .unwrap();
    assert_eq!(ranked, 1, "a choice replaces the one before it");
}
