//! Bodies that are small as texts and large in memory are refused before anything is made of them.
//! Alone in its process, because the process is what is measured.

use std::time::Duration;

use futures_util::future::join_all;
use http::{Request, StatusCode, header};
use nova_runtime::{Config, Dispatcher, Environment, body::full};
use nova_testkit::{issuer::Issuer, usage::peak_mib};

const SERVER_URL: &str = "http://nova.test";
/// Requests that an instance takes at once.
const AT_ONCE: usize = 40;

/// A call of a tool with one argument, of the largest size that is read.
fn message(tool: &str, argument: &str, piece: &str) -> String {
    let (open, close) = if piece.ends_with(',') {
        ("[", "0]")
    } else {
        ("\"", "\"")
    };
    // With room for what is around it.
    let values = piece.repeat(((4 << 20) - 300) / piece.len());
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"{argument}":{open}{values}{close}}}}}}}"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_bodies_at_once_that_would_need_much_memory_are_refused() {
    let issuer = Issuer::start().await.unwrap();
    let environment = Environment::from([
        ("SERVER_URL", SERVER_URL),
        ("OIDC_ISSUER", issuer.url()),
        // Nobody is there, and nobody is asked.
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
        ("BLOB_BUCKET", "files"),
        ("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1"),
    ]);
    let config = Config::read(&environment).unwrap();
    let (app, routes) = mcp::FUNCTION.set_up(config).unwrap().unwrap();
    let dispatcher = Dispatcher::new().with(&app, &routes);
    let token = issuer.token(
        "alice",
        &["research:read"],
        SERVER_URL,
        Duration::from_mins(10),
    );
    let ask = async |body: String| {
        let request = Request::post("/mcp")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::HOST, "nova.test")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-06-18");
        let response = dispatcher.answer(request.body(full(body)).unwrap()).await;
        response.status()
    };
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    assert_eq!(ask(list.to_owned()).await, StatusCode::OK);

    let before = peak_mib(std::process::id());
    for piece in [r#"{"":0},"#, "[],", "0,", "x"] {
        let body = message("get_usage", "x", piece);
        let answers = (0..AT_ONCE).map(|_| ask(body.clone()));
        for status in join_all(answers).await {
            assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{piece}");
        }
    }
    // The one tool that takes content needs more than the right to look.
    let upload = message("upload_article_guideline", "content", "x");
    assert_eq!(ask(upload).await, StatusCode::FORBIDDEN);
    if let (Some(before), Some(after)) = (before, peak_mib(std::process::id())) {
        let grown = after - before;
        println!("the peak grew by {grown:.0} MiB");
        // The bodies of one round, and a few of the next.
        assert!(grown < 200.0, "the peak grew by {grown:.0} MiB");
    }
}
