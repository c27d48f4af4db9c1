//! The outgoing client against servers that are slow, endless or elsewhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use nova_runtime::http_client::{HttpClient, HttpError, Limits};
use nova_testkit::issuer::{Fault, Issuer, RunningIssuer};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

async fn issuer() -> RunningIssuer {
    Issuer::start().await.unwrap()
}

fn metadata(issuer: &Issuer) -> Url {
    Url::parse(&format!(
        "{}/.well-known/openid-configuration",
        issuer.url()
    ))
    .unwrap()
}

/// A server that sends `answer` to whoever connects and then keeps the connection open.
async fn raw(answer: &'static [u8]) -> Url {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _request = stream.read(&mut [0; 4096]).await;
            let _gone = stream.write_all(answer).await;
            kept.push(stream);
        }
    });
    Url::parse(&url).unwrap()
}

async fn get(url: &Url, limits: Limits) -> Result<http::Response<Bytes>, HttpError> {
    let request = Request::get(url.as_str()).body(Bytes::new()).unwrap();
    HttpClient::new().send(request, limits).await
}

#[tokio::test]
async fn json_is_read_and_connections_are_used_again() {
    let issuer = issuer().await;
    let http = HttpClient::new();
    for _ in 0..3 {
        let document: Value = http.get_json(&metadata(&issuer)).await.unwrap();
        assert_eq!(document["issuer"], issuer.url());
    }
}

#[tokio::test]
async fn a_form_is_encoded_and_the_refusal_keeps_its_body() {
    let issuer = issuer().await;
    let url = Url::parse(&format!("{}/token", issuer.url())).unwrap();
    let fields = [("grant_type", "a b&c=d"), ("client_id", "ü")];
    let refused = HttpClient::new()
        .post_form::<Value>(&url, &fields, None)
        .await;
    let Err(HttpError::Status { status, body, .. }) = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(*status, StatusCode::BAD_REQUEST);
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body["error"], "unsupported_grant_type");
    assert!(!refused.unwrap_err().is_retryable());
    let wrong = HeaderValue::from_static("Basic bm92YTp3cm9uZw==");
    let fields = [("grant_type", "authorization_code")];
    let refused = HttpClient::new()
        .post_form::<Value>(&url, &fields, Some(wrong))
        .await;
    assert!(
        matches!(refused, Err(HttpError::Status { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_collected() {
    let issuer = issuer().await;
    issuer.set_fault(Some(Fault::Oversized));
    let outcome = HttpClient::new()
        .get_json::<Value>(&metadata(&issuer))
        .await;
    assert!(
        matches!(outcome, Err(HttpError::TooLarge { limit: 262_144, .. })),
        "{outcome:?}"
    );
    let endless = raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
    let limits = Limits {
        response_bytes: 4,
        ..Limits::default()
    };
    assert!(matches!(
        get(&endless, limits).await,
        Err(HttpError::TooLarge { limit: 4, .. })
    ));
}

#[tokio::test]
async fn the_deadline_counts_to_the_last_byte() {
    let beginnings: [&[u8]; 3] = [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
    ];
    for beginning in beginnings {
        let url = raw(beginning).await;
        let started = Instant::now();
        let deadline = Duration::from_millis(200);
        let outcome = get(
            &url,
            Limits {
                deadline,
                ..Limits::default()
            },
        )
        .await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, HttpError::Deadline { .. }), "{error:?}");
        assert!(error.is_retryable());
        assert!(started.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let issuer = issuer().await;
    issuer.set_fault(Some(Fault::Redirect));
    let outcome = HttpClient::new()
        .get_json::<Value>(&metadata(&issuer))
        .await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(
            error,
            HttpError::Status {
                status: StatusCode::FOUND,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn plain_http_is_for_this_machine_and_hosts_that_were_named() {
    for address in [
        "http://issuer.example/",
        "http://10.0.0.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://metadata.google.internal.evil.example/",
        "http://user@issuer.example/",
    ] {
        let outcome = get(&Url::parse(address).unwrap(), Limits::default()).await;
        assert!(
            matches!(outcome, Err(HttpError::Refused { .. })),
            "{address}: {outcome:?}"
        );
    }
    let named = HttpClient::new().with_plain_http_to("storage.invalid");
    let request = Request::get("http://storage.invalid:1/")
        .body(Bytes::new())
        .unwrap();
    let outcome = named.send(request, Limits::default()).await;
    assert!(
        matches!(outcome, Err(HttpError::Connect { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_failed_connection_says_that_trying_again_can_help() {
    let nobody = Url::parse("http://127.0.0.1:1/").unwrap();
    let error = get(&nobody, Limits::default()).await.unwrap_err();
    assert!(matches!(error, HttpError::Connect { .. }), "{error:?}");
    assert!(error.is_retryable());
    let issuer = issuer().await;
    issuer.set_fault(Some(Fault::Unavailable));
    let outcome = HttpClient::new()
        .get_json::<Value>(&metadata(&issuer))
        .await;
    assert!(outcome.unwrap_err().is_retryable());
    issuer.set_fault(Some(Fault::NotJson));
    let outcome = HttpClient::new()
        .get_json::<Value>(&metadata(&issuer))
        .await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(error, HttpError::Json { .. }) && !error.is_retryable(),
        "{error:?}"
    );
}

#[tokio::test]
async fn https_is_spoken_with_certificates_checked() {
    // A server that answers TLS with plain text: the handshake fails, nothing is sent in clear.
    let url = raw(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let url = Url::parse(&url.as_str().replacen("http:", "https:", 1)).unwrap();
    let error = get(&url, Limits::default()).await.unwrap_err();
    assert!(matches!(error, HttpError::Connect { .. }), "{error:?}");
}
