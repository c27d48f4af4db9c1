//! Each function as a process of its own, as in the cloud.

use http::StatusCode;

use crate::system::System;

#[tokio::test]
async fn the_main_job_runs_with_every_function_in_its_own_process() {
    let system = System::start_with(&[], true).await;
    let article = system
        .upload("alice", "# One\n\nhttps://example.com/a")
        .await;
    let found = system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    assert_eq!(found.json()["web_sources_count"], 1);
    let compiled = system.tool("alice", "create_research_file", article).await;
    assert_eq!(compiled.status, StatusCode::OK, "{compiled:?}");
    let path = format!("/download_research?article_guideline_id={article}");
    assert!(
        system
            .get("alice", &path)
            .await
            .text()
            .starts_with("# Research\n")
    );
    let health = system.get("alice", "/health/db").await.json();
    assert_eq!(health["schema"]["found"], health["schema"]["required"]);
    system.local.stop().await;
}
