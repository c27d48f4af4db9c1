//! Cases of the workflow that were published for every implementation of it: what is given, and what is
//! right. Each is tried against the running system, with stand-ins that answer as the case says.
//!
//! Those of one crate alone are tried there: addresses, pages, pictures, code, notebooks and names of
//! videos in `nova-research`; cleaning in `scrape_other_urls`; the length of a prompt beside the prompt.

use std::{collections::BTreeSet, fmt::Write as _};

use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use nova_testkit::providers::{
    Effect, Fault,
    google::{self, Google, Reply},
    perplexity::{self, Perplexity},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::System;

const SEARCH: &str = "run_perplexity_research";
const KEEP: &str = "select_research_sources_to_keep";
const CHOOSE: &str = "select_research_sources_to_scrape";
const COMPILE: &str = "create_research_file";

/// An article of alice's, those who are asked for it, and the case.
struct Case {
    system: System,
    perplexity: Perplexity,
    google: Google,
    article: Uuid,
    input: Value,
    expected: Value,
}

type Try = for<'a> fn(&'a Case) -> BoxFuture<'a, ()>;

const CASES: &[(&str, Try)] = &[
    ("search-01", |it| Box::pin(answers_stay_whole(it))),
    ("search-02", |it| Box::pin(no_answer_makes_a_source(it))),
    ("search-05", |it| Box::pin(what_is_kept_is_counted(it))),
    ("search-06", |it| Box::pin(one_page_is_one_source(it))),
    ("search-08", |it| Box::pin(addresses_are_those_listed(it))),
    ("search-09", |it| Box::pin(one_question_fails(it))),
    ("select-01", |it| Box::pin(none_means_none(it))),
    ("select-02", |it| Box::pin(no_address_is_invented(it))),
    ("select-05", |it| Box::pin(a_model_fails(it))),
    ("compile-01", |it| Box::pin(a_page_ends_no_block(it))),
    ("compile-02", |it| Box::pin(a_fence_ends_with_its_page(it))),
    ("compile-04", |it| Box::pin(files_are_part_of_it(it))),
    ("yt-01", |it| Box::pin(one_video_fails(it))),
    ("param-01", |it| Box::pin(a_number_out_of_range(it))),
    ("param-06", |it| Box::pin(somebody_elses_article(it))),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_published_case_comes_out_as_it_is_right() {
    let published: Vec<Value> = serde_json::from_str(include_str!("pipeline.json")).unwrap();
    let ids: BTreeSet<&str> = published
        .iter()
        .map(|it| it["id"].as_str().unwrap())
        .collect();
    let tried: BTreeSet<&str> = CASES.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, tried, "left: published, right: tried");
    for published in &published {
        let id = published["id"].as_str().unwrap();
        let (_, try_it) = CASES.iter().find(|(tried, _)| *tried == id).unwrap();
        println!("{id}: {}", published["title"].as_str().unwrap());
        try_it(&Case::of(published).await).await;
    }
}

impl Case {
    async fn of(published: &Value) -> Self {
        let (perplexity, google) = (
            Perplexity::start().await.unwrap(),
            Google::start().await.unwrap(),
        );
        let is_prose = published["input"].get("provider_response").is_some();
        let settings = [
            ("PPLX_API_KEY", perplexity::KEY),
            ("PPLX_BASE_URL", perplexity.url()),
            (
                "SEARCH_PROVIDER",
                if is_prose { "sonar" } else { "perplexity" },
            ),
            ("GOOGLE_API_KEY", google::KEY),
            ("GOOGLE_BASE_URL", google.url()),
        ];
        let system = System::start_with(&settings, false).await;
        Self {
            article: system
                .upload("alice", "# Findings\n\n## Options\n\nSee `notes.md`.\n")
                .await,
            system,
            perplexity,
            google,
            input: published["input"].clone(),
            expected: published["expected"].clone(),
        }
    }

