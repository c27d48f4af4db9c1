//! The protocol as its own conformance suite tests it: fixed tools, resources and prompts of the
//! suite's, mounted on the stack that the function answers with.

#![expect(
    clippy::unwrap_used,
    reason = "what is not there fails the test that asked for it"
)]

mod fixtures;
mod rounds;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http_body_util::{BodyExt as _, Collected};
use mcp::stack::Stack;
use nova_runtime::serve::{Answer, Patience, serve};
use tokio::{net::TcpListener, process::Command};

use self::fixtures::Fixtures;

/// Where the suite is installed, and beside it a Node.js that is new enough for it.
fn tools() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Where it is relative, cargo means the root, too.
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let tools = root.join(target).join("tools");
    assert!(
        tools.join("mcp-conformance/installed.txt").exists(),
        "the conformance suite is not installed: run `make mcp-conformance`, a prerequisite of `make test`"
    );
    tools
}

async fn start(fixtures: Fixtures) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("http://{address}").parse().unwrap();
    let stack = Stack::new(&url, move || fixtures);
    let answer: Answer = Arc::new(move |request| {
        let stack = stack.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(Collected::to_bytes);
            let response = stack.answer(parts, body.unwrap_or_default()).await;
            response.map(|body| body.map_err(|never| match never {}).boxed_unsync())
        })
    });
    let never = std::future::pending::<()>();
    tokio::spawn(serve(listener, answer, Patience::default(), never));
    address
}

/// The suite's program, among the tools.
const SUITE: &str = "mcp-conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js";

/// Scenarios that need a session: four in which the server asks the client in the middle of a call,
/// and one that looks at nothing, and warns, where a server has none. What that would look at, several
/// answers at once, the scenario of the same name looks at in the newer protocol, without a session.
const NEED_A_SESSION: [&str; 5] = [
    "server-sse-multiple-streams",
    "tools-call-sampling",
    "tools-call-elicitation",
    "elicitation-sep1034-defaults",
    "elicitation-sep1330-enums",
];

async fn conforms(requirements: &str, fixtures: Fixtures, but_for: &[&str]) {
    let (tools, address) = (tools(), start(fixtures).await);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("conformance-{requirements}"));
    std::fs::create_dir_all(&folder).unwrap();
    let expected = folder.join("expected.yml");
    std::fs::write(&expected, format!("server: [{}]\n", but_for.join(", "))).unwrap();
    let url = format!("http://{address}/mcp");
    let mut program = Command::new(tools.join("node/bin/node"));
    program
        .arg(tools.join(SUITE))
        .args(["server", "--url", &url, "--requirements", requirements])
        .arg("--expected-failures")
        .arg(&expected)
        .current_dir(&folder)
        .kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_mins(3), program.output());
    let output = output.await.expect("within three minutes").unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_of_2026_07_28_is_complete() {
    conforms("2026-07-28", Fixtures::Modern, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_of_2025_11_25_is_complete_but_for_what_needs_a_session() {
    conforms("2025-11-25", Fixtures::Legacy, &NEED_A_SESSION).await;
}
