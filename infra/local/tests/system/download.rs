//! Fetching the research file whole, in parts, and again.

use http::{Method, StatusCode};

use crate::system::System;

async fn compiled() -> (System, String) {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let answer = system.tool("alice", "create_research_file", article).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    (
        system,
        format!("/download_research?article_guideline_id={article}"),
    )
}

#[tokio::test]
async fn parts_of_the_file_add_up_to_the_whole() {
    let (system, path) = compiled().await;
    let whole = system.get("alice", &path).await;
    let size = whole.body.len();
    assert_eq!(whole.header("content-length"), size.to_string());
    let mut parts = Vec::new();
    for range in ["bytes=0-9", "bytes=10-49", "bytes=50-"] {
        let part = system
            .send_as("alice", Method::GET, &path, &[("range", range)], "")
            .await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{part:?}");
        parts.extend_from_slice(&part.body);
    }
    assert_eq!(parts, whole.body);
    let beyond = [("range", "bytes=1000000-")];
    let beyond = system
        .send_as("alice", Method::GET, &path, &beyond, "")
        .await;
    beyond.is_problem(StatusCode::RANGE_NOT_SATISFIABLE, &format!("{size} bytes"));
    assert_eq!(beyond.header("content-range"), format!("bytes */{size}"));
}

#[tokio::test]
async fn an_unchanged_file_is_not_sent_again() {
    let (system, path) = compiled().await;
    let whole = system.get("alice", &path).await;
    let etag = [("if-none-match", whole.header("etag"))];
    let again = system.send_as("alice", Method::GET, &path, &etag, "").await;
    assert_eq!(
        (again.status, again.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
    let head = system.send_as("alice", Method::HEAD, &path, &[], "").await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), whole.body.len().to_string());
}

#[tokio::test]
async fn before_it_is_compiled_the_answer_says_what_to_do() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let path = format!("/download_research?article_guideline_id={article}");
    let answer = system.get("alice", &path).await;
    answer.is_problem(
        StatusCode::NOT_FOUND,
        &format!(
            "No research content found for article '{article}'. \
             Please run the create_research_file tool first."
        ),
    );
    let missing = system.get("alice", "/download_research").await;
    missing.is_problem(StatusCode::BAD_REQUEST, "article_guideline_id: missing");
    let wrong = system
        .get("alice", "/download_research?article_guideline_id=7")
        .await;
    wrong.is_problem(StatusCode::BAD_REQUEST, "not a UUID");
}
