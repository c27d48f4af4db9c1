//! Long tools without a server: `--once`, and the tasks of a Cloud Run job. What a job is doing, and
//! sites that never answer.

use std::{process::Output, time::Duration};

use futures_util::future::join_all;
use http::{Method, StatusCode};
use nova_testkit::{
    Gate,
    providers::{
        Effect, Fault,
        google::{Google, KEY},
        site::Site,
    },
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    scrape_other_urls::{OWN_NETWORK, counts},
    system::System,
};

const TOOL: &str = "scrape_and_clean_other_urls";

/// A site of so many pages, and an article that names them all.
async fn pages(system: &System, number: usize) -> (Site, Vec<String>, Uuid) {
    let site = Site::start().await.unwrap();
    let paths: Vec<String> = (0..number)
        .map(|number| format!("/page-{number}"))
        .collect();
    for path in &paths {
        site.put_article(path, path, &format!("This is {path}."));
    }
    let urls: Vec<String> = paths.iter().map(|path| site.page_url(path)).collect();
    let guideline = format!("# Pages\n\n- {}\n", urls.join("\n- "));
    let article = system.upload("alice", guideline).await;
    system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    (site, paths, article)
}

async fn run(system: &System, more: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = system.local.command(TOOL).unwrap();
    let command = command.envs(more.iter().copied()).args(arguments);
    command.output().await.unwrap()
}

fn result(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

async fn used(system: &System) -> Value {
    system.get("alice", "/usage").await.json()["used"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_tool_runs_once_and_prints_its_answer() {
    let system = System::start_with(&[OWN_NETWORK], true).await;
    let (site, paths, article) = pages(&system, 3).await;
    let before = used(&system).await;
    let call = json!({"article_guideline_id": article}).to_string();
    let output = run(&system, &[], &["--once", &call, "--user", "alice"]).await;
    assert_eq!(counts(&result(&output)), [3, 0, 3, 0]);
    // The same job answers whoever asks the same, by whichever way.
    let again = run(&system, &[], &["--once", &call, "--user", "alice"]).await;
    assert_eq!(again.stdout, output.stdout);
    let served = system.tool("alice", TOOL, article).await.json();
    assert_eq!(served, result(&output));
    assert!(paths.iter().all(|path| site.visits(path) == 1));
    assert_eq!(used(&system).await, before.as_u64().unwrap() + 1);

    let strange = json!({"article_guideline_id": Uuid::now_v7()}).to_string();
    for (call, user) in [(&call, "bob"), (&strange, "alice")] {
        let refused = run(&system, &[], &["--once", call, "--user", user]).await;
        assert_eq!(
            (refused.status.code(), refused.stdout.len()),
            (Some(1), 0),
            "{refused:?}"
        );
    }
    system.local.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tasks_of_a_cloud_run_job_share_the_pages_and_are_one_call() {
    const TASKS: [&str; 3] = ["0", "1", "2"];
    let system = System::start_with(&[OWN_NETWORK], true).await;
    let (site, paths, article) = pages(&system, 7).await;
    let before = used(&system).await;
    let call = json!({"article_guideline_id": article}).to_string();
    let task = async |index: &str| {
        let told = [
            ("CLOUD_RUN_JOB", "scrape"),
            ("CLOUD_RUN_EXECUTION", "scrape-x7k2p"),
            ("CLOUD_RUN_TASK_INDEX", index),
            ("CLOUD_RUN_TASK_COUNT", "3"),
            ("NOVA_ONCE", &*call),
            ("NOVA_USER", "alice"),
        ];
        result(&run(&system, &told, &[]).await)
    };
    let answers = join_all(TASKS.map(&task)).await;
    let totals: Vec<u64> = answers.iter().map(|answer| counts(answer)[2]).collect();
    assert_eq!(totals, [3, 2, 2], "{answers:?}");
    for path in &paths {
        assert_eq!(site.visits(path), 1, "{path}");
    }
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM sources")
        .fetch_one(&system.database.pool())
        .await
        .unwrap();
    assert_eq!(stored, 7);
    let one_more = before.as_u64().unwrap() + 1;
    assert_eq!(used(&system).await, one_more, "together they are one call");
    // Cloud Run starts a task again of which it did not hear.
    assert_eq!(task("1").await, answers[1]);
    assert_eq!(used(&system).await, one_more);
    assert!(paths.iter().all(|path| site.visits(path) == 1));
    system.local.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_hears_what_is_being_done() {
    const VIDEO: &str = "dddddddddd0";
    let google = Google::start().await.unwrap();
    google.put_video(VIDEO, 2400);
    let settings = [("GOOGLE_API_KEY", KEY), ("GOOGLE_BASE_URL", google.url())];
    let system = System::start_with(&settings, false).await;
    let guideline = format!("# Talks\n\nhttps://www.youtube.com/watch?v={VIDEO}\n");
    let article = system.upload("alice", guideline).await;
    system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    let gate = Gate::new();
    google.inject(Fault::new(Effect::Hold(gate.clone())).after(1).times(9));
    let call = json!({"article_guideline_id": article});
    let (name, wait) = ("transcribe_youtube_urls", [("x-nova-max-wait", "1")]);
    let begun = Instant::now();
    // The first half hour is there, and the rest is being watched.
    let expected = format!("transcribing https://www.youtube.com/watch?v={VIDEO} from 30:00");
    loop {
        let answer = system.tool_with("alice", name, call.clone(), &wait).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        let told = answer.json();
        let id = told["job_id"].as_str().unwrap();
        let path = format!("/jobs/{id}");
        let shown = system
            .send_as("alice", Method::GET, &path, &[], "")
            .await
            .json();
        if told["note"] == expected && shown["note"] == expected {
            assert_eq!(told["done"], 1, "{told}");
            break;
        }
        let waited = begun.elapsed();
        assert!(waited < Duration::from_mins(1), "{told} {shown}");
        sleep(Duration::from_millis(50)).await;
    }
    gate.open();
    let answer = system.tool("alice", name, article).await;
    assert_eq!(answer.json()["videos_processed"], 1, "{answer:?}");
}

/// A site gets a quarter of a minute for its first byte, each time that it is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_never_answers_costs_its_own_page_and_no_other() {
    let system = System::start_with(&[OWN_NETWORK], false).await;
    let (site, paths, article) = pages(&system, 3).await;
    site.inject(Fault::new(Effect::Hang).on(&paths[1]).times(1000));
    site.inject(Fault::new(Effect::Hang).on(&paths[2]));
    let begun = Instant::now();
    let answer = loop {
        let answer = system.tool("alice", TOOL, article).await;
        if answer.status == StatusCode::OK {
            break answer.json();
        }
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        assert!(begun.elapsed() < Duration::from_mins(4), "{answer:?}");
    };
    assert_eq!(counts(&answer), [2, 1, 3, 0], "{answer}");
    let failure = &answer["failures"][0];
    assert_eq!(failure["reason"], "timeout", "{answer}");
    assert!(
        failure["url"].as_str().unwrap().ends_with(&paths[1]),
        "{answer}"
    );
    assert_eq!((site.visits(&paths[0]), site.visits(&paths[2])), (1, 2));
}
