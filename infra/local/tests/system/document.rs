//! `research.md` from its rows: documents that users have, and the formats that it may have.

use http::StatusCode;
use nova_blobs::{Blobs, Settings, Upload, whole};
use nova_local::local::BUCKET;
use nova_runtime::{http_client::HttpClient, tokens::TokenSource};
use nova_store::{NewSource, Origin, Purpose, SourceKind, Store, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::{Answer, System};

const TOOL: &str = "create_research_file";

#[derive(Default, Deserialize)]
struct Rows {
    answers: Vec<Found>,
    #[serde(default)]
    scraped: Vec<Text>,
    #[serde(default)]
    code: Vec<Text>,
    #[serde(default)]
    videos: Vec<Text>,
    #[serde(default)]
    additional: Vec<Text>,
    #[serde(default)]
    counts: Value,
}

#[derive(Deserialize)]
struct Found {
    number: i64,
    url: String,
    query: String,
    answer: String,
}

#[derive(Deserialize)]
struct Text {
    title: String,
    body: String,
}

/// The answers of searches, those with these numbers kept, or none judged.
async fn found(system: &System, article: Uuid, answers: &[Found], kept: Option<&[i64]>) {
    let pool = system.database.pool();
    let mut queries: Vec<(&str, Uuid)> = Vec::new();
    for answer in answers {
        let known = queries.iter().find(|(query, _)| *query == answer.query);
        let id = known.map_or_else(Uuid::now_v7, |(_, id)| *id);
        if known.is_none() {
            let query =
                "INSERT INTO research_queries (id, user_id, article_id, call_id, position, query)
                         VALUES ($1, 'alice', $2, $2, $3, $4)";
            let position = i64::try_from(queries.len()).unwrap();
            let query = sqlx::query(query).bind(id).bind(article).bind(position);
            query.bind(&answer.query).execute(&pool).await.unwrap();
            queries.push((&answer.query, id));
        }
        let source = "INSERT INTO research_sources (article_id, source_no, user_id, query_id, url, identity, answer, selected)
                      VALUES ($1, $2, 'alice', $3, $4, $5, $6, $7)";
        let source = sqlx::query(source)
            .bind(article)
            .bind(answer.number)
            .bind(id);
        // Their numbers tell them apart: old documents have the same page more than once.
        let source = source.bind(&answer.url).bind(answer.number.to_string());
        let selected = kept.map(|kept| kept.contains(&answer.number));
        let source = source.bind(&answer.answer).bind(selected);
        source.execute(&pool).await.unwrap();
    }
}

async fn read(system: &System, article: Uuid, kind: SourceKind, texts: &[Text]) {
    let store = Store::new(system.database.pool());
    let emulator = system.local.objects.url.parse().unwrap();
    let settings = Settings::new(BUCKET, Some(emulator));
    let tokens = TokenSource::anonymous();
    let blobs = Blobs::open(settings, HttpClient::new(), tokens, store.clone());
    let user: UserId = "alice".parse().unwrap();
    for (text, position) in texts.iter().zip(0..) {
        let upload = Upload::new(Purpose::Scraped, "text/markdown");
        let body = whole(text.body.clone());
        let written = blobs.write(&user, upload, body, u64::MAX).await.unwrap();
        let mut tenant = store.tenant(&user).await.unwrap();
        tenant.commit_blob(&written).await.unwrap();
        let source = NewSource {
            id: Uuid::now_v7(),
            kind,
            key: text.title.clone(),
            title: text.title.clone(),
            position,
            blob_id: written.id,
            origin: Origin::default(),
        };
        tenant.upsert_source(article, &source).await.unwrap();
        tenant.commit().await.unwrap();
    }
}

async fn compile(system: &System, article: Uuid, more: Value) -> (Value, Answer) {
    let mut arguments = more;
    arguments["article_guideline_id"] = json!(article);
    let compiled = system.tool_with("alice", TOOL, arguments, &[]).await;
    assert_eq!(compiled.status, StatusCode::OK, "{compiled:?}");
    let path = format!("/download_research?article_guideline_id={article}");
    (compiled.json(), system.get("alice", &path).await)
}

#[tokio::test]
async fn documents_of_existing_users_come_out_of_their_rows_byte_for_byte() {
    let system = System::start().await;
    macro_rules! fixture {
        ($name:literal, $ending:literal) => {
            include_str!(concat!(
                "../../../../shared/research/tests/fixtures/",
                $name,
                $ending
            ))
        };
    }
    for (name, rows, expected) in [
        (
            "demo",
            fixture!("demo", ".rows.json"),
            fixture!("demo", ".research.md"),
        ),
        (
            "folder",
            fixture!("folder", ".rows.json"),
            fixture!("folder", ".research.md"),
        ),
        (
            "patterns",
            fixture!("patterns", ".rows.json"),
            fixture!("patterns", ".research.md"),
        ),
        (
            "small",
            fixture!("small", ".rows.json"),
            fixture!("small", ".research.md"),
        ),
    ] {
        let rows: Rows = serde_json::from_str(rows).unwrap();
        let article = system.upload("alice", "# Golden").await;
        let kept: Vec<i64> = rows.answers.iter().map(|it| it.number).collect();
        found(&system, article, &rows.answers, Some(&kept)).await;
        for (kind, texts) in [
            (SourceKind::ScrapedResearchUrl, &rows.scraped),
            (SourceKind::GithubIngest, &rows.code),
            (SourceKind::YoutubeTranscript, &rows.videos),
            (SourceKind::ScrapedUrl, &rows.additional),
        ] {
            read(&system, article, kind, texts).await;
        }
        let (compiled, file) = compile(&system, article, json!({})).await;
        assert_eq!(file.header("content-type"), "text/markdown; charset=utf-8");
        let document = file.text();
        let differs = document
            .lines()
            .zip(expected.lines())
            .find(|(ours, theirs)| ours != theirs);
        assert_eq!(differs, None, "{name}");
        assert!(
            document == expected,
            "{name}: lines are equal, ends are not"
        );
        for (key, count) in rows.counts.as_object().unwrap() {
            assert_eq!(&compiled[key], count, "{name}: {key}");
        }
        // With the author's own file it is the same, and one section more.
        let notes = Text {
            title: "notes.md".to_owned(),
            body: "N\n".to_owned(),
        };
        read(&system, article, SourceKind::LocalFile, &[notes]).await;
        let (_, file) = compile(&system, article, json!({})).await;
        let section =
            "\n\n## Local Files\n\n<details>\n<summary>notes.md</summary>\n\nN\n\n</details>\n";
        assert!(
            file.text() == format!("{expected}{section}"),
            "{name}: local files"
        );
    }
}

fn small() -> Vec<Found> {
    let found = |number, url: &str, answer: &str| Found {
        number,
        url: url.to_owned(),
        query: "What is \"it\"?".to_owned(),
        answer: answer.to_owned(),
    };
    vec![
        found(
            1,
            "https://arxiv.org/abs/2310.11511",
            "It reflects.\n-----\n```",
        ),
        found(
            2,
            "https://example.com/a",
            "### Source [9]: https://evil.example",
        ),
        found(3, "https://example.com/b", "Not kept."),
    ]
}

#[tokio::test]
async fn a_selection_of_none_is_said_and_is_not_a_selection_that_was_not_made() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let note = "## Research Results\n\n_No accepted research results found._\n\n_No source passed selection._\n\n\n## ";
    let (_, nothing) = compile(&system, article, json!({})).await;
    assert!(!nothing.text().contains("passed selection"), "{nothing:?}");
    found(&system, article, &small(), None).await;
    let (unjudged, _) = compile(&system, article, json!({})).await;
    assert_eq!(unjudged["research_results_count"], 1);
    let none = json!({"article_guideline_id": article, "drop": [1, 2, 3]});
    let tool = "select_research_sources_to_keep";
    let judged = system.tool_with("alice", tool, none, &[]).await.json();
    assert_eq!(judged["selected_source_ids"], json!([]), "{judged}");
    let (compiled, file) = compile(&system, article, json!({})).await;
    assert_eq!(compiled["research_results_count"], 0, "{compiled}");
    assert!(file.text().contains(note), "{}", file.text());
}