    async fn call(&self, tool: &str, mut arguments: Value) -> Value {
        arguments["article_guideline_id"] = json!(self.article);
        let answer = self.system.tool_with("alice", tool, arguments, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{tool}: {answer:?}");
        answer.json()
    }

    /// Who searches finds this for a question: addresses, each with what it says.
    fn finds(&self, query: &str, found: &[(&str, &str)]) {
        let found = found.iter();
        let results: Vec<Value> = found
            .map(|(url, said)| json!({"title": "A title", "url": url, "snippet": said}))
            .collect();
        let answer = json!({"id": "case", "results": results});
        self.perplexity.answers(query, answer);
    }

    async fn asks(&self, queries: &[&str]) -> Value {
        self.call(SEARCH, json!({ "queries": queries })).await
    }

    /// Two sources that were found, and kept.
    async fn has(&self, sources: &[&str]) {
        let found: Vec<_> = sources.iter().map(|url| (*url, "It says how.")).collect();
        self.finds("How?", &found);
        self.asks(&["How?"]).await;
    }

    async fn document(&self, format: &str) -> (Value, String) {
        let compiled = self.call(COMPILE, json!({ "format": format })).await;
        let path = format!("/download_research?article_guideline_id={}", self.article);
        (compiled, self.system.get("alice", &path).await.text())
    }

    /// What the document has of a search: question, number, address, answer.
    async fn results(&self) -> Vec<(String, u64, String, String)> {
        let (_, document) = self.document("json").await;
        let document: Value = serde_json::from_str(&document).unwrap();
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let mut results = Vec::new();
        for block in document["research_results"].as_array().unwrap() {
            for answer in block["answers"].as_array().unwrap() {
                let number = answer["source"].as_u64().unwrap();
                let (url, said) = (text(&answer["url"]), text(&answer["answer"]));
                results.push((text(&block["query"]), number, url, said));
            }
        }
        results
    }

    async fn value<T>(&self, query: &'static str) -> T
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let value = sqlx::query_scalar(query).bind(self.article);
        value.fetch_one(&self.system.database.pool()).await.unwrap()
    }

    async fn next_number(&self) -> i64 {
        self.value("SELECT next_source_no FROM articles WHERE id = $1")
            .await
    }
}

/// `### Source [n]: url`, `Query:` and `Answer:` of a document as others write it.
fn blocks(markdown: &str) -> Vec<(&str, &str, &str)> {
    let blocks = markdown.split("\n\n-----\n").filter(|it| !it.is_empty());
    let read = blocks.map(|block| {
        let (head, rest) = block.split_once("\n\nQuery: ").unwrap();
        let (_, url) = head.split_once("]: ").unwrap();
        let (query, answer) = rest.split_once("\n\nAnswer: ").unwrap();
        (url, query, answer)
    });
    read.collect()
}

async fn answers_stay_whole(case: &Case) {
    let source = &case.expected["1"];
    let [url, query, answer] =
        ["url", "query", "answer"].map(|field| source[field].as_str().unwrap());
    case.finds(query, &[(url, answer)]);
    case.asks(&[query]).await;
    let whole = (query.to_owned(), 1, url.to_owned(), answer.to_owned());
    assert_eq!(case.results().await, [whole]);
    let (_, document) = case.document("markdown").await;
    assert!(document.contains(answer), "{document}");
}

async fn no_answer_makes_a_source(case: &Case) {
    let markdown = case.input["markdown"].as_str().unwrap();
    let (first, second) = markdown
        .split_once("\n\n-----\n### Source [2]: https://b.example\n\nQuery: q1\n\nAnswer: ")
        .unwrap();
    let (_, hostile) = first.split_once("Answer: ").unwrap();
    let second = second.trim_end_matches("\n\n-----\n");
    case.finds(
        "q1",
        &[
            ("https://a.example", hostile),
            ("https://b.example", second),
        ],
    );
    case.asks(&["q1"]).await;
    let results = case.results().await;
    let ids: Vec<u64> = results.iter().map(|(_, number, ..)| *number).collect();
    assert_eq!(json!(ids), case.expected["ids"]);
    let evil = case.expected["not_contains_source_url"].as_str().unwrap();
    assert!(results.iter().all(|(_, _, url, _)| url != evil));
    assert_eq!(json!(case.next_number().await), case.expected["next_id"]);
    let (_, document) = case.document("markdown").await;
    let forged = document.matches("### Source [999]").count();
    assert_eq!(
        (forged, document.matches("\\### Source [999]").count()),
        (1, 1)
    );
}

async fn what_is_kept_is_counted(case: &Case) {
    let citations = case.input["citations"].as_array().unwrap();
    let answers = (1..).map(|nth: usize| case.input["answers"][nth.to_string()].as_str().unwrap());
    let found: Vec<(&str, &str)> = citations
        .iter()
        .map(|it| it.as_str().unwrap())
        .zip(answers)
        .collect();
    case.finds("q", &found);
    let answer = case.asks(&["q"]).await;
    assert_eq!(answer["sources_added"], case.expected["sources_added"]);
    assert_eq!(json!(case.next_number().await), case.expected["next_id"]);
}

async fn one_page_is_one_source(case: &Case) {
    let blocks = blocks(case.input["markdown"].as_str().unwrap());
    for query in ["q1", "q2"] {
        let of_it = blocks.iter().filter(|it| it.1 == query);
        let found: Vec<(&str, &str)> = of_it.map(|(url, _, said)| (*url, *said)).collect();
        case.finds(query, &found);
    }
    case.asks(&["q1", "q2"]).await;
    let results = case.results().await;
    let numbers: BTreeSet<u64> = results.iter().map(|it| it.1).collect();
    assert_eq!(json!(numbers.len()), case.expected["sources"]);
    let queries: Vec<&String> = results.iter().map(|it| &it.0).collect();
    assert_eq!(json!(queries), case.expected["queries"]);
    let answers: Vec<&String> = results.iter().map(|it| &it.3).collect();
    assert_eq!(json!(answers), case.expected["answers"]);
}

async fn addresses_are_those_listed(case: &Case) {
    let response = case.input["provider_response"].clone();
    case.perplexity.answers("What?", response);
    let answer = case.asks(&["What?"]).await;
    let sources = "SELECT coalesce(jsonb_agg(jsonb_build_object('url', url, 'title', title, 'published', published,
                          'answer', answer) ORDER BY source_no), '[]') FROM research_sources WHERE article_id = $1";
    assert_eq!(case.value::<Value>(sources).await, case.expected["sources"]);
    for dropped in case.expected["dropped"].as_array().unwrap() {
        let reason = dropped["reason"].as_str().unwrap();
        assert_eq!(answer["left_out"][reason], 1, "{answer}");
    }
}

