//! What the program logs: the agent and the log name the same request, and calls of tools can be counted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{process::Stdio, time::Duration};

use nova_testkit::{ReservedPort, issuer::Issuer};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
};

#[tokio::test(flavor = "multi_thread")]
async fn each_line_about_a_tool_names_the_request_that_the_agent_is_told() {
    let Told { id, answer, log } = call("get_usage", json!({})).await;
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains(&id), "{id}: {text}");
    let failed: Vec<&Value> = log
        .iter()
        .filter(|line| {
            line["message"]
                .as_str()
                .is_some_and(|it| it.starts_with("not available: "))
        })
        .collect();
    assert_eq!(failed.len(), 1, "{log:#?}");
    let labels = &failed[0]["logging.googleapis.com/labels"];
    assert_eq!(labels["request_id"], id, "{log:#?}");
}

/// By these lines calls are counted, whoever passes them on (infra/monitoring.tf).
#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_an_agent_calls_has_a_line_as_if_it_were_called_over_http() {
    let arguments = json!({"article_guideline_id": "01890000-0000-7000-8000-000000000000"});
    let Told { id, log, .. } = call("extract_guidelines_urls", arguments).await;
    let path = "/tools/extract_guidelines_urls";
    let calls: Vec<&Value> = log
        .iter()
        .filter(|line| line["httpRequest"]["requestUrl"] == path)
        .collect();
    assert_eq!(calls.len(), 1, "{log:#?}");
    assert_eq!(calls[0]["httpRequest"]["status"], 503);
    assert_eq!(calls[0]["logging.googleapis.com/labels"]["request_id"], id);
}

/// A call that failed, as agent and operator are told of it.
struct Told {
    /// Of the request.
    id: String,
    answer: Value,
    /// Line by line.
    log: Vec<Value>,
}

/// Calls a tool of a program that has no database: every tool fails.
async fn call(tool: &str, arguments: Value) -> Told {
    let issuer = Issuer::start().await.unwrap();
    let port = ReservedPort::new().unwrap();
    let server = format!("http://localhost:{}", port.number());
    let program = Command::new(env!("CARGO_BIN_EXE_mcp"))
        .env_clear()
        .envs([
            ("PORT", port.number().to_string()),
            ("SERVER_URL", server.clone()),
            ("OIDC_ISSUER", issuer.url().to_owned()),
            (
                "DATABASE_URL",
                "postgres://nova@127.0.0.1:1/nova".to_owned(),
            ),
            ("DB_ACQUIRE_TIMEOUT_SECONDS", "1".to_owned()),
            ("BLOB_BUCKET", "files".to_owned()),
            ("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1".to_owned()),
            ("LOG_FORMAT", "json".to_owned()),
        ])
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let scopes = ["research:read", "research:run"];
    let token = issuer.token("alice", &scopes, &server, Duration::from_mins(1));
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    });
    let answer = post(port.number(), &token, &message.to_string()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let id = head
        .lines()
        .find_map(|it| it.strip_prefix("x-request-id: "));
    let id = id.unwrap_or_else(|| panic!("no id in {head}")).to_owned();
    let answer: Value = serde_json::from_str(body).unwrap();
    assert_eq!(answer["result"]["isError"], true, "{answer}");

    let process = program.id().unwrap().to_string();
    let ended = Command::new("kill")
        .args(["-TERM", &process])
        .status()
        .await;
    assert!(ended.unwrap().success());
    let output = program.wait_with_output().await.unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let log = log.lines().map(|line| serde_json::from_str(line).unwrap());
    Told {
        id,
        answer,
        log: log.collect(),
    }
}

/// Sends a message as soon as somebody listens.
async fn post(port: u16, token: &str, message: &str) -> String {
    let mut stream = None;
    for _ in 0..500 {
        stream = TcpStream::connect(("127.0.0.1", port)).await.ok();
        if stream.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut stream = stream.expect("within ten seconds");
    let request = format!(
        "POST /mcp HTTP/1.0\r\nhost: localhost:{port}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
         mcp-protocol-version: 2025-06-18\r\ncontent-length: {}\r\n\r\n{message}",
        message.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
