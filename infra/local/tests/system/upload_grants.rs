//! Uploads from a shell, with a grant in place of a token.

use futures_util::future::join_all;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::{Answer, System};

/// Asks for a grant in somebody's name.
async fn request(system: &System, user: &str, arguments: Value) -> Answer {
    let headers = [("content-type", "application/json")];
    let path = "/request_upload";
    system
        .send_as(user, Method::POST, path, &headers, arguments.to_string())
        .await
}

async fn granted(system: &System, user: &str, arguments: Value) -> Value {
    let answer = request(system, user, arguments).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

/// What the shell sends: the body, with the grant's headers, to the grant's address.
async fn upload(system: &System, grant: &Value, body: &str) -> Answer {
    let path = path_of(system, grant);
    upload_to(system, grant, &path, body).await
}

async fn upload_to(system: &System, grant: &Value, path: &str, body: &str) -> Answer {
    assert_eq!(grant["method"], "POST");
    let headers = grant["headers"].as_object().unwrap().iter();
    let headers: Vec<(&str, &str)> = headers
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let body = body.to_owned();
    system.send(Method::POST, path, &headers, body).await
}

fn path_of(system: &System, grant: &Value) -> String {
    let url = grant["upload_url"].as_str().unwrap();
    let path = url.strip_prefix(&system.local.url);
    path.expect("the address leads here").to_owned()
}

fn token(grant: &Value) -> &str {
    grant["headers"]["x-nova-upload-grant"].as_str().unwrap()
}

async fn names(system: &System, article: &str) -> Vec<String> {
    let path = format!("/upload_local_files/status?article_guideline_id={article}");
    let status = system.get("alice", &path).await.json();
    let uploaded = status["uploaded"].as_array().unwrap().iter();
    uploaded
        .map(|file| file["filename"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_shell_begins_an_article_and_brings_its_file_without_a_token() {
    let system = System::start().await;
    let grant = granted(&system, "alice", json!({})).await;
    assert!(!path_of(&system, &grant).contains(token(&grant)));
    let taken = upload(&system, &grant, "# Memory\n\nSee `it's.ipynb`.\n").await;
    assert_eq!(taken.status, StatusCode::CREATED, "{taken:?}");
    let article = taken.json()["article_id"].clone();
    assert_eq!(article, grant["article_guideline_id"], "known beforehand");

    let arguments = json!({"article_guideline_id": article, "filename": "it's.ipynb"});
    let grant = granted(&system, "alice", arguments).await;
    assert_eq!(grant["headers"]["content-type"], "application/x-ipynb+json");
    let notebook = json!({"cells": [{"cell_type": "markdown", "source": "Hi", "metadata": {}}],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 5});
    let taken = upload(&system, &grant, &notebook.to_string()).await;
    assert_eq!(taken.status, StatusCode::CREATED, "{taken:?}");
    let article = article.as_str().unwrap();
    assert_eq!(names(&system, article).await, ["it's.ipynb"]);
    let again = upload(&system, &grant, &notebook.to_string()).await;
    again.is_problem(StatusCode::CONFLICT, "was used before");
}

/// What is refused uses nothing up: in the end the grant is good for what it is for.
#[tokio::test]
async fn a_grant_is_for_one_file_of_one_article_and_for_nothing_else() {
    let system = System::start().await;
    let (one, other) = (
        system.upload("alice", "# One").await,
        system.upload("alice", "# Other").await,
    );
    let arguments = json!({"article_guideline_id": one, "filename": "a.md", "size_bytes": 9});
    let grant = granted(&system, "alice", arguments).await;
    let files = "/upload_local_files?article_guideline_id";
    for path in [
        &format!("{files}={other}&filename=a.md"),
        &format!("{files}={one}&filename=b.md"),
        &format!("{files}={one}"),
        "/upload_article_guideline",
    ] {
        let answer = upload_to(&system, &grant, path, "# A").await;
        answer.is_problem(StatusCode::FORBIDDEN, "for no other address");
    }
    let path = path_of(&system, &grant);
    let with = |name, value| [("x-nova-upload-grant", token(&grant)), (name, value)];
    let send = async |method, path, headers: [(&'static str, &'static str); 1]| {
        let [(name, value)] = headers;
        system.send(method, path, &with(name, value), "# A").await
    };
    let markdown = ("content-type", "text/markdown");
    for (method, path) in [
        (Method::DELETE, &*path),
        (Method::GET, &path),
        (Method::GET, "/articles"),
        (Method::POST, "/request_upload"),
        (Method::POST, "/tools/create_research_file"),
    ] {
        let answer = send(method, path, [markdown]).await;
        answer.is_problem(StatusCode::UNAUTHORIZED, "Send a token");
    }
    let form = ("content-type", "multipart/form-data; boundary=b");
    send(Method::POST, &path, [form])
        .await
        .is_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "text/markdown");
    let bearer = format!("Bearer {}", system.token("alice"));
    let both = [
        ("x-nova-upload-grant", token(&grant)),
        ("authorization", &bearer),
        markdown,
    ];
    let answer = system.send(Method::POST, &path, &both, "# A").await;
    answer.is_problem(StatusCode::BAD_REQUEST, "not both");
    let large = upload(&system, &grant, "# Larger than granted").await;
    large.is_problem(StatusCode::PAYLOAD_TOO_LARGE, "9 bytes");
    assert_eq!(names(&system, &one.to_string()).await, [""; 0]);

    let taken = upload(&system, &grant, "# A").await;
    assert_eq!(taken.status, StatusCode::CREATED, "{taken:?}");
    assert_eq!(names(&system, &one.to_string()).await, ["a.md"]);
    assert_eq!(names(&system, &other.to_string()).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_uploads_at_once_with_one_grant_one_is_kept() {
    let system = System::start().await;
    let grant = granted(&system, "alice", json!({})).await;
    let uploads = (0..10).map(|_| upload(&system, &grant, "# One"));
    let answers = join_all(uploads).await;
    let kept = answers.iter().filter(|it| it.status == StatusCode::CREATED);
    assert_eq!(kept.count(), 1, "{answers:?}");
    for answer in answers.iter().filter(|it| it.status != StatusCode::CREATED) {
        answer.is_problem(StatusCode::CONFLICT, "was used before");
    }
    let listed = system.get("alice", "/articles").await.json();
    assert_eq!(listed["articles"].as_array().unwrap().len(), 1);

    let article = system.upload("alice", "# Two").await;
    let arguments = json!({"article_guideline_id": article, "filename": "a.md"});
    let grant = granted(&system, "alice", arguments).await;
    let uploads = (0..10).map(|_| upload(&system, &grant, "# A"));
    let answers = join_all(uploads).await;
    let kept = answers.iter().filter(|it| it.status == StatusCode::CREATED);
    assert_eq!(kept.count(), 1, "{answers:?}");
    for answer in answers.iter().filter(|it| it.status != StatusCode::CREATED) {
        answer.is_problem(StatusCode::CONFLICT, "was used before");
    }
}

#[tokio::test]
async fn an_expired_or_made_up_grant_is_no_way_in_and_nobody_gets_one_for_what_is_not_theirs() {
    let system = System::start().await;
    let mut grant = granted(&system, "alice", json!({})).await;
    sqlx::query("UPDATE upload_grants SET expires_at = now()")
        .execute(&system.database.pool())
        .await
        .unwrap();
    let late = upload(&system, &grant, "# One").await;
    late.is_problem(StatusCode::UNAUTHORIZED, "has expired");
    assert!(late.header("www-authenticate").starts_with("Bearer "));
    for made_up in ["nova_grant_", "", "nova_grant_AAAA", "\u{e4}"] {
        grant["headers"]["x-nova-upload-grant"] = json!(made_up);
        let answer = upload(&system, &grant, "# One").await;
        answer.is_problem(StatusCode::UNAUTHORIZED, "no such upload grant");
    }
    let article = system.upload("alice", "# One").await;
    for id in [article, Uuid::now_v7()] {
        let arguments = json!({"article_guideline_id": id, "filename": "a.md"});
        let answer = request(&system, "bob", arguments).await;
        answer.is_problem(StatusCode::NOT_FOUND, "There is no article with this id.");
    }
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM upload_grants WHERE user_id = 'bob'")
        .fetch_one(&system.database.pool())
        .await
        .unwrap();
    assert_eq!(kept, 0);
    for (arguments, status, words) in [
        (json!({"size_bytes": 0}), 400, "size_bytes"),
        (json!({"size_bytes": 1 << 21}), 413, "1 MiB"),
        (
            json!({"filename": "a.md"}),
            400,
            "article_guideline_id: missing",
        ),
        (json!({"file": "a.md"}), 400, "unknown field `file`"),
        (
            json!({"article_guideline_id": article, "filename": "a.exe"}),
            415,
            "type of file",
        ),
    ] {
        let answer = request(&system, "alice", arguments).await;
        answer.is_problem(StatusCode::from_u16(status).unwrap(), words);
    }
}
