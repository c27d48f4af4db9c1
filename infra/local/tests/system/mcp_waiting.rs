//! Agents and work that takes long: progress, tasks, and who does not wait for the end.

use std::time::Duration;

use nova_testkit::{
    Gate, objects,
    providers::{
        Effect, Fault,
        firecrawl::{self, Firecrawl},
    },
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    mcp::{Agent, LEGACY, MODERN},
    system::{Answer, System},
};

const TOOL: &str = "scrape_and_clean_other_urls";
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// A system with a reader of pages.
struct World {
    firecrawl: Firecrawl,
    system: System,
}

impl World {
    async fn start() -> Self {
        let firecrawl = Firecrawl::start().await.unwrap();
        let settings = [
            ("NOVA_ALLOW_PRIVATE_URLS", "true"),
            ("FIRECRAWL_BASE_URL", firecrawl.url()),
            ("FIRECRAWL_API_KEY", firecrawl::KEY),
        ];
        let system = System::start_with(&settings, false).await;
        Self { firecrawl, system }
    }

    /// The arguments for an article of Alice's with three pages, whose addresses begin so, and which are
    /// read one by one: the first at once, the others when the gate opens.
    async fn article(&self, word: &str) -> (Value, Gate) {
        let gate = Gate::new();
        let hold = Fault::new(Effect::Hold(gate.clone()));
        self.firecrawl
            .inject(hold.on(format!("{word}-slow")).times(1000));
        let pages = ["quick", "slow", "slow-too"];
        let pages = pages.map(|page| format!("- http://127.0.0.1:9/{word}-{page}\n"));
        let guideline = format!("# {word}\n\n{}", pages.concat());
        let article = self.system.upload("alice", guideline).await;
        let extracted = self
            .system
            .tool("alice", "extract_guidelines_urls", article);
        assert!(extracted.await.status.is_success());
        let arguments = json!({"article_guideline_id": article, "concurrency_limit": 1});
        (arguments, gate)
    }

    /// Returns when the worker of the one job that runs has said that it is alive, and has heard what
    /// there was to hear.
    async fn worker_has_spoken(&self) {
        let pool = self.system.database.pool();
        let lease =
            "SELECT extract(epoch FROM lease_until)::float8 FROM jobs WHERE state = 'running'";
        let lease = async || -> f64 { sqlx::query_scalar(lease).fetch_one(&pool).await.unwrap() };
        let (before, deadline) = (lease().await, Instant::now() + PATIENCE);
        while lease().await <= before {
            assert!(Instant::now() < deadline, "its worker is silent");
            sleep(LOOK).await;
        }
    }
}

async fn is_held(gate: &Gate) {
    let deadline = Instant::now() + PATIENCE;
    while gate.held() == 0 {
        assert!(Instant::now() < deadline, "nobody asks");
        sleep(LOOK).await;
    }
}

/// The messages of a stream.
fn messages(answer: &Answer) -> Vec<Value> {
    let text = answer.text();
    let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
    lines
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_told_under_the_name_that_the_client_gave_it() {
    let world = World::start().await;
    for (word, version, token) in [
        ("old", LEGACY, json!("t-1")),
        ("number", MODERN, json!(7)),
        ("empty", MODERN, json!("")),
    ] {
        let alice = Agent::new(&world.system, "alice", version);
        let (arguments, gate) = world.article(word).await;
        let params =
            json!({"name": TOOL, "arguments": arguments, "_meta": {"progressToken": token}});
        let opens = async {
            is_held(&gate).await;
            // Until it was told.
            sleep(Duration::from_secs(3)).await;
            gate.open();
        };
        let (answer, ()) = tokio::join!(alice.send("tools/call", params, &[]), opens);
        assert_eq!(answer.header("content-type"), "text/event-stream");
        let mut told = messages(&answer);
        let result = told.pop().unwrap();
        assert_eq!(
            result["result"]["structuredContent"]["urls_processed"], 3,
            "{result}"
        );
        assert!(!told.is_empty(), "{answer:?}");
        for notice in &told {
            assert_eq!(notice["method"], "notifications/progress", "{notice}");
            assert_eq!(notice["params"]["progressToken"], token, "{notice}");
        }
        let last = &told.last().unwrap()["params"];
        assert_eq!(
            (&last["progress"], &last["total"]),
            (&json!(1.0), &json!(3.0))
        );
        let mut steps = told.windows(2);
        let climbs = |pair: &[Value]| {
            pair[0]["params"]["progress"].as_f64() < pair[1]["params"]["progress"].as_f64()
        };
        assert!(steps.all(climbs), "{told:?}");
    }
}

/// What is stored meanwhile makes other work of the same call; it was called once, and is paid for once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_told_of_progress_is_one_job_whatever_comes_meanwhile() {
    let world = World::start().await;
    let system = &world.system;
    let article = system.upload("alice", "# How agents remember").await;
    let gate = Gate::new();
    let hold = objects::Fault::new(objects::Effect::Hold(gate.clone()));
    let hold = hold.on(objects::Action::Download).times(1000);
    system.local.objects.inject(hold);
    let alice = Agent::new(system, "alice", MODERN);
    let params = json!({
        "name": "generate_next_queries", "arguments": {"article_guideline_id": article},
        "_meta": {"progressToken": 1},
    });
    let meanwhile = async {
        is_held(&gate).await;
        let source = json!({"url": "https://docs.example/a", "answer": "An answer."});
        let found = json!({"article_guideline_id": article, "query": "What?", "sources": [source]});
        let added = system.tool_with("alice", "add_sources", found, &[]).await;
        assert!(added.status.is_success(), "{added:?}");
        // Long enough to be told of progress once more.
        sleep(Duration::from_secs(5)).await;
        gate.open();
    };
    let (answer, ()) = tokio::join!(alice.send("tools/call", params, &[]), meanwhile);
    let result = messages(&answer).pop().unwrap();
    assert_eq!(result["result"]["isError"], false, "{result}");
    let used = system.get("alice", "/usage").await.json()["used"].clone();
    assert_eq!(used, 2, "that tool, and the one that stored something");
}

