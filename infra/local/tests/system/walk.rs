//! The main job: upload, extract, compile, download.

use http::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::system::System;

const GUIDELINE: &str = "# Agents that plan

Read [the paper](https://arxiv.org/abs/2310.11511) and https://github.com/acme/widgets first.
Watch https://youtu.be/h8gMhXYAv1k and use \"code.py\".
";

#[tokio::test]
async fn a_guideline_becomes_a_research_file() {
    let system = System::start().await;
    let article = system.upload("alice", GUIDELINE).await;
    assert_eq!(article.get_version_num(), 7, "ids are in the order of time");

    let found = system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    assert_eq!(found.status, StatusCode::OK, "{found:?}");
    let found = found.json();
    assert_eq!(found["status"], "success");
    for (count, expected) in [
        ("github_sources_count", 1),
        ("youtube_sources_count", 1),
        ("web_sources_count", 1),
        ("local_files_count", 1),
    ] {
        assert_eq!(found[count], expected, "{count}");
    }

    let compiled = system.tool("alice", "create_research_file", article).await;
    assert_eq!(compiled.status, StatusCode::OK, "{compiled:?}");
    let compiled = compiled.json();
    assert_eq!(compiled["research_results_count"], 0);
    let url = compiled["download_url"].as_str().unwrap();
    let path = url
        .strip_prefix(&system.local.url)
        .expect("the link leads here");

    let file = system.get("alice", path).await;
    assert_eq!(file.status, StatusCode::OK, "{file:?}");
    assert_eq!(file.header("content-type"), "text/markdown; charset=utf-8");
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"research.md\""
    );
    let text = file.text();
    assert!(
        text.starts_with("# Research\n\n## Research Results\n\n"),
        "{text}"
    );
    assert!(text.contains("_No additional sources scraped._"), "{text}");

    let shown = system
        .get("alice", &format!("/articles/{article}"))
        .await
        .json();
    assert_eq!(shown["title"], "Agents that plan");
    assert_eq!(shown["status"], "completed");
    assert_eq!(
        shown["extracted_urls"]["github_urls"],
        json!(["https://github.com/acme/widgets"])
    );
    let steps: Vec<&str> = shown["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["to"].as_str().unwrap())
        .collect();
    assert_eq!(
        steps,
        ["created", "extracting_urls", "finalizing", "completed"]
    );
    assert_eq!(shown["history"][1]["tool"], "extract_guidelines_urls");
}

#[tokio::test]
async fn a_stranger_gets_the_same_answer_as_for_an_article_that_does_not_exist() {
    let system = System::start().await;
    let article = system.upload("alice", GUIDELINE).await;
    for id in [article, Uuid::now_v7()] {
        for tool in ["extract_guidelines_urls", "create_research_file"] {
            let answer = system.tool("bob", tool, id).await;
            answer.is_problem(StatusCode::NOT_FOUND, "There is no article with this id.");
        }
        let path = format!("/download_research?article_guideline_id={id}");
        system
            .get("bob", &path)
            .await
            .is_problem(StatusCode::NOT_FOUND, "no article");
        let path = format!("/articles/{id}");
        system
            .get("bob", &path)
            .await
            .is_problem(StatusCode::NOT_FOUND, "no article");
        let erased = system.send_as("bob", Method::DELETE, &path, &[], "").await;
        erased.is_problem(StatusCode::NOT_FOUND, "no article");
    }
    let usage = system.get("bob", "/usage").await.json();
    assert_eq!(usage["used"], 0, "what was refused is not charged");
    let still = system.get("alice", &format!("/articles/{article}")).await;
    assert_eq!(still.status, StatusCode::OK);
}

#[tokio::test]
async fn a_form_with_a_file_is_taken_like_a_body() {
    let system = System::start().await;
    let form = |name: &str, content: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n{content}\r\n--b--\r\n"
        )
    };
    let send = async |body: String| {
        let headers = [("content-type", "multipart/form-data; boundary=b")];
        system
            .send_as(
                "alice",
                Method::POST,
                "/upload_article_guideline",
                &headers,
                body,
            )
            .await
    };
    let answer = send(form("guideline.md", "\u{feff}# Hello")).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.json()["title"], "Hello");
    let wrong = send(form("guideline.pdf", "# Hello")).await;
    wrong.is_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "must be Markdown");
    send(form("", ""))
        .await
        .is_problem(StatusCode::BAD_REQUEST, "file: missing");
    let cut = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.md\"\r\n\r\n# He";
    send(cut.to_owned())
        .await
        .is_problem(StatusCode::BAD_REQUEST, "ended early");
}

#[tokio::test]
async fn what_is_no_guideline_is_refused_with_the_reason() {
    let system = System::start().await;
    let refused = async |body: Vec<u8>| system.post_guideline("alice", body, &[]).await;
    refused(vec![])
        .await
        .is_problem(StatusCode::BAD_REQUEST, "empty");
    refused(b" \n\t".to_vec())
        .await
        .is_problem(StatusCode::BAD_REQUEST, "empty");
    refused(b"# a\nb \xff".to_vec())
        .await
        .is_problem(StatusCode::BAD_REQUEST, "line 2");
    refused(b"# a\0".to_vec())
        .await
        .is_problem(StatusCode::BAD_REQUEST, "NUL");
    let large = refused(vec![b'x'; (1 << 20) + 1]).await;
    assert_eq!(
        large
            .is_problem(StatusCode::PAYLOAD_TOO_LARGE, "1 MiB")
            .json()["limit_bytes"],
        1 << 20
    );
    let largest = refused(vec![b'x'; 1 << 20]).await;
    assert_eq!(largest.status, StatusCode::CREATED);
    let headers = [("content-type", "application/json")];
    let path = "/upload_article_guideline";
    let json = system
        .send_as("alice", Method::POST, path, &headers, "{}")
        .await;
    json.is_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "`text/markdown`");
}

#[tokio::test]
async fn a_repeated_upload_with_the_same_key_is_the_same_article() {
    let system = System::start().await;
    let key = [("idempotency-key", "one")];
    let first = system.post_guideline("alice", "# One", &key).await.json();
    let again = system.post_guideline("alice", "# One", &key).await.json();
    assert_eq!(first["article_id"], again["article_id"]);
    let other = system.post_guideline("bob", "# One", &key).await.json();
    assert_ne!(
        first["article_id"], other["article_id"],
        "keys belong to users"
    );
    let reused = system.post_guideline("alice", "# Two", &key).await;
    reused.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "another guideline");
    let list = system.get("alice", "/articles").await.json();
    assert_eq!(list["articles"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn wrong_arguments_of_a_tool_name_the_field_and_cost_nothing() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let call = async |arguments| {
        system
            .tool_with("alice", "extract_guidelines_urls", arguments, &[])
            .await
    };
    call(json!({}))
        .await
        .is_problem(StatusCode::BAD_REQUEST, "article_guideline_id: missing");
    let wrong = call(json!({ "article_guideline_id": "7" })).await;
    assert_eq!(
        wrong
            .is_problem(StatusCode::BAD_REQUEST, "not a UUID")
            .json()["field"],
        "article_guideline_id"
    );
    let more = call(json!({ "article_guideline_id": article, "colour": "red" })).await;
    more.is_problem(StatusCode::BAD_REQUEST, "unknown field `colour`");
    call(json!([1]))
        .await
        .is_problem(StatusCode::BAD_REQUEST, "JSON object");
    assert_eq!(system.get("alice", "/usage").await.json()["used"], 0);
}
