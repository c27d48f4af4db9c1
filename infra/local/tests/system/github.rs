//! Code that a guideline names: read once, kept once, and not fetched again while nothing changes.

use http::StatusCode;
use nova_testkit::providers::{
    Effect, Fault,
    bitbucket::Bitbucket,
    bitbucket_data_center::BitbucketDataCenter,
    github::{Github, Repository, TOKEN},
    gitlab::Gitlab,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::System;

const GUIDELINE: &str = "# Widgets

See https://github.com/acme/widgets, [a file](https://github.com/acme/private/blob/main/src/lib.rs#L2),
https://gist.github.com/acme/0123456789abcdef0123 and https://github.com/acme/gone.
";

async fn github() -> Github {
    let github = Github::start().await.unwrap();
    github.put(
        "acme/widgets",
        Repository::new([
            ("README.md", "# The widgets\n"),
            ("pkg/a.go", "package a\n"),
        ]),
    );
    let file = "fn one() {}\nfn two() {}\n";
    github.put(
        "acme/private",
        Repository::new([("src/lib.rs", file)]).private(),
    );
    github.put_gist(
        "0123456789abcdef0123",
        "A list",
        &[("list.py", "print([])\n")],
    );
    github
}

async fn system(github: &Github, token: bool) -> System {
    let mut settings = vec![("GITHUB_BASE_URL", github.url())];
    if token {
        settings.extend([("GITHUB_TOKEN", TOKEN), ("NOVA_ALLOW_PRIVATE_CODE", "true")]);
    }
    System::start_with(&settings, false).await
}

async fn process(system: &System, article: Uuid) -> Value {
    let answer = system.tool("alice", "process_github_urls", article).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

/// The answer of a job is served again for ten minutes: as if they were over.
async fn later(system: &System) {
    let pool = system.database.pool();
    let forget = "UPDATE jobs SET finished_at = finished_at - interval '1 hour'";
    sqlx::query(forget).execute(&pool).await.unwrap();
}

async fn count(system: &System, what: &'static str) -> i64 {
    let pool = system.database.pool();
    sqlx::query_scalar(what).fetch_one(&pool).await.unwrap()
}

#[tokio::test]
async fn code_becomes_part_of_the_research_and_is_not_fetched_again() {
    let github = github().await;
    let system = system(&github, true).await;
    let article = system.upload("alice", GUIDELINE).await;
    let early = process(&system, article).await;
    assert_eq!(early["urls_total"], 0);
    assert!(
        early["message"]
            .as_str()
            .unwrap()
            .contains("extract_guidelines_urls first")
    );

    system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    let answer = process(&system, article).await;
    assert_eq!(
        (
            &answer["status"],
            &answer["urls_processed"],
            &answer["urls_failed"],
            &answer["urls_total"]
        ),
        (&json!("success"), &json!(3), &json!(1), &json!(4)),
        "{answer}"
    );
    assert_eq!(
        answer["failures"],
        json!([{
            "url": "https://github.com/acme/gone",
            "reason": "GitHub has no acme/gone, or the token of this deployment may not read it",
        }])
    );
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .starts_with("Processed 3/4 GitHub URLs")
    );

    system.tool("alice", "create_research_file", article).await;
    let path = format!("/download_research?article_guideline_id={article}");
    let research = system.get("alice", &path).await.text();
    for piece in [
        "<summary>https://github.com/acme/widgets</summary>",
        "# Repository analysis for https://github.com/acme/widgets\n\n## Summary\n",
        "# The widgets",
        "### `pkg/a.go`",
        "### `src/lib.rs` (lines 2–2 of 2)\n\n```rust\nfn two() {}\n```",
        "print([])",
    ] {
        assert!(research.contains(piece), "{piece} in {research}");
    }
    for received in github.archives().received() {
        assert!(received.header("authorization").is_none(), "{received:?}");
    }

    // Once more, when the answer is not kept any more: nothing new, and nothing fetched.
    let archives = github.archives().received().len();
    assert_eq!(archives, 1);
    later(&system).await;
    let again = process(&system, article).await;
    assert_eq!(
        (&again["urls_processed"], &again["urls_unchanged"]),
        (&json!(3), &json!(3)),
        "{again}"
    );
    assert_eq!(github.archives().received().len(), archives);
    assert_eq!(
        count(&system, "SELECT count(*) FROM github_ingests").await,
        3
    );
    assert_eq!(
        count(
            &system,
            "SELECT count(*) FROM blobs WHERE purpose = 'github'"
        )
        .await,
        3
    );

    // And when one of them has changed: that one.
    github.put(
        "acme/widgets",
        Repository::new([("README.md", "# Others\n")]),
    );
    later(&system).await;
    let changed = process(&system, article).await;
    assert_eq!(changed["urls_unchanged"], 2, "{changed}");
    assert_eq!(github.archives().received().len(), archives + 1);
    assert_eq!(
        count(&system, "SELECT count(*) FROM github_ingests").await,
        3
    );
}

#[tokio::test]
async fn what_github_refuses_costs_that_url_only_and_a_pause_is_kept() {
    let github = github().await;
    let system = system(&github, false).await;
    let article = system.upload("alice", GUIDELINE).await;
    system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    github.inject(Fault::new(Effect::RetryAfter(429, 1)).on("/acme/widgets/commits"));
    github.archives().inject(Fault::new(Effect::CutAfter(20)));
    let answer = process(&system, article).await;
    assert_eq!(answer["urls_processed"], 2, "{answer}");
    let failures = answer["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 2, "{answer}");
    let reason = "GitHub has no acme/private at main, or it is private: GITHUB_TOKEN is not set";
    assert!(failures.iter().any(|it| it["reason"] == reason), "{answer}");
    assert!(github.faults_are_used_up() && github.archives().faults_are_used_up());
}

#[tokio::test]
async fn a_guideline_without_code_is_done_at_once() {
    let github = github().await;
    let system = system(&github, false).await;
    let article = system
        .upload("alice", "# Nothing\n\nhttps://example.com/\n")
        .await;
    system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    let answer = process(&system, article).await;
    assert_eq!(
        (&answer["status"], &answer["urls_total"]),
        (&json!("success"), &json!(0))
    );
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("names no GitHub URLs")
    );
    assert!(github.received().is_empty());
}

/// The same tool, of hosts that the settings name: what the guideline's links are is decided by the
/// same list.
#[tokio::test]
async fn code_of_hosts_that_the_settings_name_is_read_like_githubs() {
    let (gitlab, bitbucket, data_center) = (
        Gitlab::start().await.unwrap(),
        Bitbucket::start().await.unwrap(),
        BitbucketDataCenter::start().await.unwrap(),
    );
    let readme = [("README.md", "# Of a team\n"), ("src/a.py", "print('a')\n")];
    gitlab.put(
        "acme/team/widgets",
        Repository::new(readme).branch("feature/x").private(),
    );
    bitbucket.put("acme/tools", Repository::new(readme));
    data_center.put("ACME/tools", Repository::new(readme).branch("feature/x"));
    let hosts = format!(
        "git.corp=gitlab@{}, bitbucket.org=bitbucket@{}, bitbucket.corp=bitbucket@{}",
        gitlab.url(),
        bitbucket.url(),
        data_center.url()
    );
    let tokens = format!("git.corp={}", nova_testkit::providers::gitlab::TOKEN);
    let settings = [
        ("CODE_HOSTS", hosts.as_str()),
        ("CODE_HOST_TOKENS", tokens.as_str()),
        ("NOVA_ALLOW_PRIVATE_CODE", "true"),
    ];
    let system = System::start_with(&settings, false).await;
    let guideline = "# Teams\n\nhttps://git.corp/acme/team/widgets/-/tree/feature/x/src \
                     https://bitbucket.org/acme/tools https://bitbucket.org/acme/gone \
                     https://bitbucket.corp/projects/ACME/repos/tools/browse/src?at=refs/heads/feature/x \
                     https://gitlab.com/acme/other\n";
    let article = system.upload("alice", guideline).await;
    let extracted = system
        .tool("alice", "extract_guidelines_urls", article)
        .await
        .json();
    assert_eq!(
        (
            &extracted["github_sources_count"],
            &extracted["web_sources_count"]
        ),
        (&json!(4), &json!(1)),
        "{extracted}"
    );
    let answer = process(&system, article).await;
    assert_eq!(
        answer["failures"],
        json!([{
            "url": "https://bitbucket.org/acme/gone",
            "reason": "Bitbucket has no acme/gone, or it is private: CODE_HOST_TOKENS has no token for \
                       bitbucket.org",
        }]),
        "{answer}"
    );
    assert_eq!(answer["urls_processed"], 3, "{answer}");
    later(&system).await;
    let again = process(&system, article).await;
    assert_eq!(again["urls_unchanged"], 3, "{again}");
    let read = [&*gitlab, &*bitbucket, &*data_center].map(|host| host.ledger().len());
    assert_eq!(read, [1, 1, 1]);
    let pool = system.database.pool();
    let providers: Vec<String> =
        sqlx::query_scalar("SELECT provider FROM sources WHERE kind = 'github_ingest' ORDER BY 1")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(providers, ["bitbucket", "bitbucket", "gitlab"]);
    for received in bitbucket.received() {
        assert!(received.header("authorization").is_none(), "{received:?}");
    }
}
