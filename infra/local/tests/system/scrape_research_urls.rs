//! `scrape_research_urls`: what research found and somebody chose, read as a program reads.

use http::StatusCode;
use nova_testkit::providers::{Answer as SiteAnswer, site::Site};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    scrape_other_urls::{OWN_NETWORK, counts, forget_answers, research_file},
    system::System,
};

const TOOL: &str = "scrape_research_urls";

/// Sources that research found, each with its place among those to read in full.
async fn found(system: &System, article: Uuid, urls: &[(&str, Option<i64>)]) {
    let pool = system.database.pool();
    let query = "INSERT INTO research_queries (id, user_id, article_id, call_id, position, query)
                 VALUES ($1, 'alice', $2, $1, 1, 'What is known?')";
    let id = Uuid::now_v7();
    sqlx::query(query)
        .bind(id)
        .bind(article)
        .execute(&pool)
        .await
        .unwrap();
    let source = "INSERT INTO research_sources (article_id, source_no, user_id, query_id, url, identity, answer, selected, scrape_rank)
                  VALUES ($1, $2, 'alice', $3, $4, $4, 'An answer.', true, $5)";
    for ((url, rank), number) in urls.iter().zip(1_i64..) {
        let source = sqlx::query(source)
            .bind(article)
            .bind(number)
            .bind(id)
            .bind(url)
            .bind(rank);
        source.execute(&pool).await.unwrap();
    }
}

async fn scrape(system: &System, article: Uuid) -> Value {
    let answer = system.tool("alice", TOOL, article).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn chosen_sources_are_read_in_their_order_robots_are_obeyed_and_videos_left_out() {
    let system = System::start_with(&[OWN_NETWORK], false).await;
    let site = Site::start().await.unwrap();
    let robots = "User-agent: *\nDisallow: /private";
    site.put("/robots.txt", SiteAnswer::new(200, "text/plain", robots));
    site.put_article("/first", "First", "This was chosen first.");
    site.put_article("/second", "Second", "This was chosen second.");
    site.put_article("/other", "Other", "This was not chosen.");
    site.put_article("/private", "Private", "This is not for programs.");
    let url = |path| site.page_url(path);
    let article = system.upload("alice", "# Research").await;
    let sources = [
        (&*url("/second"), Some(2)),
        (&*url("/other"), None),
        (&*url("/first"), Some(1)),
        (&*url("/first#again"), Some(3)),
        ("https://youtu.be/dQw4w9WgXcQ", Some(4)),
        (&*url("/private"), Some(5)),
        ("A title without an address", Some(6)),
    ];
    found(&system, article, &sources).await;

    let answer = scrape(&system, article).await;
    assert_eq!(counts(&answer), [2, 2, 4, 0], "{answer}");
    assert_eq!(answer["youtube_urls_ignored"], 1);
    let failures = &answer["failures"];
    assert_eq!(failures[0]["url"], url("/private"));
    assert_eq!(failures[0]["reason"], "robots");
    assert_eq!(failures[1]["reason"], "invalid_url");
    assert_eq!((site.visits("/private"), site.visits("/other")), (0, 0));

    let file = research_file(&system, article).await;
    let place = |text| file.find(text).unwrap_or_else(|| panic!("{text}: {file}"));
    assert!(place("This was chosen first.") < place("This was chosen second."));
    let shown = system
        .get("alice", &format!("/articles/{article}"))
        .await
        .json();
    assert_eq!(shown["sources"][0]["kind"], "scraped_research_url");
    system.local.stop().await;
}

#[tokio::test]
async fn another_choice_is_other_work_and_what_is_here_already_is_not_fetched_for_it() {
    let system = System::start_with(&[OWN_NETWORK], false).await;
    let site = Site::start().await.unwrap();
    for path in ["/a", "/b"] {
        let page = site.put_article(path, path, "Something that was found.");
        site.put(path, page.header("etag", "\"1\""));
    }
    let article = system.upload("alice", "# Research").await;
    let (a, b) = (site.page_url("/a"), site.page_url("/b"));
    found(&system, article, &[(&a, Some(1)), (&b, None)]).await;
    assert_eq!(counts(&scrape(&system, article).await), [1, 0, 1, 0]);
    assert_eq!(
        counts(&scrape(&system, article).await),
        [1, 0, 1, 0],
        "the answer of before"
    );
    assert_eq!(site.visits("/a"), 1);

    let choose = "UPDATE research_sources SET scrape_rank = 3 - source_no";
    sqlx::query(choose)
        .execute(&system.database.pool())
        .await
        .unwrap();
    let answer = scrape(&system, article).await;
    assert_eq!(counts(&answer), [2, 0, 2, 1], "{answer}");
    forget_answers(&system).await;
    assert_eq!(counts(&scrape(&system, article).await), [2, 0, 2, 2]);
    let file = research_file(&system, article).await;
    let section = file.find(&*format!("<summary>{b}")).unwrap()
        < file.find(&*format!("<summary>{a}")).unwrap();
    assert!(section, "the order of the choice: {file}");
}
