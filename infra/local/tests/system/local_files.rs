//! Local files over HTTP: taken in, replaced, refused, deleted, and found again in the document.

use std::fmt::Write as _;
use std::sync::Arc;

use http::{Method, StatusCode};
use nova_local::local::BUCKET;
use nova_testkit::objects::{Action, Effect, Fault};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    scrape_other_urls::research_file,
    system::{Answer, System},
};

const GUIDELINE: &str = "# Agents with memory

Explain `code/memory.py`, then \"notes.ipynb\", and see notes.md.
";

const NOTEBOOK: &str = r##"{"metadata": {"kernelspec": {"language": "python"}}, "cells": [
  {"cell_type": "markdown", "source": "# Trial"},
  {"cell_type": "code", "source": "plot()", "outputs": [
    {"output_type": "stream", "text": "\u001b[31mred\u001b[0m\n"},
    {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo="}}]}]}"##;

fn address(article: Uuid) -> String {
    format!("/upload_local_files?article_guideline_id={article}")
}

/// A form with these files.
fn form(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in files {
        let mut head = String::from("--b\r\n");
        write!(
            head,
            "Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n"
        )
        .unwrap();
        head.push_str("Content-Type: application/octet-stream\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b--\r\n");
    body
}

impl System {
    async fn send_files(&self, user: &str, article: Uuid, files: &[(&str, &[u8])]) -> Answer {
        let kind = [("content-type", "multipart/form-data; boundary=b")];
        let body = form(files);
        self.send_as(user, Method::POST, &address(article), &kind, body)
            .await
    }

    async fn send_file(&self, user: &str, article: Uuid, name: &str, content: &str) -> Answer {
        let path = format!("{}&filename={name}", address(article));
        let kind = [("content-type", "text/plain")];
        self.send_as(user, Method::POST, &path, &kind, content.to_owned())
            .await
    }

    async fn files(&self, user: &str, article: Uuid) -> Value {
        let path = format!("/upload_local_files/status?article_guideline_id={article}");
        let answer = self.get(user, &path).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }

    async fn names(&self, user: &str, article: Uuid) -> Vec<String> {
        let files = self.files(user, article).await;
        let files = files["uploaded"].as_array().unwrap();
        let name = |file: &Value| file["filename"].as_str().unwrap().to_owned();
        files.iter().map(name).collect()
    }
}

#[tokio::test]
async fn files_that_were_uploaded_are_in_the_document_as_the_guideline_names_them() {
    let system = System::start().await;
    let article = system.upload("alice", GUIDELINE).await;
    let files: [(&str, &[u8]); 5] = [
        ("other.txt", b"```\nnot closed"),
        ("notes.md", b"# Notes\n\nMine.\n"),
        ("notes.ipynb", NOTEBOOK.as_bytes()),
        ("photo.png", b"\x89PNG"),
        ("memory.py", b"keep = []\n"),
    ];
    let answer = system.send_files("alice", article, &files).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let answer = answer.json();
    let statuses: Vec<_> = answer["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            (
                line["filename"].as_str().unwrap(),
                line["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        statuses,
        [
            ("other.txt", "uploaded"),
            ("notes.md", "uploaded"),
            ("notes.ipynb", "uploaded"),
            ("photo.png", "refused"),
            ("memory.py", "uploaded"),
        ]
    );
    let reason = answer["files"][3]["reason"].as_str().unwrap();
    assert!(
        reason.contains("this type of file is not taken"),
        "{reason}"
    );

    let status = system.files("alice", article).await;
    assert_eq!(status["missing"], json!([]));
    assert_eq!(
        status["expected"],
        json!([
            {"filename": "code/memory.py", "uploaded_as": "memory.py"},
            {"filename": "notes.ipynb", "uploaded_as": "notes.ipynb"},
            {"filename": "notes.md", "uploaded_as": "notes.md"},
        ])
    );

    system.tool("alice", "create_research_file", article).await;
    let path = format!("/download_research?article_guideline_id={article}");
    let text = system.get("alice", &path).await.text();
    let (_, section) = text.split_once("\n\n## Local Files\n\n").unwrap();
    assert_eq!(
        section,
        "<details>\n<summary>memory.py</summary>\n\n```python\nkeep = []\n```\n\n</details>\n\n\
         <details>\n<summary>notes.ipynb</summary>\n\n# Trial\n\n```python\nplot()\n```\n\nOutput:\n\n```\nred\n```\n\n[image/png output]\n\n</details>\n\n\
         <details>\n<summary>notes.md</summary>\n\n# Notes\n\nMine.\n\n</details>\n\n\
         <details>\n<summary>other.txt</summary>\n\n````text\n```\nnot closed\n````\n\n</details>\n"
    );
}

#[tokio::test]
async fn what_is_expected_is_known_before_and_after_the_extraction() {
    let system = System::start().await;
    let article = system.upload("alice", GUIDELINE).await;
    let all = json!(["code/memory.py", "notes.ipynb", "notes.md"]);
    assert_eq!(system.files("alice", article).await["missing"], all);
    let found = system
        .tool("alice", "extract_guidelines_urls", article)
        .await
        .json();
    let message = found["message"].as_str().unwrap();
    let page = format!("{}{}", system.local.url, address(article));
    assert!(message.ends_with(&page), "{message}");
    assert_eq!(system.files("alice", article).await["missing"], all);
    let none = system.upload("alice", "# None").await;
    let found = system.tool("alice", "extract_guidelines_urls", none).await;
    assert!(!found.text().contains("upload_local_files"), "{found:?}");
}

#[tokio::test]
async fn names_that_look_alike_are_different_files() {
    let system = System::start().await;
    let article = system.upload("alice", "# None").await;
    let names = ["notes.ipynb", "notes.md", "a/b.md", "a_b.md", "日本 <b>.md"];
    for name in names {
        let content = if name == "notes.ipynb" {
            NOTEBOOK
        } else {
            name
        };
        let answer = system
            .send_files("alice", article, &[(name, content.as_bytes())])
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        assert_eq!(answer.json()["filename"], name);
    }
    assert_eq!(system.names("alice", article).await, names);
}

#[tokio::test]
async fn one_file_is_sent_as_the_body_replaced_and_deleted() {
    let system = System::start().await;
    let article = system.upload("alice", "# None").await;
    let answer = system.send_file("alice", article, "a.py", "x = 1\n").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let answer = answer.json();
    assert_eq!(answer["message"], "File 'a.py' uploaded successfully");
    assert_eq!(answer["files"][0]["status"], "uploaded");
    // The same name in the other spelling of Unicode, and with a dot before it, is the same file.
    let again = system
        .send_file("alice", article, "./a.py", "x = 2\n")
        .await;
    assert_eq!(again.json()["files"][0]["status"], "replaced");
    let status = system.files("alice", article).await;
    let [file] = status["uploaded"].as_array().unwrap().as_slice() else {
        panic!("{status}")
    };
    assert_eq!(file["size"], "```python\nx = 2\n```\n".len());
    let replaced: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM blobs WHERE state = 'deleting' AND purpose = 'local_file'",
    )
    .fetch_one(&system.database.pool())
    .await
    .unwrap();
    assert_eq!(replaced, 1, "the text before is the sweeper's");

    let path = format!("{}&filename=a.py", address(article));
    let delete = async || {
        system
            .send_as("alice", Method::DELETE, &path, &[], "")
            .await
    };
    assert_eq!(delete().await.status, StatusCode::NO_CONTENT);
    delete().await.is_problem(
        StatusCode::NOT_FOUND,
        "This article has no local file a.py.",
    );
    assert_eq!(system.names("alice", article).await, [""; 0]);
    let unnamed = system
        .send_as("alice", Method::DELETE, &address(article), &[], "")
        .await;
    unnamed.is_problem(StatusCode::BAD_REQUEST, "filename: missing");
}

/// A guess may be wrong, so the one who can see it is told.
#[tokio::test]
async fn text_of_older_machines_is_read_and_its_author_hears_as_what() {
    let system = System::start().await;
    let article = system.upload("alice", "# None").await;
    let french = b"# caf\xe9 cr\xe8me br\xfbl\xe9e".as_slice();
    let answer = system
        .send_files("alice", article, &[("old.md", french)])
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let answer = answer.json();
    assert_eq!(answer["files"][0]["encoding"], "windows-1252", "{answer}");
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("read as windows-1252: if"), "{message}");
    let marked: Vec<u8> = "\u{feff}# Zoë"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    let answer = system
        .send_files(
            "alice",
            article,
            &[("new.md", b"# \xc3\xa9"), ("wide.md", &marked)],
        )
        .await
        .json();
    assert_eq!(answer["files"][0]["encoding"], Value::Null, "{answer}");
    assert_eq!(answer["files"][1]["encoding"], "UTF-16BE", "{answer}");
    let file = research_file(&system, article).await;
    assert!(
        file.contains("café crème brûlée") && file.contains("Zoë"),
        "{file}"
    );
}

#[tokio::test]
async fn what_is_refused_says_why_and_nothing_is_kept_of_it() {
    let system = System::start().await;
    let article = system.upload("alice", "# None").await;
    for (name, content, status, reason) in [
        ("a.png", &b"\x89PNG"[..], 415, "this type of file"),
        ("a.md", b"", 400, "it is empty"),
        ("a.md", b"a\0b", 400, "NUL character in line 1"),
        ("a.py", b"# caf\xe9\0", 400, "NUL character in line 1"),
        ("a.py", b"\x7fELF\x02\x01\xe9", 400, "it is no text"),
        (
            "a.ipynb",
            b"{\"\xe9\": 1}",
            400,
            "not UTF-8: byte 2, in line 1",
        ),
        ("a.ipynb", b"{}", 400, "no cells"),
        ("../a.md", b"# A", 400, "`..`"),
        ("/etc/a.md", b"# A", 400, "relative"),
        ("a\u{202e}b.md", b"# A", 400, "U+202E"),
    ] {
        let answer = system
            .send_files("alice", article, &[(name, content)])
            .await;
        let problem = answer.is_problem(status.try_into().unwrap(), reason).json();
        assert_eq!(problem["files"][0]["status"], "refused");
    }
    let both: [(&str, &[u8]); 2] = [("a.png", b"x"), ("b.md", b"")];
    let both = system.send_files("alice", article, &both).await;
    both.is_problem(StatusCode::BAD_REQUEST, "None of the files was taken");
    system
        .send_files("alice", article, &[])
        .await
        .is_problem(StatusCode::BAD_REQUEST, "file: missing");
    let json = [("content-type", "application/json")];
    system
        .send_as("alice", Method::POST, &address(article), &json, "{}")
        .await
        .is_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "multipart/form-data");
    assert_eq!(system.names("alice", article).await, [""; 0]);
    let guideline_only = system.local.objects.objects(BUCKET).len();
    assert_eq!(guideline_only, 1, "nothing was written");
}

#[tokio::test]
async fn a_file_that_is_too_large_takes_nothing_from_its_neighbours() {
    let system = System::start().await;
    let article = system.upload("alice", "# None").await;
    let (largest, larger) = (vec![b'x'; 8 << 20], vec![b'x'; (8 << 20) + 1]);
    let files: [(&str, &[u8]); 4] = [
        ("a.md", b"# A"),
        ("larger.md", &larger),
        ("largest.md", &largest),
        ("z.md", b"# Z"),
    ];
    let answer = system.send_files("alice", article, &files).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let reason = answer.json()["files"][1]["reason"].clone();
    assert_eq!(reason, "it is larger than 8 MiB.");
    let kept = ["a.md", "largest.md", "z.md"];
    assert_eq!(system.names("alice", article).await, kept);

    // More than a request may have: what came before stays, and the answer says so.
    let more = vec![b'x'; 33 << 20];
    let files: [(&str, &[u8]); 2] = [("b.md", b"# B"), ("more.md", &more)];
    let answer = system.send_files("alice", article, &files).await;
    let problem = answer.is_problem(StatusCode::PAYLOAD_TOO_LARGE, "32 MiB");
    assert_eq!(problem.json()["files"][0]["filename"], "b.md");
    assert_eq!(system.names("alice", article).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_name_from_ten_clients_at_once_is_one_file() {
    let system = Arc::new(System::start().await);
    let article = system.upload("alice", GUIDELINE).await;
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..10 {
        let system = Arc::clone(&system);
        clients.spawn(async move {
            let content = format!("# From {client}\n");
            system
                .send_file("alice", article, "notes.md", &content)
                .await
        });
    }
    for answer in clients.join_all().await {
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    }
    assert_eq!(system.names("alice", article).await, ["notes.md"]);
    let states: Vec<(String, i64)> = sqlx::query_as(
        "SELECT state::text, count(*) FROM blobs WHERE purpose = 'local_file' GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(&system.database.pool())
    .await
    .unwrap();
    assert_eq!(
        states,
        [("committed".to_owned(), 1), ("deleting".to_owned(), 9)]
    );
    system.tool("alice", "create_research_file", article).await;
    let path = format!("/download_research?article_guideline_id={article}");
    let text = system.get("alice", &path).await.text();
    assert_eq!(text.matches("# From ").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_come_at_once_an_article_has_no_more_files_than_the_limit() {
    let system = Arc::new(System::start().await);
    let article = system.upload("alice", "# Many").await;
    sqlx::query(
        "INSERT INTO sources (id, user_id, article_id, kind, source_key, filename, blob_id)
         SELECT gen_random_uuid(), user_id, id, 'local_file', n || '.md', n || '.md', guideline_blob_id
           FROM articles, generate_series(1, 197) n",
    )
    .execute(&system.database.pool())
    .await
    .unwrap();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..8 {
        let system = Arc::clone(&system);
        clients.spawn(async move {
            let name = format!("new-{client}.md");
            system
                .send_file("alice", article, &name, "# New\n")
                .await
                .status
        });
    }
    let answers = clients.join_all().await;
    let count = |status| answers.iter().filter(|it| **it == status).count();
    assert_eq!(
        (count(StatusCode::CREATED), count(StatusCode::CONFLICT)),
        (3, 5),
        "{answers:?}"
    );
    let replaced = system
        .send_file("alice", article, "7.md", "# Seven\n")
        .await;
    assert_eq!(replaced.status, StatusCode::CREATED, "{replaced:?}");
}

#[tokio::test]
async fn when_the_bucket_fails_what_was_kept_stays_and_the_rest_can_be_sent_again() {
    let system = System::start().await;
    let article = system.upload("alice", "# None").await;
    let fails = Fault::new(Effect::Status(403)).after(1).times(1);
    system
        .local
        .objects
        .inject(fails.on(Action::UploadMultipart));
    let files: [(&str, &[u8]); 3] = [("a.md", b"# A"), ("b.md", b"# B"), ("c.md", b"# C")];
    let answer = system.send_files("alice", article, &files).await;
    assert!(answer.status.is_server_error(), "{answer:?}");
    assert_eq!(answer.json()["files"].as_array().unwrap().len(), 1);
    assert_eq!(system.names("alice", article).await, ["a.md"]);
    let again = system.send_files("alice", article, &files).await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
    assert_eq!(again.json()["files"][0]["status"], "replaced");
    assert_eq!(
        system.names("alice", article).await,
        ["a.md", "b.md", "c.md"]
    );
}

/// What another site can make a browser send: the cookie, but neither our origin nor the token.
#[tokio::test]
async fn forged_uploads_and_deletions_are_refused() {
    let system = System::start().await;
    let article = system.upload("alice", "# None").await;
    system.send_file("alice", article, "a.md", "# A").await;
    let cookie = format!("nova-session={}", system.token("alice"));
    let own = system.local.url.as_str();
    let path = format!("{}&filename=a.md", address(article));
    let kinds = [
        (Method::POST, path.clone(), "text/plain", "# Forged".into()),
        (Method::DELETE, path, "text/plain", Vec::new()),
        (
            Method::POST,
            address(article),
            "multipart/form-data; boundary=b",
            form(&[("a.md", b"# Forged")]),
        ),
        (
            Method::POST,
            address(article),
            "application/x-www-form-urlencoded",
            "delete=a.md".into(),
        ),
    ];
    for (origin, site) in [("https://evil.example", "cross-site"), (own, "same-origin")] {
        for (method, path, kind, body) in &kinds {
            let headers = [
                ("cookie", cookie.as_str()),
                ("origin", origin),
                ("sec-fetch-site", site),
                ("content-type", kind),
            ];
            let answer = system
                .send(method.clone(), path, &headers, body.clone())
                .await;
            assert_eq!(
                answer.status,
                StatusCode::FORBIDDEN,
                "{method} {origin}: {answer:?}"
            );
        }
    }
    let status = system.files("alice", article).await;
    assert_eq!(status["uploaded"][0]["size"], 3);
}
