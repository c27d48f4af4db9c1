//! Clients that other people wrote, each in both eras of the protocol: with a token, and by signing in.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use http::StatusCode;
use nova_testkit::ReservedPort;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    net::TcpStream,
    process::Command,
};

use crate::system::System;

const MODERN: &str = "2026-07-28";
/// The address of a program's description, by which it may call itself.
const DESCRIBED: &str = "https://agent.example/client.json";

/// How somebody is known to a program.
#[derive(Clone, Copy, Debug)]
enum By {
    Token,
    /// A program that registers itself.
    Registration,
    /// A program that names where it is described.
    Description,
}

const EACH: [By; 3] = [By::Token, By::Registration, By::Description];

/// Where `make test` installs other people's programs.
pub(crate) fn tool(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Where it is relative, cargo means the root, too.
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let path = root.join(target).join("tools").join(path);
    assert!(
        path.exists(),
        "{} is not there: `make mcp-python-client mcp-node-clients`, prerequisites of `make test`, \
         bring it",
        path.display()
    );
    path
}

fn script(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/system/mcp_clients");
    Path::new(folder).join(name)
}

/// Runs a client that knows Alice so; what it prints. Where it asks her to sign in, she does.
async fn run(system: &System, mut client: Command, by: By) -> String {
    match by {
        By::Token => client.env("TOKEN", system.token("alice")),
        By::Registration => client.env_remove("CLIENT_ID"),
        By::Description => client.env("CLIENT_ID", DESCRIBED),
    };
    client
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = client.spawn().unwrap();
    let (output, complaints) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let ended = async {
        let told = tokio::join!(
            watch(system, output, by),
            watch(system, complaints, by),
            child.wait()
        );
        (told.0, told.1, told.2.unwrap())
    };
    let ended = tokio::time::timeout(Duration::from_mins(1), ended).await;
    let ((printed, visits), (complaints, more_visits), status) = ended.expect("within a minute");
    assert!(status.success(), "{by:?}: {printed}{complaints}");
    let signed_in = visits + more_visits > 0;
    assert_eq!(signed_in, !matches!(by, By::Token), "{complaints}");
    printed
}

/// Reads what a client prints; Alice signs in as often as it asks for it, and uploads what it asks for.
async fn watch(system: &System, from: impl AsyncRead + Unpin, by: By) -> (String, usize) {
    let page = format!("{}/oidc/authorize?", system.local.url);
    let upload = format!("{}/upload_article_guideline?grant=", system.local.url);
    let (mut printed, mut visits) = (String::new(), 0);
    let mut lines = BufReader::new(from).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(address) = line.split(' ').find(|word| word.starts_with(&page)) {
            sign_in(system, address, by).await;
            visits += 1;
        }
        if let Some(address) = line.split(' ').find(|word| word.starts_with(&upload)) {
            upload_at(system, address).await;
        }
        printed += &line;
        printed += "\n";
    }
    (printed, visits)
}

fn json(printed: &str) -> Value {
    serde_json::from_str(printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// What Alice does in her browser.
async fn sign_in(system: &System, address: &str, by: By) {
    for asked in ["code_challenge_method=S256", "resource=", "%2Fmcp"] {
        assert!(address.contains(asked), "{asked}: {address}");
    }
    let described = address.contains("client_id=https%3A%2F%2Fagent.example%2Fclient.json");
    assert_eq!(described, matches!(by, By::Description), "{address}");
    let (page, query) = address.split_once('?').unwrap();
    let shown = system.get_address(address).await;
    assert_eq!(shown.status, StatusCode::OK, "{shown:?}");
    // The form carries what the address did.
    let form = format!("{query}&user=alice");
    let path = page.strip_prefix(&system.local.url).unwrap();
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let sent = system.send(http::Method::POST, path, &kind, form).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{sent:?}");
    let back = sent.header("location");
    // Some ask first and open their door then; people are slower than that.
    let port = back.parse::<http::Uri>().unwrap().port_u16().unwrap();
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let back = system.get_address(back).await;
    assert!(back.status.is_success(), "{back:?}");
}

/// She takes a moment to find the file, while her client is back and waits.
async fn upload_at(system: &System, address: &str) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let path = address.strip_prefix(&system.local.url).unwrap();
    let markdown = [("content-type", "text/markdown")];
    let taken = system.send_as("alice", http::Method::POST, path, &markdown, "# Hers");
    let taken = taken.await;
    assert_eq!(taken.status, StatusCode::CREATED, "{taken:?}");
}

/// What each of the scripts reads of the workflow.
fn read() -> Value {
    json!({"tools": 17, "web_sources_count": 1, "document": "# Research", "prompt": "Research"})
}

/// Python's, which validates every answer against the protocol's schema and ours, and fastmcp's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_of_python_run_the_workflow() {
    let system = System::start().await;
    let url = format!("{}/mcp", system.local.url);
    for (name, mode, by) in [
        ("python.py", "auto", By::Token),
        ("python.py", "legacy", By::Token),
        ("python.py", MODERN, By::Token),
        ("python.py", "auto", By::Registration),
        ("python.py", "legacy", By::Description),
        ("fast.py", "auto", By::Token),
        ("fast.py", "legacy", By::Token),
        ("fast.py", "auto", By::Registration),
        ("fast.py", "auto", By::Description),
    ] {
        let mut client = Command::new(tool("mcp-python-client/bin/python"));
        client.arg(script(name)).args([url.as_str(), mode]);
        let told = json(&run(&system, client, by).await);
        assert_eq!(told, read(), "{name} {mode} {by:?}");
    }
    let articles = system.get("alice", "/articles").await.json();
    let count = articles["articles"].as_array().unwrap().len();
    assert_eq!(count, 9, "each of them did it in her name");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_of_typescript_runs_the_workflow() {
    let system = System::start().await;
    let url = format!("{}/mcp", system.local.url);
    let package = "mcp-node-clients/node_modules/@modelcontextprotocol/client/dist/index.mjs";
    let client = |url: &str, mode| {
        let mut client = Command::new(tool("node/bin/node"));
        client
            .arg(script("typescript.mjs"))
            .args([url, mode])
            .arg(tool(package).canonicalize().unwrap());
        client
    };
    for mode in ["legacy", "auto", MODERN] {
        for by in EACH {
            let told = json(&run(&system, client(&url, mode), by).await);
            assert_eq!(told, read(), "{mode} {by:?}");
        }
    }
    // People write the other name of this machine, and programs compare addresses letter by letter.
    let localhost = url.replace("127.0.0.1", "localhost");
    assert_ne!(localhost, url);
    let told = run(&system, client(&localhost, "auto"), By::Registration).await;
    assert_eq!(json(&told), read());
}

/// Where a client can open an address its user uploads there, and the tool answers when that is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_that_open_addresses_have_their_user_upload_the_guideline() {
    let system = System::start().await;
    let url = format!("{}/mcp", system.local.url);
    let package = "mcp-node-clients/node_modules/@modelcontextprotocol/client/dist/index.mjs";
    let mut typescript = Command::new(tool("node/bin/node"));
    typescript
        .arg(script("opening.mjs"))
        .arg(&url)
        .arg(tool(package).canonicalize().unwrap());
    let python = |which| {
        let mut client = Command::new(tool("mcp-python-client/bin/python"));
        client.arg(script("opening.py")).args([url.as_str(), which]);
        client
    };
    for client in [python("official"), python("fastmcp"), typescript] {
        let name = format!("{client:?}");
        let told = json(&run(&system, client, By::Token).await);
        assert_eq!(told["title"], "Hers", "{name}: {told}");
        let article = told["article_guideline_id"].as_str().unwrap();
        let shown = system.get("alice", &format!("/articles/{article}")).await;
        assert_eq!(shown.status, StatusCode::OK, "{name}: {told}");
    }
}