async fn one_question_fails(case: &Case) {
    let queries: Vec<&str> = case.input["queries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    for (query, provider) in queries
        .iter()
        .zip(case.input["provider"].as_array().unwrap())
    {
        let words: Vec<&str> = provider.as_str().unwrap().split(' ').collect();
        let query = format!("question {query}");
        if words[0] == "ok" {
            let count: usize = words[1].parse().unwrap();
            let urls: Vec<String> = (0..count)
                .map(|nth| format!("https://{}.example/{nth}", query.replace(' ', "-")))
                .collect();
            let found: Vec<(&str, &str)> = urls.iter().map(|url| (&**url, "text")).collect();
            case.finds(&query, &found);
        } else {
            // However often it is asked.
            let unwell = Effect::RetryAfter(words[1].parse().unwrap(), 0);
            let unwell = Fault::new(unwell).on(query).times(1000);
            case.perplexity.inject(unwell);
        }
    }
    let asked: Vec<String> = queries.iter().map(|it| format!("question {it}")).collect();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let answer = case.asks(&asked).await;
    let expected = &case.expected;
    let failures = answer["failures"].as_array().unwrap();
    assert_eq!(
        (
            &answer["status"],
            &answer["queries_processed"],
            &json!(failures.len()),
            &answer["sources_added"]
        ),
        (
            &expected["status"],
            &expected["queries_ok"],
            &expected["queries_failed"],
            &expected["sources_added"]
        ),
        "{answer}"
    );
    let error = &expected["errors"][0];
    let query = format!("question {}", error["query"].as_str().unwrap());
    assert_eq!(
        (&failures[0]["query"], &failures[0]["reason"]),
        (&json!(query), &error["error"])
    );
}

async fn none_means_none(case: &Case) {
    case.has(&["https://a.example", "https://b.example"]).await;
    let keep = &case.input["llm"]["source_ids"];
    let said = json!({"judgements": [], "keep": keep}).to_string();
    case.google.says("Judge these", Reply::text(said));
    let kept = case.call(KEEP, json!({})).await;
    assert_eq!(kept["method"], "model", "{kept}");
    let (compiled, document) = case.document("markdown").await;
    assert_eq!(
        compiled["research_results_count"],
        case.expected["research_results"]
    );
    let note = case.expected["note_in_file"].as_str().unwrap();
    assert!(document.contains(note), "{document}");
    assert!(!document.contains("a.example"), "{document}");
    let (_, document) = case.document("json").await;
    assert!(
        document.starts_with("{\"none_passed_selection\":true,"),
        "{document}"
    );
}

async fn no_address_is_invented(case: &Case) {
    let sources = case.input["sources"].as_array().unwrap();
    let urls: Vec<&str> = sources.iter().map(|it| it.as_str().unwrap()).collect();
    case.has(&urls).await;
    case.call(KEEP, json!({"keep": [1, 2]})).await;
    // It is asked for numbers: an address of its own is one that nobody has.
    let selected = case.input["llm"]["selected_urls"].as_array().unwrap();
    let chosen: Vec<Value> = (900..)
        .zip(selected)
        .map(|(invented, url)| {
            let place = sources.iter().position(|it| it == url);
            json!({"reason": "r", "source": place.map_or(invented, |place| place + 1)})
        })
        .collect();
    let said = json!({ "chosen": chosen }).to_string();
    case.google.says("Choose at most", Reply::text(said));
    let answer = case.call(CHOOSE, json!({})).await;
    for field in ["sources_selected", "dropped"] {
        assert_eq!(answer[field], case.expected[field], "{answer}");
    }
}

async fn a_model_fails(case: &Case) {
    case.has(&["https://a.example", "https://b.example"]).await;
    // Longer than anybody waits.
    let unwell = Fault::new(Effect::RetryAfter(503, 600)).times(1000);
    case.google.inject(unwell);
    let answer = case.call(KEEP, json!({})).await;
    for (field, value) in case.expected.as_object().unwrap() {
        assert_eq!(&answer[field], value, "{answer}");
    }
    case.call(KEEP, json!({"keep": [1]})).await;
    let (_, document) = case.document("markdown").await;
    let told = "These sources were ranked without a language model, because Gemini is busy (503";
    assert!(document.contains(told), "{document}");
}

async fn a_page_ends_no_block(case: &Case) {
    let [title, body] = ["title", "body"].map(|field| case.input[field].as_str().unwrap());
    let sources = json!([{"url": title, "answer": body}]);
    case.call("add_sources", json!({"query": "q", "sources": sources}))
        .await;
    let (_, document) = case.document("markdown").await;
    let lines = |wanted: &str| document.lines().filter(|it| *it == wanted).count();
    assert_eq!((lines("<details>"), lines("</details>")), (1, 1));
    assert!(!document.contains("<script"), "{document}");
    let text = document.replace("&lt;", "<");
    assert!(text.contains(body), "{document}");
}

async fn a_fence_ends_with_its_page(case: &Case) {
    let bodies = case.input["sections"].as_array().unwrap();
    let sources: Vec<Value> = (1..)
        .zip(bodies)
        .map(|(nth, body)| json!({"url": format!("https://a.example/{nth}"), "answer": body}))
        .collect();
    case.call("add_sources", json!({"query": "q", "sources": sources}))
        .await;
    let (_, document) = case.document("markdown").await;
    let second = bodies[1].as_str().unwrap();
    let (before, _) = document.split_once(second).unwrap();
    let fences = before.lines().filter(|it| it.starts_with("```")).count();
    assert_eq!(fences, 2, "opened and closed: {document}");
}

async fn files_are_part_of_it(case: &Case) {
    let path = format!("/upload_local_files?article_guideline_id={}", case.article);
    for file in case.input["local_files"].as_array().unwrap() {
        let [name, content] = ["filename", "content"].map(|field| file[field].as_str().unwrap());
        let path = format!("{path}&filename={name}");
        let kind = [("content-type", "text/plain")];
        let uploaded = case
            .system
            .send_as("alice", Method::POST, &path, &kind, content.to_owned())
            .await;
        assert_eq!(uploaded.status, StatusCode::CREATED, "{uploaded:?}");
    }
    let (_, document) = case.document("markdown").await;
    for words in case.expected["contains"].as_array().unwrap() {
        assert!(document.contains(words.as_str().unwrap()), "{document}");
    }
}

async fn one_video_fails(case: &Case) {
    let videos = case.input["videos"].as_array().unwrap();
    let ids: Vec<String> = (0..videos.len())
        .map(|nth| format!("aaaaaaaaaa{nth}"))
        .collect();
    let mut guideline = "# Talks\n\n".to_owned();
    for (id, provider) in ids.iter().zip(videos) {
        writeln!(guideline, "- https://youtu.be/{id}").unwrap();
        case.google.put_video(id, 60);
        let provider = provider.as_str().unwrap();
        if let Some(status) = provider.strip_prefix("HTTP ") {
            let (status, _) = status.split_once(' ').unwrap();
            let unwell = Effect::RetryAfter(status.parse().unwrap(), 0);
            case.google
                .inject(Fault::new(unwell).on(id.clone()).times(1000));
        }
    }
    let article = case.system.upload("alice", guideline).await;
    let extracted = case
        .system
        .tool("alice", "extract_guidelines_urls", article);
    assert_eq!(extracted.await.status, StatusCode::OK);
    let answer = case
        .system
        .tool("alice", "transcribe_youtube_urls", article);
    let answer = answer.await.json();
    for field in ["status", "videos_processed", "videos_failed"] {
        assert_eq!(answer[field], case.expected[field], "{answer}");
    }
    let rows = "SELECT count(*) FROM sources WHERE article_id <> $1";
    assert_eq!(
        json!(case.value::<i64>(rows).await),
        case.expected["rows"],
        "each is kept when it is ready"
    );
}

async fn a_number_out_of_range(case: &Case) {
    let mut arguments = case.input.clone();
    arguments["article_guideline_id"] = json!(case.article);
    let tool = "scrape_and_clean_other_urls";
    let answer = case.system.tool_with("alice", tool, arguments, &[]).await;
    let [from, to] = [0, 1].map(|nth| &case.expected["range"][nth]);
    answer.is_problem(
        StatusCode::BAD_REQUEST,
        &format!("concurrency_limit: must be a whole number from {from} to {to}"),
    );
}

async fn somebody_elses_article(case: &Case) {
    let unknown = Uuid::now_v7();
    for tool in [SEARCH, KEEP, CHOOSE, COMPILE, "extract_guidelines_urls"] {
        let ask = async |article| {
            let mut arguments = json!({ "article_guideline_id": article });
            if tool == SEARCH {
                arguments["queries"] = json!(["q"]);
            }
            case.system.tool_with("bob", tool, arguments, &[]).await
        };
        let (theirs, nobodys) = (ask(case.article).await, ask(unknown).await);
        for answer in [&theirs, &nobodys] {
            answer.is_problem(StatusCode::NOT_FOUND, "");
        }
        let (theirs, nobodys) = (theirs.json(), nobodys.json());
        for field in ["type", "title", "detail"] {
            assert_eq!(theirs[field], nobodys[field], "{tool}");
        }
    }
}
