//! Listing and erasing.

use http::{Method, StatusCode};

use crate::system::System;

#[tokio::test]
async fn the_list_comes_in_pages_newest_first_without_gaps() {
    let system = System::start().await;
    let mut uploaded = Vec::new();
    for number in 0..5 {
        uploaded.push(
            system
                .upload("alice", format!("# {number}"))
                .await
                .to_string(),
        );
    }
    system.upload("bob", "# Bob's").await;
    uploaded.reverse();
    let (mut listed, mut path) = (Vec::new(), "/articles?limit=2".to_owned());
    loop {
        let page = system.get("alice", &path).await.json();
        let articles = page["articles"].as_array().unwrap();
        assert!(articles.len() <= 2);
        listed.extend(
            articles
                .iter()
                .map(|one| one["article_guideline_id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/articles?limit=2&cursor={next}");
    }
    assert_eq!(listed, uploaded);
}

#[tokio::test]
async fn a_wrong_page_is_told() {
    let system = System::start().await;
    for (path, words) in [
        ("/articles?limit=0", "limit: 1 to 100"),
        ("/articles?limit=101", "limit: 1 to 100"),
        ("/articles?limit=x", "limit: 1 to 100"),
        ("/articles?cursor=x", "cursor: not the `next`"),
    ] {
        system
            .get("alice", path)
            .await
            .is_problem(StatusCode::BAD_REQUEST, words);
    }
}

#[tokio::test]
async fn an_erased_article_is_gone_and_its_blobs_are_left_to_the_sweeper() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let path = format!("/articles/{article}");
    let erased = system
        .send_as("alice", Method::DELETE, &path, &[], "")
        .await;
    assert_eq!(
        (erased.status, erased.body.len()),
        (StatusCode::NO_CONTENT, 0)
    );
    system
        .get("alice", &path)
        .await
        .is_problem(StatusCode::NOT_FOUND, "no article");
    let again = system
        .send_as("alice", Method::DELETE, &path, &[], "")
        .await;
    again.is_problem(StatusCode::NOT_FOUND, "no article");
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM blobs WHERE state IN ('committed', 'deleting')")
            .fetch_one(&system.database.pool())
            .await
            .unwrap();
    assert_eq!(left, 1);
}
