//! The protocol as its own conformance suite tests it: fixed tools, resources and prompts of the
//! suite's, mounted on the stack that the function answers with.

#![expect(
    clippy::unwrap_used,
    reason = "what is not there fails the test that asked for it"
)]

mod fixtures;
mod rounds;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Output,
    sync::Arc,
    time::Duration,
};

use http::HeaderValue;
use http_body_util::{BodyExt as _, Collected};
use mcp::stack::Stack;
use nova_runtime::serve::{Answer, Patience, serve};
use serde_json::Value;
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

/// A server of the suite's, on our stack; its address. It gives each client the same session, where
/// there is one, and knows nothing of it.
async fn start(fixtures: Fixtures, session: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let stack = Stack::new(&origin.parse().unwrap(), move || fixtures);
    let answer: Answer = Arc::new(move |request| {
        let stack = stack.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(Collected::to_bytes);
            let mut response = stack.answer(parts, body.unwrap_or_default()).await;
            if let Some(session) = session {
                let session = HeaderValue::from_static(session);
                response.headers_mut().insert("mcp-session-id", session);
            }
            response.map(|body| body.map_err(|never| match never {}).boxed_unsync())
        })
    });
    let never = std::future::pending::<()>();
    tokio::spawn(serve(listener, answer, Patience::default(), never));
    format!("{origin}/mcp")
}

/// The suite's program, among the tools.
const SUITE: &str = "mcp-conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js";

/// Scenarios in which the server asks the client in the middle of a call, which needs a session.
const ASK_THE_CLIENT: [&str; 4] = [
    "elicitation-sep1034-defaults",
    "elicitation-sep1330-enums",
    "tools-call-elicitation",
    "tools-call-sampling",
];

/// Asks for answers to several requests at once, and warns instead where a server names no session:
/// it passes by the suite's verdict, and looks at nothing. The test below has it look.
const SEVERAL_AT_ONCE: &str = "server-sse-multiple-streams";

/// What the suite has to say.
struct Told {
    output: Output,
    /// The checks of each scenario, with their status.
    checks: BTreeMap<String, Vec<Value>>,
}

impl Told {
    /// Scenarios that count for the verdict, and their checks.
    fn counted(&self) -> impl Iterator<Item = (&str, &[Value])> {
        let printed = String::from_utf8_lossy(&self.output.stdout);
        let others = printed.split("Not scored for").nth(1);
        let others = others.unwrap_or_default().to_owned();
        let all = self
            .checks
            .iter()
            .map(|(name, checks)| (&**name, &**checks));
        all.filter(move |(name, _)| !others.contains(&format!(" {name} (")))
    }

    /// Those that have a check of this status.
    fn with(&self, status: &str) -> BTreeSet<&str> {
        let has = |checks: &[Value]| checks.iter().any(|check| check["status"] == status);
        let found = self.counted().filter(|(_, checks)| has(checks));
        found.map(|(name, _)| name).collect()
    }

    fn printed(&self) -> String {
        let Output { stdout, stderr, .. } = &self.output;
        format!(
            "{}{}",
            String::from_utf8_lossy(stdout),
            String::from_utf8_lossy(stderr)
        )
    }
}

/// Has the suite judge a server; `name` is the folder in which it writes what it found.
async fn judge(url: &str, name: &str, what: &[&str]) -> Told {
    let tools = tools();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(std::fs::remove_dir_all(&folder)); // what it found before
    std::fs::create_dir_all(&folder).unwrap();
    let mut program = Command::new(tools.join("node/bin/node"));
    program
        .arg(tools.join(SUITE))
        .args(["server", "--url", url])
        .args(what)
        .arg("--output-dir")
        .arg(&folder)
        .current_dir(&folder)
        .kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_mins(3), program.output());
    let output = output.await.expect("within three minutes").unwrap();
    let mut checks = BTreeMap::new();
    for found in std::fs::read_dir(&folder).unwrap() {
        let found = found.unwrap();
        let text = std::fs::read_to_string(found.path().join("checks.json")).unwrap();
        let name = found.file_name().into_string().unwrap();
        let scenario = name.strip_prefix("server-").unwrap();
        let time = "-2026-11-28T00-00-00-000Z";
        let (scenario, _) = scenario.split_at(scenario.len() - time.len());
        checks.insert(scenario.to_owned(), serde_json::from_str(&text).unwrap());
    }
    Told { output, checks }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_of_2026_07_28_is_complete() {
    let url = start(Fixtures::Modern, None).await;
    let told = judge(&url, "2026", &["--requirements", "2026-07-28"]).await;
    let printed = told.printed();
    assert!(told.output.status.success(), "{printed}");
    assert_eq!(told.counted().count(), 37, "{printed}");
    for status in ["FAILURE", "WARNING"] {
        assert_eq!(told.with(status), BTreeSet::new(), "{status}: {printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_of_2025_11_25_is_complete_but_for_what_needs_a_session() {
    let url = start(Fixtures::Legacy, None).await;
    let told = judge(&url, "2025", &["--requirements", "2025-11-25"]).await;
    let printed = told.printed();
    assert_eq!(told.counted().count(), 30, "{printed}");
    assert_eq!(told.with("FAILURE"), ASK_THE_CLIENT.into(), "{printed}");
    assert_eq!(told.with("WARNING"), [SEVERAL_AT_ONCE].into(), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_requests_at_once_are_answered_in_2025_11_25_whatever_session_a_client_names() {
    let url = start(Fixtures::Legacy, Some("nobody-keeps-it")).await;
    let what = [
        "--scenario",
        SEVERAL_AT_ONCE,
        "--spec-version",
        "2025-11-25",
    ];
    let told = judge(&url, "several", &what).await;
    let printed = told.printed();
    assert!(told.output.status.success(), "{printed}");
    let checks = &told.checks[SEVERAL_AT_ONCE];
    let accepts = checks
        .iter()
        .find(|it| it["id"] == "server-accepts-multiple-post-streams");
    assert_eq!(accepts.unwrap()["status"], "SUCCESS", "{printed}");
    assert_eq!(told.with("WARNING"), BTreeSet::new(), "{printed}");
}
