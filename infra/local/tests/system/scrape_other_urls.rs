//! `scrape_and_clean_other_urls`: the pages that a guideline names, from the site to research.md.

use http::StatusCode;
use nova_testkit::providers::{
    Answer as SiteAnswer, Effect, Fault,
    firecrawl::{Firecrawl, KEY, Scraped},
    site::Site,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::System;

pub(crate) const OWN_NETWORK: (&str, &str) = ("NOVA_ALLOW_PRIVATE_URLS", "true");
pub(crate) const TOOL: &str = "scrape_and_clean_other_urls";

/// Uploads a guideline that names these pages, and has its links extracted.
pub(crate) async fn article_with(system: &System, urls: &[String]) -> Uuid {
    let article = system
        .upload("alice", format!("# Pages\n\n- {}\n", urls.join("\n- ")))
        .await;
    let found = system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    assert_eq!(found.json()["web_sources_count"], urls.len(), "{found:?}");
    article
}

/// Calls the tool as if its last answer were long ago.
pub(crate) async fn scrape(system: &System, article: Uuid) -> Value {
    forget_answers(system).await;
    let answer = system.tool("alice", TOOL, article).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

pub(crate) async fn forget_answers(system: &System) {
    let long_ago = "UPDATE jobs SET finished_at = finished_at - interval '1 hour'";
    let pool = system.database.pool();
    sqlx::query(long_ago).execute(&pool).await.unwrap();
}

pub(crate) async fn research_file(system: &System, article: Uuid) -> String {
    let compiled = system.tool("alice", "create_research_file", article).await;
    assert_eq!(compiled.status, StatusCode::OK, "{compiled:?}");
    let path = format!("/download_research?article_guideline_id={article}");
    system.get("alice", &path).await.text()
}

pub(crate) fn counts(answer: &Value) -> [u64; 4] {
    [
        "urls_processed",
        "urls_failed",
        "urls_total",
        "urls_unchanged",
    ]
    .map(|count| {
        answer[count]
            .as_u64()
            .unwrap_or_else(|| panic!("{count}: {answer}"))
    })
}

/// Rows of sources, and texts that are linked or were.
async fn sources_and_texts(system: &System) -> (i64, i64) {
    let query = "SELECT (SELECT count(*) FROM sources), (SELECT count(*) FROM blobs WHERE purpose = 'scraped')";
    let row = sqlx::query_as(query)
        .fetch_one(&system.database.pool())
        .await;
    row.unwrap()
}

#[tokio::test]
async fn the_pages_of_a_guideline_come_into_the_research_file_and_what_failed_says_why() {
    let system = System::start_with(&[OWN_NETWORK], false).await;
    let site = Site::start().await.unwrap();
    site.put_article("/planning", "Planning", "Agents plan before they act.");
    site.put_article("/memory", "Memory", "Agents remember what they did.");
    site.put(
        "/wall",
        SiteAnswer::new(403, "text/html", "<h1>Forbidden</h1>"),
    );
    site.put(
        "/shell",
        SiteAnswer::new(200, "text/html", "<nav>Home</nav><p>Soon."),
    );
    let moved = SiteAnswer::new(301, "", "").header("location", "/memory");
    site.put("/old", moved);
    let pages = ["/planning", "/gone", "/wall", "/shell", "/old"].map(|path| site.page_url(path));
    let article = article_with(&system, &pages).await;

    let answer = scrape(&system, article).await;
    assert_eq!(counts(&answer), [2, 3, 5, 0], "{answer}");
    assert_eq!(answer["status"], "success");
    let message = answer["message"].as_str().unwrap();
    let known = format!("Scraped and cleaned 2/5 other URLs from article guideline '{article}'.");
    assert!(message.starts_with(&known), "{message}");
    let failures: Vec<(&str, &str)> = answer["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["url"].as_str().unwrap(),
                one["reason"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        (&*pages[1], "http_404"),
        (&*pages[2], "http_403"),
        (&*pages[3], "no_content"),
    ];
    assert_eq!(failures, expected);
    assert!(answer.get("youtube_urls_ignored").is_none());

    let file = research_file(&system, article).await;
    let planning = file
        .find("Agents plan before they act.")
        .expect("the first page");
    let memory = file
        .find("Agents remember what they did.")
        .expect("the page behind the redirect");
    assert!(planning < memory, "in the order of the guideline");
    assert!(
        !file.contains("Forbidden") && !file.contains("Imprint"),
        "{file}"
    );

    let shown = system
        .get("alice", &format!("/articles/{article}"))
        .await
        .json();
    assert_eq!(shown["sources"][0]["title"], "Planning");
    assert!(shown["sources"][0]["fetched_at"].is_string(), "{shown}");
    let steps: Vec<&str> = shown["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["to"].as_str().unwrap())
        .collect();
    assert_eq!(steps[2], "processing_sources", "{steps:?}");
    let usage = system.get("alice", "/usage").await.json();
    assert_eq!(
        usage["used"], 3,
        "a call is a unit, however many pages it reads"
    );
}

#[tokio::test]
async fn a_second_run_asks_what_has_changed_and_adds_nothing() {
    let system = System::start_with(&[OWN_NETWORK], false).await;
    let site = Site::start().await.unwrap();
    let etag = site.put_article("/etag", "One", "First of the pages.");
    site.put("/etag", etag.header("etag", "\"1\""));
    site.put_article("/plain", "Two", "Second of the pages.");
    let leaves = site.put_article("/leaves", "Three", "Third of the pages.");
    let pages = ["/etag", "/plain", "/leaves"].map(|path| site.page_url(path));
    let article = article_with(&system, &pages).await;
    assert_eq!(counts(&scrape(&system, article).await), [3, 0, 3, 0]);
    assert_eq!(sources_and_texts(&system).await, (3, 3));

    let leaves = leaves.header("etag", "\"7\"");
    site.inject(Fault::new(Effect::Status(500)).on("/leaves").times(9));
    let again = scrape(&system, article).await;
    assert_eq!(counts(&again), [3, 0, 3, 3], "{again}");
    assert_eq!(again["stale"][0]["reason"], "http_500");
    assert_eq!(
        sources_and_texts(&system).await,
        (3, 3),
        "nothing was added or replaced"
    );
    let asked = site.received();
    let conditional = asked
        .iter()
        .filter(|it| it.header("if-none-match") == Some("\"1\""));
    assert_eq!(conditional.count(), 1);

    site.put_article("/plain", "Two", "Another second page.");
    site.put("/leaves", leaves);
    let changed = scrape(&system, article).await;
    assert_eq!(counts(&changed)[..3], [3, 0, 3], "{changed}");
    assert_eq!(sources_and_texts(&system).await.0, 3);
    let file = research_file(&system, article).await;
    assert!(file.contains("Another second page.") && !file.contains("Second of the pages."));
    assert_eq!(
        file.matches("First of the pages.").count(),
        5,
        "one copy of its five paragraphs"
    );
}

#[tokio::test]
async fn nothing_to_read_is_a_success_that_says_what_to_call_first() {
    let system = System::start().await;
    let article = system.upload("alice", "# Nothing").await;
    for (tool, first) in [
        (TOOL, "extract_guidelines_urls"),
        ("scrape_research_urls", "select_research_sources_to_scrape"),
    ] {
        let answer = system.tool("alice", tool, article).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let answer = answer.json();
        assert_eq!(
            (counts(&answer), &answer["status"]),
            ([0; 4], &json!("success"))
        );
        assert!(
            answer["message"].as_str().unwrap().contains(first),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_concurrency_that_makes_no_sense_is_refused_and_costs_nothing() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    for tool in [TOOL, "scrape_research_urls"] {
        for wrong in [0, -1, 17, 1_000_000] {
            let arguments = json!({"article_guideline_id": article, "concurrency_limit": wrong});
            let answer = system.tool_with("alice", tool, arguments, &[]).await;
            answer.is_problem(
                StatusCode::BAD_REQUEST,
                "concurrency_limit: must be a whole number from 1 to 16",
            );
            assert_eq!(answer.json()["field"], "concurrency_limit");
        }
        for wrong in [json!("four"), json!(1.5), Value::Null] {
            let arguments = json!({"article_guideline_id": article, "concurrency_limit": wrong});
            let answer = system.tool_with("alice", tool, arguments, &[]).await;
            answer.is_problem(StatusCode::BAD_REQUEST, "concurrency_limit: invalid type");
            assert_eq!(answer.json()["field"], "concurrency_limit");
        }
    }
    assert_eq!(system.get("alice", "/usage").await.json()["used"], 0);
}

/// With Firecrawl in the place of the built-in reader, or beside it.
async fn with_firecrawl(firecrawl: &Firecrawl, more: &[(&str, &str)]) -> System {
    let settings = [
        OWN_NETWORK,
        ("FIRECRAWL_BASE_URL", firecrawl.url()),
        ("FIRECRAWL_API_KEY", KEY),
    ];
    System::start_with(&[&settings, more].concat(), false).await
}

#[tokio::test]
async fn firecrawl_is_paid_once_for_each_page_and_failures_are_those_of_the_pages() {
    let firecrawl = Firecrawl::start().await.unwrap();
    let system = with_firecrawl(&firecrawl, &[]).await;
    let url = |name: &str| format!("http://127.0.0.1:9/{name}");
    firecrawl.knows(
        url("gone"),
        Scraped::page("Not here.").with("statusCode", 404),
    );
    firecrawl.knows(url("empty"), Scraped::page(""));
    let dns =
        json!({"success": false, "code": "SCRAPE_DNS_RESOLUTION_ERROR", "error": "no such host"});
    firecrawl.inject(
        Fault::new(Effect::Answer(SiteAnswer::json(200, &dns)))
            .on(url("dns"))
            .times(9),
    );
    firecrawl.inject(Fault::new(Effect::RetryAfter(429, 0)).on(url("busy")));
    let unsupported = json!({"success": false, "error": "We do not support this site."});
    firecrawl.inject(
        Fault::new(Effect::Answer(SiteAnswer::json(403, &unsupported)))
            .on(url("social"))
            .times(9),
    );
    let pages = ["fine", "gone", "empty", "dns", "busy", "social"].map(url);
    let article = article_with(&system, &pages).await;

    let answer = scrape(&system, article).await;
    assert_eq!(counts(&answer), [2, 4, 6, 0], "{answer}");
    assert_eq!(answer["firecrawl_credits"], 2);
    let reasons: Vec<&str> = answer["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, ["http_404", "no_content", "unread", "unread"]);
    for page in [&pages[0], &pages[4]] {
        assert_eq!(firecrawl.paid(page), 1, "{page}");
    }
    let asked = firecrawl.received()[0].json();
    assert_eq!(asked["skipTlsVerification"], false, "{asked}");

    let again = scrape(&system, article).await;
    assert_eq!(counts(&again)[0], 2);
    assert_eq!(counts(&again)[3], 2, "{again}");
    for page in [&pages[0], &pages[4]] {
        assert_eq!(
            firecrawl.paid(page),
            1,
            "what is here is not paid for again"
        );
    }
    assert!(
        research_file(&system, article)
            .await
            .contains(&*format!("the page {}", pages[0]))
    );
}

#[tokio::test]
async fn a_page_that_wants_a_browser_is_read_by_firecrawl_and_no_other() {
    let firecrawl = Firecrawl::start().await.unwrap();
    let system = with_firecrawl(&firecrawl, &[("PAGE_READER", "built_in")]).await;
    let site = Site::start().await.unwrap();
    site.put_article("/plain", "Plain", "Nothing is needed to read this.");
    let shell =
        "<div id=root></div><script src=app.js></script><noscript>Enable JavaScript.</noscript>";
    site.put("/app", SiteAnswer::new(200, "text/html", shell));
    let pages = ["/plain", "/app", "/gone"].map(|path| site.page_url(path));
    let article = article_with(&system, &pages).await;
    let answer = scrape(&system, article).await;
    assert_eq!(counts(&answer), [2, 1, 3, 0], "{answer}");
    let paid: Vec<String> = firecrawl.ledger().into_iter().map(|it| it.what).collect();
    assert_eq!(paid, [pages[1].clone()]);
}
