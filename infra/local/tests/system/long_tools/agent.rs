//! An agent that takes an article through the whole workflow, over MCP: while a provider takes longer
//! than any client waits, a client gives up, and a release replaces every function.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use http::{Method, StatusCode};
use nova_testkit::{
    Gate,
    providers::{Effect, Fault, StandIn, github::Repository},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use uuid::Uuid;

use super::world::World;
use crate::mcp::{Agent, LEGACY, MODERN};

/// The provider takes so long for one page. These are real seconds: what is promised is that no
/// client's clock, and none of ours, ends the work.
const PROVIDER_TAKES: Duration = Duration::from_secs(70);
/// A client that was told to be patient gives up all the same.
const CLIENT_WAITS: Duration = Duration::from_mins(1);
const RELEASE: Duration = Duration::from_secs(63);
/// Longer than anything takes here on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(3);
const ROUNDS: usize = 3;
const TALK: &str = "mem-in-talk";
const SLOW: &str = "scrape_and_clean_other_urls";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_gets_its_document_through_a_slow_provider_and_a_release_and_nothing_is_paid_twice()
 {
    let world = World::start().await;
    let alice = Agent::new(&world.system, "alice", MODERN);
    let uploaded = alice
        .call(
            "upload_article_guideline",
            json!({"content": guideline(&world)}),
        )
        .await;
    let article = uploaded["structuredContent"]["article_guideline_id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let step = async |tool: &str, mut arguments: Value| {
        arguments["article_guideline_id"] = json!(article);
        until_done(&alice, tool, &arguments).await
    };
    let found = step("extract_guidelines_urls", json!({})).await;
    assert_eq!(found["local_files_count"], 1, "{found}");
    bring_the_file(&world, &alice, article).await;
    read_while_a_release_comes(&world, article).await;
    step("process_github_urls", json!({})).await;
    step("transcribe_youtube_urls", json!({})).await;
    for _ in 0..ROUNDS {
        let asked = step("generate_next_queries", json!({"n_queries": 2})).await;
        let pairs = asked["queries"].as_array().unwrap().iter();
        let questions: Vec<&Value> = pairs.map(|pair| &pair[0]).collect();
        step("run_perplexity_research", json!({"queries": questions})).await;
    }
    for tool in [
        "select_research_sources_to_keep",
        "select_research_sources_to_scrape",
        "scrape_research_urls",
        "create_research_file",
    ] {
        step(tool, json!({})).await;
    }
    let uri = json!({"uri": format!("article://{article}/research.md")});
    let document = alice.ask("resources/read", uri).await;
    let document = document["contents"][0]["text"].as_str().unwrap();
    for words in [
        "sentences on the page",
        "A store for what agents remember.",
        "The notes of the author.",
        TALK,
        "Source [1]",
    ] {
        assert!(document.contains(words), "{words}: {document}");
    }
    everything_was_paid_once(&world, article).await;
    world.system.local.stop().await;
}

fn guideline(world: &World) -> String {
    let repository = Repository::new([(
        "README.md",
        "# Memory\n\nA store for what agents remember.\n",
    )]);
    world.github.put("acme/memory", repository);
    world.google.put_video(TALK, 90);
    let found = [
        (
            "stores",
            "Vector stores keep the memory of agents: texts are embedded, and found again by similarity.",
        ),
        (
            "decay",
            "Agents forget first what decays: memories that are not asked for again lose their weight.",
        ),
    ];
    let found = found.map(|(page, text)| {
        let url = world.site.page_url(&format!("/{page}"));
        json!({"title": page, "url": url, "snippet": text, "date": "2026-03-01", "last_updated": "2026-04-01"})
    });
    let body = json!({"id": "all", "results": found, "server_time": null});
    world.perplexity.answers("", body);
    let pages = ["quick", "slow", "last"].map(|name| world.site.page_url(&format!("/{name}-page")));
    format!(
        "# How agents remember\n\n## Sources\n\n- {}\n- {}\n- {}\n- https://github.com/acme/memory\n\
         - https://youtu.be/{TALK}\n- `notes.md`\n\n## Vector stores\n\n\
         How do vector stores keep the memory of agents?\n\n## Forgetting\n\n\
         What do agents forget first, and why?\n",
        pages[0], pages[1], pages[2]
    )
}

/// As its shell does with the line that it was given.
async fn bring_the_file(world: &World, alice: &Agent<'_>, article: Uuid) {
    let arguments = json!({"article_guideline_id": article, "filename": "notes.md"});
    let granted = alice.call("request_upload", arguments).await;
    let granted = &granted["structuredContent"];
    let headers = granted["headers"].as_object().unwrap().iter();
    let headers: Vec<(&str, &str)> = headers
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let url = granted["upload_url"].as_str().unwrap();
    let path = url.strip_prefix(&world.system.local.url).unwrap();
    let notes = "# Notes\n\nThe notes of the author.\n";
    let taken = world.system.send(Method::POST, path, &headers, notes).await;
    assert_eq!(taken.status, StatusCode::CREATED, "{taken:?}");
}

/// One page takes 70 seconds. Who asks in the usual way hears after 50 that it goes on; who waits
/// longer gives up after 60; then every function is replaced; and whoever asks again gets it all.
async fn read_while_a_release_comes(world: &World, article: Uuid) {
    let arguments = json!({"article_guideline_id": article});
    let gate = Gate::new();
    let hold = Fault::new(Effect::Hold(gate.clone())).on("slow-page");
    world.firecrawl.inject(hold.times(1000));
    let begun = Instant::now();
    let usual = async {
        let alice = Agent::new(&world.system, "alice", MODERN);
        let told = alice.call(SLOW, arguments.clone()).await;
        let took = begun.elapsed().as_secs();
        assert_eq!(told["structuredContent"]["status"], "running", "{told}");
        assert!((48..58).contains(&took), "told after {took} s");
    };
    let gives_up = async {
        let alice = Agent::new(&world.system, "alice", LEGACY);
        let params = json!({"name": SLOW, "arguments": arguments});
        let patient = [("x-nova-max-wait", "900")];
        let call = alice.send("tools/call", params, &patient);
        let answer = timeout_at(begun + CLIENT_WAITS, call).await;
        assert!(answer.is_err(), "it gave up: {answer:?}");
        let done = until_done(&alice, SLOW, &arguments).await;
        (done, begun.elapsed())
    };
    let release = async {
        sleep_until(begun + RELEASE).await;
        world.system.local.redeploy().await.unwrap();
    };
    let answers = async {
        sleep_until(begun + PROVIDER_TAKES).await;
        gate.open();
    };
    let ((), (done, took), (), ()) = tokio::join!(usual, gives_up, release, answers);
    assert!(took >= PROVIDER_TAKES, "{took:?}");
    assert_eq!(done["urls_processed"], 3, "{done}");
    assert_eq!(done["status"], "success", "{done}");
}

/// Calls with the same arguments until the tool has ended, as the prompt says.
async fn until_done(agent: &Agent<'_>, tool: &str, arguments: &Value) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let params = json!({"name": tool, "arguments": arguments});
        let answer = agent.send("tools/call", params, &[]).await;
        assert!(Instant::now() < deadline, "{tool}: {answer:?}");
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            sleep(Duration::from_millis(100)).await;
            continue;
        }
        let message = answer.json();
        let result = &message["result"];
        assert_eq!(result["isError"], false, "{tool}: {message}");
        if result["structuredContent"]["status"] != "running" {
            return result["structuredContent"].clone();
        }
    }
}

