//! What the program says when something fails: the agent and the log name the same request.

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
    let issuer = Issuer::start().await.unwrap();
    let port = ReservedPort::new().unwrap();
    let server = format!("http://localhost:{}", port.number());
    let program = Command::new(env!("CARGO_BIN_EXE_mcp"))
        .env_clear()
        .envs([
            ("PORT", port.number().to_string()),
            ("SERVER_URL", server.clone()),
            ("OIDC_ISSUER", issuer.url().to_owned()),
            // Nobody is there: every tool fails.
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
    let token = issuer.token("alice", &["research:read"], &server, Duration::from_mins(1));
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "get_usage", "arguments": {}},
    });
    let answer = post(port.number(), &token, &call.to_string()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let id = head
        .lines()
        .find_map(|it| it.strip_prefix("x-request-id: "));
    let id = id.unwrap_or_else(|| panic!("no id in {head}"));
    let told: Value = serde_json::from_str(body).unwrap();
    assert_eq!(told["result"]["isError"], true, "{told}");
    let text = told["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains(id), "{id}: {text}");

    let process = program.id().unwrap().to_string();
    let ended = Command::new("kill")
        .args(["-TERM", &process])
        .status()
        .await;
    assert!(ended.unwrap().success());
    let output = program.wait_with_output().await.unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let failed: Vec<Value> = lines
        .filter(|line| {
            line["message"]
                .as_str()
                .is_some_and(|it| it.starts_with("not available: "))
        })
        .collect();
    assert_eq!(failed.len(), 1, "{log}");
    let labels = &failed[0]["logging.googleapis.com/labels"];
    assert_eq!(labels["request_id"], id, "{log}");
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
