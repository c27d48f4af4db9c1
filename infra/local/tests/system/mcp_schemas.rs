//! What agents read of a tool is what its schema says.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Stdio,
    sync::LazyLock,
};

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{
    long_tools,
    mcp::{Agent, LEGACY, MODERN},
    mcp_clients::tool,
    system::System,
};

/// What each tool says that it answers.
static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let tools = include_str!("../../../../functions/mcp/assets/tools.json");
    let tools: Vec<Value> = serde_json::from_str(tools).unwrap();
    let named = tools.into_iter().map(|tool| {
        let name = tool["name"].as_str().unwrap().to_owned();
        (name, tool["outputSchema"].clone())
    });
    named.collect()
});

/// Answers of tools, to be held against their schemas.
#[derive(Default)]
pub(crate) struct Answers(Vec<(String, Value)>);

impl Answers {
    /// The result of a call: an answer of which every field is told of, or a failure in words. What
    /// stands for a result that is still to come is not the tool's.
    #[track_caller]
    pub(crate) fn add(&mut self, tool: &str, result: &Value) {
        if let Some("task" | "input_required") = result["resultType"].as_str() {
            return;
        }
        let answer = &result["structuredContent"];
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        if result["isError"] == true {
            assert!(answer.is_null() && !text.is_empty(), "{tool}: {result}");
            return;
        }
        for name in answer.as_object().unwrap().keys() {
            let told = &SCHEMAS[tool]["properties"][name]["description"];
            assert!(
                told.is_string(),
                "{tool}: {name} is nowhere told of: {answer}"
            );
        }
        let said: Value = serde_json::from_str(text).unwrap();
        assert_eq!(said, *answer, "{tool}: for clients that read text only");
        self.0.push((tool.to_owned(), answer.clone()));
    }

    /// Every one is what the schema says, to a program that agents use for the same.
    pub(crate) async fn fit(self) {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/system/mcp_clients/fits.py"
        );
        let mut python = Command::new(tool("mcp-python-client/bin/python"))
            .arg(Path::new(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let asked = json!({"schemas": &*SCHEMAS, "answers": self.0}).to_string();
        let mut input = python.stdin.take().unwrap();
        input.write_all(asked.as_bytes()).await.unwrap();
        drop(input);
        let told = python.wait_with_output().await.unwrap();
        let printed = String::from_utf8(told.stdout).unwrap();
        let complaints = String::from_utf8(told.stderr).unwrap();
        let held = format!("{} fit\n", self.0.len());
        assert_eq!(printed, held, "{complaints}");
    }
}

#[tokio::test]
async fn every_answer_of_a_quick_tool_fits_its_schema() {
    let mut answers = Answers::default();
    for (limit, version) in [("0", LEGACY), ("100", MODERN)] {
        let system = System::start_with(&[("MONTHLY_TOOL_CALL_LIMIT", limit)], false).await;
        let alice = Agent::new(&system, "alice", version);
        let mut call = async |tool: &str, arguments: Value| {
            let result = alice.call(tool, arguments).await;
            answers.add(tool, &result);
            result["structuredContent"].clone()
        };
        call("upload_article_guideline", json!({})).await;
        call("request_upload", json!({})).await;
        let guideline = "No heading: `a.py`, https://arxiv.org/abs/2404.13501, http://10.0.0.1/x\n";
        let uploaded = call("upload_article_guideline", json!({"content": guideline})).await;
        let id = &uploaded["article_guideline_id"];
        let article = json!({"article_guideline_id": id});
        let file = json!({"article_guideline_id": id, "filename": "a.py", "size_bytes": 7});
        call("request_upload", file).await;
        call("get_article", article.clone()).await;
        call("extract_guidelines_urls", article.clone()).await;
        let source = |url| json!({"url": url, "answer": "An answer."});
        let sources = [
            source("https://docs.example/a"),
            source("https://docs.example/b"),
        ];
        let found = json!({"article_guideline_id": id, "query": "What?", "sources": sources});
        for _once_and_again in 0..2 {
            call("add_sources", found.clone()).await;
        }
        for format in ["markdown", "json", "bibtex"] {
            let compiled = json!({"article_guideline_id": id, "format": format});
            call("create_research_file", compiled).await;
        }
        call("get_article", article.clone()).await;
        system.upload("alice", "# Another").await;
        call("list_articles", json!({})).await;
        call("list_articles", json!({"limit": 1})).await;
        call("get_usage", json!({})).await;
        call("delete_article", article.clone()).await;
        call("get_article", article).await;
    }
    let quick = answers.0.iter().map(|(tool, _)| tool.clone());
    let long = long_tools::names().map(str::to_owned);
    let called: BTreeSet<String> = quick.chain(long).collect();
    let all: BTreeSet<String> = SCHEMAS.keys().cloned().collect();
    assert_eq!(
        called, all,
        "left: tools that are called, right: those there are"
    );
    answers.fit().await;
}