async fn everything_was_paid_once(world: &World, article: Uuid) {
    let providers: [(&str, &StandIn); 4] = [
        ("Firecrawl", &world.firecrawl),
        ("GitHub", world.github.archives()),
        ("Google", &world.google),
        ("Perplexity", &world.perplexity),
    ];
    let mut counts = BTreeMap::new();
    for (name, provider) in providers {
        let paid: Vec<String> = provider.ledger().into_iter().map(|it| it.what).collect();
        let different: BTreeSet<&String> = paid.iter().collect();
        assert_eq!(different.len(), paid.len(), "{name}: {paid:?}");
        counts.insert(name, paid.len());
    }
    let rows = "SELECT (SELECT count(*) FROM sources WHERE article_id = $1 AND kind IN ('scraped_url', 'scraped_research_url')),
                       (SELECT count(*) FROM research_queries WHERE article_id = $1),
                       (SELECT count(*) FROM tool_call_usage WHERE tool_name = $2)";
    let (pages, questions, calls): (i64, i64, i64) = sqlx::query_as(rows)
        .bind(article)
        .bind(SLOW)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    let count = |name: &str| i64::try_from(counts[name]).unwrap();
    assert!(pages > 3, "{pages}: research pages were read");
    assert_eq!(count("Firecrawl"), pages);
    assert_eq!(count("Perplexity"), questions);
    assert_eq!((count("GitHub"), count("Google")), (1, 1));
    assert_eq!(calls, 1, "however often it was called");
}
