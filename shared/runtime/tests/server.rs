//! The server as a client meets it: protocols, limits, problem documents, the orderly end.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, StatusCode, Version, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use nova_runtime::{
    Access, App, Call, Config, ConfigError, Dispatcher, Environment, Function, Problem, Response,
    Routes,
    body::full,
    json,
    serve::{Patience, serve},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

const FUNCTION: Function = Function::service("sample", "A sample.", set_up);

fn set_up(_app: &Arc<App>) -> Result<Routes, ConfigError> {
    Ok(Routes::new()
        .get(
            "/hello",
            Access::Public,
            async |_call: Call| -> Result<Response, Problem> { Ok(Response::new(full("hello"))) },
        )
        .get(
            "/panic",
            Access::Public,
            async |_call: Call| -> Result<Response, Problem> { panic!("on purpose") },
        )
        .get(
            "/slow",
            Access::Public,
            async |_call: Call| -> Result<Response, Problem> {
                tokio::time::sleep(Duration::from_millis(300)).await;
                Ok(Response::new(full("done")))
            },
        )
        .post(
            "/echo",
            Access::Public,
            async |mut call: Call| -> Result<Response, Problem> {
                Ok(Response::new(full(call.bytes(1000).await?)))
            },
        )
        .post(
            "/json",
            Access::Public,
            async |mut call: Call| -> Result<Response, Problem> {
                let value: serde_json::Value = call.json(1000).await?;
                Ok(json(StatusCode::OK, &value))
            },
        ))
}

struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<usize>,
}

impl Server {
    async fn start(patience: Patience) -> Self {
        let config = Config::read(&Environment::default()).unwrap();
        let (app, routes) = FUNCTION.set_up(config).unwrap().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let answer = Dispatcher::new().with(&app, &routes).into_answer();
        let served = tokio::spawn(serve(listener, answer, patience, async move {
            drop(stopped.await);
        }));
        Self {
            address,
            stop: Some(stop),
            served,
        }
    }

    async fn send(
        &self,
        client: &Client<HttpConnector, Full<Bytes>>,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> http::Response<Bytes> {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .body(Full::new(body.into()))
            .unwrap();
        let (parts, body) = client.request(request).await.unwrap().into_parts();
        http::Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }
}

fn client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

fn problem(response: &http::Response<Bytes>) -> serde_json::Value {
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "application/problem+json"
    );
    let document: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(document["status"], response.status().as_u16());
    assert_eq!(
        document["request_id"],
        response.headers()["x-request-id"].to_str().unwrap()
    );
    document
}

#[tokio::test]
async fn http1_and_h2c_are_answered_on_one_port() {
    let server = Server::start(Patience::default()).await;
    let h2 = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    for (client, version) in [(client(), Version::HTTP_11), (h2, Version::HTTP_2)] {
        let response = server.send(&client, Method::GET, "/hello", "").await;
        assert_eq!(
            (response.status(), response.version()),
            (StatusCode::OK, version)
        );
        assert_eq!(response.body(), "hello");
    }
}

#[tokio::test]
async fn unknown_addresses_and_wrong_methods_are_problems() {
    let server = Server::start(Patience::default()).await;
    let client = client();
    let response = server.send(&client, Method::GET, "/nowhere", "").await;
    assert_eq!(problem(&response)["type"], "urn:nova:problem:not-found");
    let response = server.send(&client, Method::DELETE, "/hello", "").await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
    assert_eq!(
        problem(&response)["detail"],
        "This address answers GET, HEAD."
    );
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let server = Server::start(Patience::default()).await;
    let response = server.send(&client(), Method::HEAD, "/hello", "").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.body().is_empty());
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused_and_one_at_the_limit_is_read() {
    let server = Server::start(Patience::default()).await;
    let client = client();
    let response = server
        .send(&client, Method::POST, "/echo", vec![b'x'; 1000])
        .await;
    assert_eq!(response.body().len(), 1000);
    let response = server
        .send(&client, Method::POST, "/echo", vec![b'x'; 1001])
        .await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(problem(&response)["limit_bytes"], 1000);
}