/// What is no name of anything is answered as if there were none.
#[tokio::test]
async fn odd_names_of_progress_do_not_keep_a_tool_from_being_called() {
    let system = System::start().await;
    for version in [LEGACY, MODERN] {
        let alice = Agent::new(&system, "alice", version);
        for token in [
            json!(null),
            json!(1.5),
            json!(1e300),
            json!({}),
            json!(["a"]),
            json!(true),
        ] {
            let params =
                json!({"name": "get_usage", "arguments": {}, "_meta": {"progressToken": token}});
            let answer = alice.ask("tools/call", params).await;
            assert_eq!(answer["structuredContent"]["used"], 0, "{token}: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_tasks_follows_a_job_to_its_result_and_stops_another() {
    let world = World::start().await;
    let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let follows = |user| Agent::new(&world.system, user, MODERN).who_can(tasks.clone());
    let (alice, bob) = (follows("alice"), follows("bob"));
    for ends in ["completed", "cancelled"] {
        let (arguments, gate) = world.article(ends).await;
        let begun = alice.call(TOOL, arguments.clone()).await;
        assert_eq!(begun["resultType"], "task", "{begun}");
        assert_eq!(begun["status"], "working", "{begun}");
        let task = json!({"taskId": begun["taskId"]});
        is_held(&gate).await;
        // Whoever calls again gets the same task.
        let again = alice.call(TOOL, arguments).await;
        for field in ["taskId", "createdAt", "ttlMs"] {
            assert_eq!(again[field], begun[field], "{again}");
        }
        let seen = alice.ask("tasks/get", task.clone()).await;
        assert_eq!(seen["status"], "working", "{seen}");
        assert_eq!(seen["createdAt"], begun["createdAt"], "{seen}");
        assert_eq!(seen["statusMessage"], "1 of 3 done", "{seen}");
        for method in ["tasks/get", "tasks/cancel"] {
            let refused = bob.refusal(method, task.clone()).await;
            assert_eq!(refused["code"], -32602, "{refused}");
        }
        if ends == "cancelled" {
            let looks = world.system.local.token("alice", "research:read");
            let looks = follows("alice").with_token(looks);
            let refused = looks.send("tasks/cancel", task.clone(), &[]).await;
            assert_eq!(refused.status, 403, "{refused:?}");
            let challenge = refused.header("www-authenticate");
            assert!(
                challenge.contains("research:read research:run"),
                "{challenge}"
            );
            alice.ask("tasks/cancel", task.clone()).await;
            world.worker_has_spoken().await;
        }
        gate.open();
        let end = until_it_ends(&alice, &task).await;
        assert_eq!(end["status"], ends, "{end}");
        if ends == "completed" {
            let result = &end["result"];
            assert_eq!(result["structuredContent"]["urls_processed"], 3, "{end}");
        }
        // It has ended: neither changes that.
        alice.ask("tasks/cancel", task.clone()).await;
        let update = json!({"taskId": begun["taskId"], "inputResponses": {}});
        alice.ask("tasks/update", update).await;
        let still = alice.ask("tasks/get", task).await;
        assert_eq!(still["status"], ends, "{still}");
    }
}

async fn until_it_ends(agent: &Agent<'_>, task: &Value) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = agent.ask("tasks/get", task.clone()).await;
        if seen["status"] != "working" {
            return seen;
        }
        assert!(Instant::now() < deadline, "{seen}");
        sleep(LOOK).await;
    }
}

/// Who waits for a job hears of its steps by a connection to the database, as long as somebody waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_client_that_is_gone() {
    let world = World::start().await;
    let alice = Agent::new(&world.system, "alice", LEGACY);
    let (arguments, gate) = world.article("left").await;
    let pool = world.system.database.pool();
    let hear = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'mcp' AND query LIKE 'LISTEN%'";
    let hear = async || -> i64 { sqlx::query_scalar(hear).fetch_one(&pool).await.unwrap() };
    let becomes = async |count| {
        let deadline = Instant::now() + PATIENCE;
        while hear().await != count {
            assert!(
                Instant::now() < deadline,
                "{} hear, and not {count}",
                hear().await
            );
            sleep(LOOK).await;
        }
    };
    let params = json!({"name": TOOL, "arguments": arguments});
    let call = alice.send("tools/call", params, &[("x-nova-max-wait", "900")]);
    let waits = async {
        is_held(&gate).await;
        becomes(1).await;
    };
    tokio::select! {
        answer = call => panic!("{answer:?}"),
        () = waits => {}
    }
    becomes(0).await;
    gate.open();
    let done = timeout(PATIENCE, alice.call(TOOL, arguments))
        .await
        .unwrap();
    assert_eq!(
        done["structuredContent"]["urls_processed"], 3,
        "the job went on: {done}"
    );
}
