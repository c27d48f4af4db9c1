//! Agents, and programs that are none, which get the protocol wrong.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    mcp::{Agent, LEGACY, MODERN},
    system::{Answer, System},
};

/// Bytes as they are.
async fn post(system: &System, body: impl Into<Vec<u8>>, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![
        ("content-type", "application/json; charset=utf-8"),
        ("accept", "application/json, text/event-stream"),
    ];
    all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
    all.extend_from_slice(headers);
    system
        .send_as("alice", Method::POST, "/mcp", &all, body.into())
        .await
}

#[tokio::test]
async fn what_is_no_message_is_refused_in_the_words_of_json_rpc() {
    let system = System::start().await;
    let deep = "[".repeat(5_000);
    for (body, code, id, words) in [
        (&b""[..], -32700, Value::Null, "not JSON"),
        (
            b"{\"jsonrpc\": \"2.0\", \"method\"",
            -32700,
            Value::Null,
            "not JSON",
        ),
        (b"{\"jsonrpc\": \"\xff\"}", -32700, Value::Null, "not JSON"),
        (deep.as_bytes(), -32700, Value::Null, "not JSON"),
        (
            br#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#,
            -32600,
            Value::Null,
            "Batches are not taken",
        ),
        (
            br#"{"id":1,"method":"tools/list"}"#,
            -32600,
            json!(1),
            "`jsonrpc`",
        ),
        (
            br#"{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}"#,
            -32600,
            Value::Null,
            "`id`",
        ),
        (
            br#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#,
            -32600,
            Value::Null,
            "`id`",
        ),
        (
            br#"{"jsonrpc":"2.0","id":"a","method":"tools/list","params":[1]}"#,
            -32600,
            json!("a"),
            "`params`",
        ),
    ] {
        let answer = post(&system, body, &[]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
        assert_eq!(answer.header("content-type"), "application/json");
        let told = answer.json();
        assert_eq!(told["error"]["code"], code, "{told}");
        assert_eq!(told["id"], id, "{told}");
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{told}");
    }
}

#[tokio::test]
async fn what_http_says_of_a_message_is_believed_and_checked() {
    let system = System::start().await;
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    for (header, value, status) in [
        (
            "content-type",
            "text/plain",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        ("accept", "application/json", StatusCode::NOT_ACCEPTABLE),
        (
            "mcp-protocol-version",
            "1999-01-01",
            StatusCode::BAD_REQUEST,
        ),
        // The newer protocol says in each message who speaks it.
        ("mcp-protocol-version", MODERN, StatusCode::BAD_REQUEST),
        ("mcp-protocol-version", LEGACY, StatusCode::OK),
    ] {
        let answer = post(&system, list, &[(header, value)]).await;
        assert_eq!(answer.status, status, "{header}: {value}: {answer:?}");
    }
    // What is no question has no answer; an answer was never asked for.
    let notice = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let taken = post(&system, notice, &[]).await;
    assert_eq!(
        (taken.status, &*taken.body),
        (StatusCode::ACCEPTED, &b""[..])
    );
    let unasked = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let refused = post(&system, unasked, &[]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{refused:?}");
}

#[tokio::test]
async fn a_method_that_is_not_there_and_one_that_is_asked_wrongly_are_told_apart() {
    let system = System::start().await;
    for version in [LEGACY, MODERN] {
        let alice = Agent::new(&system, "alice", version);
        for (method, params, code, words) in [
            ("tools/drop", json!({}), -32601, "no method \"tools/drop\""),
            ("notifications/initialized", json!({}), -32601, "no method"),
            ("tools/call", json!({}), -32602, "missing field `name`"),
            (
                "tools/call",
                json!({"name": "get_usage", "arguments": []}),
                -32602,
                "expected a map",
            ),
            ("resources/read", json!({}), -32602, "missing field `uri`"),
            ("prompts/get", json!({}), -32602, "missing field `name`"),
            (
                "completion/complete",
                json!({"argument": {"name": "id", "value": ""}}),
                -32602,
                "missing field `ref`",
            ),
        ] {
            let refused = alice.refusal(method, params).await;
            assert_eq!(refused["code"], code, "{version}, {method}: {refused}");
            let message = refused["message"].as_str().unwrap();
            assert!(message.contains(words), "{version}, {method}: {message}");
        }
    }
}

#[tokio::test]
async fn an_old_client_that_asks_for_a_version_without_its_handshake_gets_one_with_it() {
    let system = System::start().await;
    for asked in [MODERN, "2024-01-01", "next"] {
        let params = json!({"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
        let told = post(&system, message.to_string(), &[]).await.json();
        assert_eq!(
            told["result"]["protocolVersion"], "2025-11-25",
            "{asked}: {told}"
        );
    }
}

#[tokio::test]
async fn cursors_that_nobody_gave_lead_nowhere() {
    let system = System::start().await;
    let id = Uuid::now_v7();
    let before_all_years = format!("-377705116800000000.{id}");
    let after_all_years = format!("9223372036854775807.{id}");
    let alice = Agent::new(&system, "alice", MODERN);
    for method in [
        "tools/list",
        "prompts/list",
        "resources/templates/list",
        "resources/list",
    ] {
        for cursor in ["", "x", "\0", &before_all_years, &after_all_years] {
            let refused = alice.refusal(method, json!({"cursor": cursor})).await;
            assert_eq!(refused["code"], -32602, "{method}, {cursor:?}: {refused}");
        }
    }
    for cursor in [&before_all_years, &after_all_years] {
        let listed = alice.call("list_articles", json!({"cursor": cursor})).await;
        let text = listed["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("cursor: "), "{text}");
    }
    // Somebody else's is a place in one's own list.
    for number in 0..2 {
        system.upload("alice", format!("# Alice's {number}")).await;
    }
    system.upload("bob", "# Bob's").await;
    let page = alice.call("list_articles", json!({"limit": 1})).await;
    let cursor = &page["structuredContent"]["next"];
    assert!(cursor.is_string(), "{page}");
    let bob = Agent::new(&system, "bob", MODERN);
    let listed = bob.ask("resources/list", json!({"cursor": cursor})).await;
    assert!(!listed.to_string().contains("Alice"), "{listed}");
}

#[tokio::test]
async fn addresses_that_lead_nowhere_are_not_found_whatever_they_look_like() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let alice = Agent::new(&system, "alice", LEGACY);
    let long = "x".repeat(100_000);
    let own = |rest: &str| format!("article://{article}{rest}");
    for uri in [
        String::new(),
        "article://".to_owned(),
        "article:///guideline.md".to_owned(),
        "article://../../etc/passwd".to_owned(),
        "file:///etc/passwd".to_owned(),
        "https://localhost/".to_owned(),
        "system://status/".to_owned(),
        "SYSTEM://STATUS".to_owned(),
        "articles://recent?user=bob".to_owned(),
        own("/"),
        own("/guideline.md/"),
        own("/guideline.md?x"),
        own("/guideline.md\0"),
        own("/research.md"),
        own("/sources/0"),
        own("/sources/1"),
        own("/sources/-1"),
        own("/sources/18446744073709551615"),
        own("/sources/18446744073709551616"),
        own("/../guideline.md"),
        own(&long),
    ] {
        let refused = alice.refusal("resources/read", json!({"uri": uri})).await;
        assert_eq!(refused["code"], -32002, "{uri:.100}: {refused}");
    }
}

/// What no row can hold, and what is no text at all, is the caller's mistake and told as one.
#[tokio::test]
async fn odd_arguments_are_the_callers_mistake_and_never_ours() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let alice = Agent::new(&system, "alice", MODERN);
    let source = |url: &str, title: &str, answer: &str| json!({"url": url, "title": title, "answer": answer});
    let url = "https://docs.example/a";
    let add = |query: &str, source: Value| json!({"article_guideline_id": article, "query": query, "sources": [source]});
    for (tool, arguments) in [
        ("upload_article_guideline", json!({"content": "# a\0b"})),
        ("upload_article_guideline", json!({"content": {"a": 1}})),
        (
            "request_upload",
            json!({"article_guideline_id": article, "filename": "a\0.md"}),
        ),
        (
            "request_upload",
            json!({"article_guideline_id": article, "filename": "..", "size_bytes": -1}),
        ),
        ("get_article", json!({"article_guideline_id": "\0"})),
        ("get_article", json!({"article_guideline_id": ["x"]})),
        ("delete_article", json!({"article_guideline_id": null})),
        ("list_articles", json!({"limit": 1e300})),
        ("list_articles", json!({"limit": {"$gt": 0}})),
        ("add_sources", add("q\0", source(url, "t", "a"))),
        (
            "add_sources",
            add("q", source("javascript:alert(1)", "t", "a")),
        ),
        (
            "run_perplexity_research",
            json!({"article_guideline_id": article, "queries": ["a\0b"]}),
        ),
        (
            "run_perplexity_research",
            json!({"article_guideline_id": article, "queries": [""]}),
        ),
        (
            "run_perplexity_research",
            json!({"article_guideline_id": article, "queries": "q"}),
        ),
        (
            "generate_next_queries",
            json!({"article_guideline_id": article, "n_queries": -1}),
        ),
        (
            "generate_next_queries",
            json!({"article_guideline_id": article, "n_queries": 1e18}),
        ),
        (
            "select_research_sources_to_keep",
            json!({"article_guideline_id": article, "keep": [-1]}),
        ),
        (
            "select_research_sources_to_keep",
            json!({"article_guideline_id": article, "keep": [18_446_744_073_709_551_615_u64]}),
        ),
        (
            "select_research_sources_to_scrape",
            json!({"article_guideline_id": article, "max_sources": 0}),
        ),
        (
            "create_research_file",
            json!({"article_guideline_id": article, "format": "\0"}),
        ),
        ("get_usage", json!({"user": "bob"})),
    ] {
        let told = alice.call(tool, arguments.clone()).await;
        assert_eq!(told["isError"], true, "{tool} {arguments}: {told}");
        let text = told["content"][0]["text"].as_str().unwrap();
        assert!(!text.contains("Quote "), "{tool} {arguments}: {text}");
    }
}

/// A whole number with a point is an integer to JSON Schema, and what some clients send.
#[tokio::test]
async fn a_whole_number_may_be_written_with_a_point() {
    let system = System::start().await;
    let article = system.upload("alice", "# One\n\nVector stores.").await;
    let alice = Agent::new(&system, "alice", MODERN);
    for (tool, arguments, is_refused) in [
        ("list_articles", json!({"limit": 5.0}), false),
        ("list_articles", json!({"limit": 5.5}), true),
        ("request_upload", json!({"size_bytes": 5.0}), false),
        ("request_upload", json!({"size_bytes": 5.5}), true),
        (
            "generate_next_queries",
            json!({"article_guideline_id": article, "n_queries": 5.0}),
            false,
        ),
    ] {
        let told = alice.call(tool, arguments.clone()).await;
        assert_eq!(told["isError"], is_refused, "{tool} {arguments}: {told}");
    }
}

#[tokio::test]
async fn a_patience_that_is_no_number_is_told() {
    let system = System::start().await;
    let article = system.upload("alice", "# One").await;
    let alice = Agent::new(&system, "alice", MODERN);
    let params =
        json!({"name": "generate_next_queries", "arguments": {"article_guideline_id": article}});
    let impatient = [("x-nova-max-wait", "soon")];
    let told = alice.send("tools/call", params, &impatient).await.json();
    let text = told["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("X-Nova-Max-Wait: "), "{told}");
    let used = alice.call("get_usage", json!({})).await;
    assert_eq!(used["structuredContent"]["used"], 0, "{used}");
}

/// As for tools: whoever reads the message can quote what the log has, and reads nothing else of it.
#[tokio::test]
async fn a_fault_of_ours_is_told_with_the_id_to_quote() {
    let system = System::start().await;
    let alice = Agent::new(&system, "alice", MODERN);
    let gone = sqlx::query("ALTER TABLE articles RENAME TO mislaid");
    gone.execute(&system.database.pool()).await.unwrap();
    let answer = alice.send("resources/list", json!({}), &[]).await;
    let error = &answer.json()["error"];
    assert_eq!(error["code"], -32603, "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(answer.header("x-request-id")), "{message}");
    assert!(!message.contains("articles"), "{message}");
}
