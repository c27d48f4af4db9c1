//! Every way in which a run ends, with its exit code.

use std::time::Duration;

use nova_local::demo::providers::World;
use nova_testkit::{
    Gate,
    providers::{Effect, Fault, StandIn},
};
use serde_json::{Value, json};
use tokio::process::Command;

use super::world::Alone;

fn provider<'a>(alone: &'a Alone, wanted: &str) -> &'a StandIn {
    let all = alone.providers.all();
    all.into_iter().find(|(name, _)| *name == wanted).unwrap().1
}

/// Steps that were left out, each with why.
fn left_out(result: &Value) -> Vec<(&str, &str, &str)> {
    let all = result["steps_left_out"].as_array().into_iter().flatten();
    all.map(|left| {
        (
            left["step"].as_str().unwrap(),
            left["why"].as_str().unwrap(),
            left["detail"].as_str().unwrap(),
        )
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_ends_it_between_two_pieces_and_what_there_is_is_compiled() {
    let alone = Alone::start(World::Paid, "budget").await;
    let (code, result, said) = alone.run("whole", &[]).await;
    assert_eq!(code, 0, "{result} {said}");
    let whole = result["provider_calls"].as_u64().unwrap();
    let before = alone.paid();

    for calls in [3, 6] {
        let (code, result, said) = alone
            .run("limited", &["--max-calls", &calls.to_string()])
            .await;
        assert_eq!(code, 3, "{result} {said}");
        assert_eq!(result["provider_calls"], calls, "{result}");
        assert_eq!(result["status"], "partial");
        let reached = result["budget_reached"].as_str().unwrap();
        assert!(reached.contains("--max-calls"), "{reached}");
        assert!(alone.document("limited").starts_with("# Research\n"));
    }
    let (code, result, said) = alone.run("limited", &[]).await;
    assert_eq!(
        (code, &result["provider_calls"]),
        (0, &whole.into()),
        "{result} {said}"
    );
    assert_eq!(alone.document("limited"), alone.document("whole"));
    let (first, second) = (before.clone(), alone.paid_since(&before));
    for (name, mut paid) in first {
        paid.sort();
        assert_eq!(paid, second[name], "{name}");
    }

    let (code, result, said) = alone.run("hurried", &["--max-minutes", "0"]).await;
    assert_eq!(code, 3, "{result} {said}");
    assert_eq!(result["provider_calls"], 0, "{result}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_whole_is_finished_and_started_again_it_costs_nothing() {
    let alone = Alone::start(World::Paid, "finished").await;
    let (code, first, said) = alone.run("alice", &[]).await;
    assert_eq!(code, 0, "{first} {said}");
    assert_eq!(first["finished_before"], false, "{first}");
    // Google's models say what they counted and not what they ask for; Perplexity says neither.
    let silent = json!(["Gemini", "Perplexity"]);
    assert_eq!(first["cost_not_told_by"], silent, "{first}");

    let document = alone.document("alice");
    let cost = (alone.asked(), alone.charged("alice").await);
    // At once, with fewer rounds, and a day later, when its jobs are forgotten.
    for more in [&[][..], &["--rounds", "2"], &[]] {
        let (code, again, said) = alone.run("alice", more).await;
        assert_eq!(code, 0, "{again} {said}");
        assert_eq!(again["finished_before"], true, "{again}");
        for field in ["provider_calls", "tokens", "cost_usd", "status"] {
            assert_eq!(again[field], first[field], "{field}");
        }
        let url = &first["document"]["download_url"];
        assert_eq!(&again["document"]["download_url"], url, "{again}");
        assert_eq!((alone.asked(), alone.charged("alice").await), cost);
        assert!(alone.document("alice") == document);
        alone.jobs_are_forgotten().await;
    }

    // More rounds are asked for: what is done stays as it is.
    let (code, more, said) = alone.run("alice", &["--rounds", "4"]).await;
    assert_eq!(code, 0, "{more} {said}");
    assert_eq!(more["finished_before"], false, "{more}");
    let again = alone.tools_called().await;
    assert!(again.contains("generate_next_queries"), "{again:?}");
    for done in [
        "scrape_and_clean_other_urls",
        "process_github_urls",
        "transcribe_youtube_urls",
    ] {
        assert!(!again.contains(done), "{again:?}");
    }
    let (code, again, said) = alone.run("alice", &["--rounds", "4"]).await;
    assert_eq!(
        (code, &again["finished_before"]),
        (0, &json!(true)),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_whole_chooses_and_reads_no_second_time_when_its_jobs_are_forgotten() {
    let alone = Alone::start(World::Paid, "forgotten").await;
    // Nobody transcribes, and the choice is the ranking's.
    let alone = alone.without(&["GOOGLE_API_KEY", "GOOGLE_BASE_URL"]);
    let (code, result, said) = alone.run("alice", &[]).await;
    assert_eq!(code, 4, "{result} {said}");
    let first = alone.tools_called().await;
    assert!(first.contains("scrape_research_urls"), "{first:?}");
    let document = alone.document("alice");
    alone.jobs_are_forgotten().await;

    let (code, result, said) = alone.run("alice", &[]).await;
    assert_eq!(code, 4, "{result} {said}");
    assert_eq!(result["finished_before"], false, "{result}");
    let again = alone.tools_called().await;
    let repeated: Vec<&String> = again
        .iter()
        .filter(|it| *it != "generate_next_queries")
        .collect();
    assert!(repeated.is_empty(), "{again:?}");
    assert!(alone.document("alice") == document);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_log_lines_have_numbers_that_can_be_summed() {
    let alone = Alone::start(World::Free, "logged").await;
    let mut program = alone.program("alice", &[]);
    let output = program.env("LOG_LEVEL", "info").env("LOG_FORMAT", "json");
    let output = output.output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let lines = said.lines().map(|line| serde_json::from_str(line).unwrap());
    let steps: Vec<Value> = lines
        .filter(|line: &Value| line["step"].is_string())
        .collect();
    assert!(steps.len() > 9, "{said}");
    for step in steps {
        for number in ["durationMs", "costMicros", "providerCalls", "number", "of"] {
            assert!(step[number].is_u64(), "{number}: {step}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_provider_it_says_which_setting_is_missing_and_makes_what_can_be_made() {
    let alone = Alone::start(World::Paid, "nobody").await;
    let alone = alone.without(&[
        "GOOGLE_API_KEY",
        "GOOGLE_BASE_URL",
        "PPLX_API_KEY",
        "PPLX_BASE_URL",
    ]);
    let (code, result, said) = alone.run("nobody", &[]).await;
    assert_eq!(code, 4, "{result} {said}");
    let left_out = left_out(&result);
    let steps: Vec<(&str, &str)> = left_out.iter().map(|it| (it.0, it.1)).collect();
    assert_eq!(
        steps,
        [
            ("transcribe_youtube_urls", "not_configured"),
            ("run_perplexity_research", "not_configured")
        ],
        "{result}"
    );
    assert!(left_out[0].2.contains("GOOGLE_API_KEY"), "{result}");
    assert!(left_out[1].2.contains("PPLX_API_KEY"), "{result}");
    assert_eq!(result["provider_calls"], 0, "{result}");
    assert!(
        alone
            .document("nobody")
            .contains("def remember(store, text)")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_fails_is_told_and_tried_again_when_it_is_started_again() {
    let alone = Alone::start(World::Paid, "fails").await;
    let refuses = Fault::new(Effect::Status(401)).times(1);
    provider(&alone, "Perplexity").inject(refuses);
    let (code, result, said) = alone.run("alice", &[]).await;
    assert_eq!(code, 2, "{result} {said}");
    let left_out = left_out(&result);
    assert_eq!(left_out.len(), 1, "{result}");
    assert_eq!(left_out[0].0, "run_perplexity_research", "{result}");
    assert!(left_out[0].2.contains("PPLX_API_KEY"), "{result}");
    let (code, result, said) = alone.run("alice", &[]).await;
    assert_eq!(code, 0, "{result} {said}");
    let (code, _, said) = alone.run("bob", &[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(alone.document("alice"), alone.document("bob"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_it_stops_in_good_order_and_goes_on_later() {
    let alone = Alone::start(World::Paid, "stopped").await;
    let gate = Gate::new();
    provider(&alone, "Perplexity").inject(Fault::new(Effect::Hold(gate.clone())).after(4));
    let child = alone.begin("alice");
    while gate.held() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let id = child.id().unwrap().to_string();
    let told = Command::new("kill").args(["-TERM", &id]).status().await;
    assert!(told.unwrap().success());
    gate.open();
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(75), "{said}");
    let running = "SELECT count(*) FROM jobs WHERE state = 'running'";
    let running: i64 = sqlx::query_scalar(running)
        .fetch_one(&alone.pool)
        .await
        .unwrap();
    assert_eq!(running, 0, "nobody has to wait for a lease");
    let (code, result, said) = alone.run("alice", &[]).await;
    assert_eq!(code, 0, "{result} {said}");
    assert_eq!(
        alone.paid()["Perplexity"].len(),
        9,
        "each question was paid once"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_at_all_is_told_with_a_code_of_its_own() {
    let alone = Alone::start(World::Free, "refused").await;
    let (code, _, said) = alone.run("alice", &["--rounds", "many"]).await;
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("--rounds: a number from 0 to 10"), "{said}");
    let (code, _, said) = alone
        .run(
            "alice",
            &["--article", "00000000-0000-7000-8000-000000000000"],
        )
        .await;
    assert_eq!(code, 64, "{said}");
    let mut stranger = alone.program("alice", &[]);
    stranger.env("MONTHLY_TOOL_CALL_LIMIT", "2");
    let output = stranger.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Monthly tool usage limit exceeded"), "{said}");
}