#[tokio::test]
async fn json_that_does_not_parse_is_told_with_its_place() {
    let server = Server::start(Patience::default()).await;
    let response = server
        .send(&client(), Method::POST, "/json", "{\"a\": }")
        .await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let detail = problem(&response)["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("line 1 column 7"), "{detail}");
}

#[tokio::test]
async fn a_panic_ends_one_request_and_not_the_next() {
    let server = Server::start(Patience::default()).await;
    let client = client();
    let response = server.send(&client, Method::GET, "/panic", "").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!String::from_utf8_lossy(response.body()).contains("on purpose"));
    let response = server.send(&client, Method::GET, "/hello", "").await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_headers_is_cut() {
    let patience = Patience {
        headers: Duration::from_millis(100),
        ..Patience::default()
    };
    let server = Server::start(patience).await;
    for start in [
        "",
        "P",
        "PRI * HTTP/2.0",
        "GET /hello HTTP/1.1\r\nHost: a\r\n",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer));
        assert!(ended.await.is_ok(), "still open after {start:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let patience = Patience {
        headers: Duration::from_millis(100),
        ..Patience::default()
    };
    let server = Server::start(patience).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer));
    assert!(ended.await.is_ok(), "still open");
    assert!(String::from_utf8_lossy(&answer).ends_with("hello"));
}

/// What a client of HTTP/1 reads that sends a request piece by piece.
async fn answer_to(stream: &mut TcpStream, pieces: &[&str]) -> String {
    for piece in pieces {
        stream.write_all(piece.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).to_lowercase()
}

#[tokio::test]
async fn a_refusal_before_the_body_came_leaves_the_connection_to_the_next_request() {
    let server = Server::start(Patience::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for body in [
        "content-length: 5\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n",
    ] {
        let rest = if body.starts_with("content") {
            "hello"
        } else {
            "5\r\nhello\r\n0\r\n\r\n"
        };
        let head = format!("POST /nothing HTTP/1.1\r\nhost: a\r\n{body}");
        let refused = answer_to(&mut stream, &[&head, rest]).await;
        assert!(refused.starts_with("http/1.1 404 "), "{refused}");
        assert!(!refused.contains("connection: close"), "{refused}");
        let next = answer_to(&mut stream, &["GET /hello HTTP/1.1\r\nhost: a\r\n\r\n"]).await;
        assert!(next.starts_with("http/1.1 200 "), "{next}");
    }
}

#[tokio::test]
async fn a_refusal_of_a_body_that_is_large_late_or_held_back_says_that_the_connection_ends() {
    let server = Server::start(Patience::default()).await;
    for (headers, begun) in [
        ("content-length: 10000000", "hello"),
        ("content-length: 10", "hello"),
        ("content-length: 5\r\nexpect: 100-continue", ""),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("POST /nothing HTTP/1.1\r\nhost: a\r\n{headers}\r\n\r\n");
        let refused = answer_to(&mut stream, &[&head, begun]).await;
        assert!(refused.starts_with("http/1.1 404 "), "{headers}: {refused}");
        assert!(
            refused.contains("connection: close"),
            "{headers}: {refused}"
        );
    }
}

#[tokio::test]
async fn headers_above_the_limit_are_refused() {
    let server = Server::start(Patience::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "GET /hello HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    drop(stream.write_all(head.as_bytes()).await);
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer:?}");
}

#[tokio::test]
async fn what_is_under_way_is_finished_before_the_end() {
    let mut server = Server::start(Patience::default()).await;
    let address = server.address;
    let slow = tokio::spawn(async move {
        let uri = format!("http://{address}/slow").parse().unwrap();
        let response = client().get(uri).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(server.stop.take());
    assert_eq!(slow.await.unwrap(), "done");
    assert_eq!(server.served.await.unwrap(), 0);
    assert!(
        TcpStream::connect(address).await.is_err(),
        "it still listens"
    );
}

#[tokio::test]
async fn what_takes_too_long_is_cut_at_the_end() {
    let patience = Patience {
        drain: Duration::from_millis(50),
        ..Patience::default()
    };
    let mut server = Server::start(patience).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(server.stop.take());
    assert_eq!(server.served.await.unwrap(), 1);
}