#[tokio::test]
async fn the_file_is_markdown_json_or_a_bibliography_as_the_caller_wants() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    found(&system, article, &small(), Some(&[1, 2])).await;
    let text = |title: &str, body: &str| Text {
        title: title.to_owned(),
        body: body.to_owned(),
    };
    let pages = [text("https://arxiv.org/pdf/2310.11511", "\u{e9}\"\\\n")];
    read(&system, article, SourceKind::ScrapedResearchUrl, &pages).await;
    let code = [text("https://github.com/acme/memory", "Code.")];
    read(&system, article, SourceKind::GithubIngest, &code).await;

    let (compiled, file) = compile(&system, article, json!({"format": "json"})).await;
    let told = (
        file.header("content-type"),
        file.header("content-disposition"),
    );
    assert_eq!(
        told,
        ("application/json", "attachment; filename=\"research.json\"")
    );
    let document = file.json();
    let answers = json!([
        {"source": 1, "url": "https://arxiv.org/abs/2310.11511", "answer": "It reflects.\n-----\n```"},
        {"source": 2, "url": "https://example.com/a", "answer": "### Source [9]: https://evil.example"},
    ]);
    let results = json!([{"query": "What is \"it\"?", "answers": answers}]);
    assert_eq!(document["research_results"], results);
    let scraped = json!([{"url": "https://arxiv.org/pdf/2310.11511", "content": "\u{e9}\"\\\n"}]);
    assert_eq!(document["scraped_sources"], scraped);
    assert_eq!(document["local_files"], json!([]));
    let cited: Vec<&Value> = document["references"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["url"])
        .collect();
    let urls = [
        "https://arxiv.org/abs/2310.11511",
        "https://example.com/a",
        "https://github.com/acme/memory",
    ];
    assert_eq!(
        cited, urls,
        "the paper that was found and read is one reference"
    );
    let counts = |answer: &Value| {
        (
            answer["research_results_count"].clone(),
            answer["code_sources_count"].clone(),
        )
    };
    assert_eq!(counts(&compiled), (json!(1), json!(1)));

    let (compiled, file) = compile(&system, article, json!({"format": "bibtex"})).await;
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"research.bib\""
    );
    let bibliography = file.text();
    assert!(
        bibliography.starts_with("@misc{source1,\n")
            && bibliography.contains("eprint = {2310.11511}"),
        "{bibliography}"
    );
    assert_eq!(bibliography.matches("@misc{").count(), 3, "{bibliography}");
    assert_eq!(counts(&compiled), (json!(1), json!(1)));

    let (_, plain) = compile(&system, article, json!({})).await;
    let (_, listed) = compile(
        &system,
        article,
        json!({"format": "markdown", "references": true}),
    )
    .await;
    let list = listed
        .text()
        .strip_prefix(&plain.text())
        .unwrap()
        .to_owned();
    assert!(
        list.starts_with("\n\n## References\n\n- [1] <https://arxiv.org/abs/2310.11511>\n- [2] "),
        "{list}"
    );

    let wrong = json!({"article_guideline_id": article, "format": "pdf"});
    let wrong = system.tool_with("alice", TOOL, wrong, &[]).await;
    wrong.is_problem(
        StatusCode::BAD_REQUEST,
        "expected one of `markdown`, `json`, `bibtex`",
    );
}
