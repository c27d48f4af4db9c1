//! Nobody is configured: every tool does what can be done without, or says at once which setting is
//! missing. Nothing waits for what will not come.

use std::{collections::BTreeSet, time::Duration};

use http::StatusCode;
use nova_local::manifest::Manifest;
use nova_testkit::providers::{
    github::{Github, Repository},
    site::Site,
};
use serde_json::{Value, json};

use crate::system::System;

/// What a tool does where nobody is configured.
enum Without {
    /// It works, and this field of its result is so.
    Works(&'static str, Value),
    /// It refuses, costs nothing, and names these settings.
    Names(&'static [&'static str]),
}

/// Less than an agent waits.
const AT_ONCE: Duration = Duration::from_secs(30);

/// Every tool, in the order of the workflow, with its arguments.
fn tools() -> Vec<(&'static str, Value, Without)> {
    use Without::{Names, Works};
    let found = [json!({
        "url": "https://docs.example/decay", "title": "What decays",
        "answer": "Agents forget first what decays: memories that are not asked for again are evicted, \
                   and vector stores keep the memory of agents for as long as it is asked for.",
    })];
    let brought = json!({"query": "How do agents remember?", "sources": found});
    vec![
        (
            "extract_guidelines_urls",
            json!({}),
            Works("status", json!("success")),
        ),
        (
            "scrape_and_clean_other_urls",
            json!({}),
            Works("urls_processed", json!(1)),
        ),
        (
            "process_github_urls",
            json!({}),
            Works("status", json!("success")),
        ),
        (
            "transcribe_youtube_urls",
            json!({}),
            Names(&["GOOGLE_API_KEY", "VERTEX_LOCATION"]),
        ),
        (
            "generate_next_queries",
            json!({}),
            Works("method", json!("deterministic")),
        ),
        (
            "run_perplexity_research",
            json!({"queries": ["How do agents remember?"]}),
            Names(&[
                "PPLX_API_KEY",
                "TAVILY_API_KEY",
                "SEARXNG_BASE_URL",
                "GOOGLE_API_KEY",
                "add_sources",
            ]),
        ),
        ("add_sources", brought, Works("sources_added", json!(1))),
        (
            "select_research_sources_to_keep",
            json!({}),
            Works("method", json!("deterministic")),
        ),
        (
            "select_research_sources_to_scrape",
            json!({}),
            Works("method", json!("deterministic")),
        ),
        (
            "scrape_research_urls",
            json!({}),
            Works("urls_processed", json!(1)),
        ),
        (
            "create_research_file",
            json!({}),
            Works("research_results_count", json!(1)),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tool_works_without_providers_or_says_which_setting_is_missing() {
    let (site, github) = (Site::start().await.unwrap(), Github::start().await.unwrap());
    site.put_article(
        "/memory",
        "How agents remember",
        "Agents keep what they learnt.",
    );
    site.put_article(
        "/decay",
        "What decays",
        "What is not asked for again is dropped.",
    );
    github.put(
        "acme/memory",
        Repository::new([("README.md", "# memory\n")]),
    );
    let settings = [
        ("NOVA_ALLOW_PRIVATE_URLS", "true"),
        ("GITHUB_BASE_URL", github.url()),
    ];
    let system = System::start_with(&settings, false).await;
    let guideline = format!(
        "# How agents remember\n\n## Vector stores\n\nHow do vector stores keep the memory of agents?\n\n\
         ## Forgetting\n\nWhat do agents forget first? Decay and eviction of memories.\n\n- {}\n\
         - https://github.com/acme/memory\n- https://youtu.be/mem-in-talk\n",
        site.page_url("/memory")
    );
    let article = system.upload("alice", guideline).await;
    let mut charged = 0;
    for (tool, mut arguments, without) in tools() {
        arguments["article_guideline_id"] = json!(article);
        let call = system.tool_with("alice", tool, arguments, &[]);
        let answer = tokio::time::timeout(AT_ONCE, call).await;
        let answer = answer.unwrap_or_else(|_elapsed| panic!("{tool} hangs"));
        match without {
            Without::Works(field, value) => {
                charged += 1;
                assert_eq!(answer.status, StatusCode::OK, "{tool}: {answer:?}");
                assert_eq!(answer.json()[field], value, "{tool}: {answer:?}");
            }
            Without::Names(settings) => {
                for setting in settings {
                    answer.is_problem(StatusCode::CONFLICT, setting);
                }
                assert_eq!(answer.json()["type"], "urn:nova:problem:not-configured");
            }
        }
        if tool == "add_sources" {
            // Agents bring pages of the world; this one's lies on this machine.
            let here = "UPDATE research_sources SET url = $1, identity = $1";
            let here = sqlx::query(here).bind(site.page_url("/decay"));
            here.execute(&system.database.pool()).await.unwrap();
        }
        let usage = system.get("alice", "/usage").await.json();
        assert_eq!(usage["used"], charged, "{tool}");
    }
}

#[test]
fn every_tool_is_in_the_table() {
    let manifest = Manifest::of_this_build().unwrap();
    let routes = manifest.routes().map(String::as_str);
    let there: BTreeSet<&str> = routes.filter_map(|it| it.strip_prefix("/tools/")).collect();
    let tried: BTreeSet<&str> = tools().iter().map(|(tool, ..)| *tool).collect();
    assert_eq!(there, tried, "left: the manifest, right: the table");
}