/// With `--strict`, which fails where a schema is not understood by every client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inspector_lists_and_calls_and_finds_no_fault_with_the_schemas() {
    let system = System::start().await;
    let url = format!("{}/mcp", system.local.url);
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("inspector");
    let port = ReservedPort::new().unwrap();
    let callback = format!("http://127.0.0.1:{}/oauth/callback", port.number());
    let program = "mcp-node-clients/node_modules/@modelcontextprotocol/inspector/clients/cli/build";
    for era in ["legacy", "modern"] {
        for by in EACH {
            drop(std::fs::remove_dir_all(&home)); // what an earlier one signed in as
            std::fs::create_dir_all(&home).unwrap();
            let inspector = |method: &[&str]| {
                let mut client = Command::new(tool("node/bin/node"));
                client
                    .arg(tool(program).join("index.js"))
                    .args(["--server-url", &url, "--transport", "http"])
                    .args(["--protocol-era", era, "--format", "json"])
                    .args(["--callback-url", &callback])
                    .args(method)
                    // It prints where to sign in, though no terminal is there.
                    .env("MCP_AUTO_OPEN_ENABLED", "true")
                    .env("MCP_INSPECTOR_SECRET_STORE", "file")
                    .env("HOME", &home);
                match by {
                    By::Token => {
                        let bearer = format!("Authorization: Bearer {}", system.token("alice"));
                        client.args(["--header", &bearer]);
                    }
                    By::Registration => {}
                    By::Description => {
                        client.args(["--client-metadata-url", DESCRIBED]);
                    }
                }
                client
            };
            let list = inspector(&["--method", "tools/list", "--strict"]);
            let listed = json(&run(&system, list, by).await);
            let tools = listed["result"]["tools"].as_array().unwrap();
            assert_eq!(tools.len(), 17, "{listed}");
            // Signed in once is signed in.
            let again = ["--method", "tools/call", "--tool-name", "get_usage"];
            let called = json(&run(&system, inspector(&again), By::Token).await);
            let used = &called["result"]["structuredContent"]["used"];
            assert_eq!(*used, 0, "{called}");
        }
    }
}

/// The suite's other half: what a client may expect of who signs its tokens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_issuer_conforms_as_an_authorization_server() {
    let system = System::start().await;
    let suite = "mcp-conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js";
    let port = ReservedPort::new().unwrap();
    let mut client = Command::new(tool("node/bin/node"));
    client
        .arg(tool(suite))
        .args(["authorization", "--client-id", "nova"])
        .args(["--url", system.local.issuer.url()])
        .args(["--resource", &format!("{}/mcp", system.local.url)])
        .args(["--port", &port.number().to_string()]);
    let told = run(&system, client, By::Registration).await;
    for passes in [
        "✓ authorization-server-metadata-endpoint: 2 passed, 0 failed",
        "✓ authorization-code-grant: 1 passed, 0 failed",
        "Total: 3 passed, 0 failed",
    ] {
        assert!(told.contains(passes), "{passes}: {told}");
    }
}
