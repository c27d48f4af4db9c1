//! [`TokenSource`] against a metadata server that listens on a real port.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nova_runtime::tokens::TokenSource;

/// Answers what it was told to, in order, then for ever the last; counts and keeps the questions.
struct FakeMetadataServer {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
enum Answer {
    Token { name: &'static str, seconds: u64 },
    Status(u16),
    NotGoogle,
}

impl FakeMetadataServer {
    async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answers) = (Arc::clone(&log), Arc::clone(&answers));
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (log, answers) = (Arc::clone(&log), Arc::clone(&answers));
                    async move {
                        // The one client of this fake that is none of a metadata server posts.
                        if request.method() == http::Method::GET {
                            assert_eq!(request.headers()["metadata-flavor"], "Google");
                        }
                        log.lock().unwrap().push(request.uri().to_string());
                        let answer = {
                            let mut answers = answers.lock().unwrap();
                            if answers.len() > 1 {
                                answers.pop_front()
                            } else {
                                answers.front().cloned()
                            }
                        };
                        // Long enough for all callers of a herd to be waiting.
                        tokio::time::sleep(Duration::from_millis(30)).await;
                        answer.unwrap().into_response()
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address, asked }
    }

    fn tokens(&self) -> TokenSource {
        TokenSource::metadata_server(Some(&self.address))
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Answer {
    fn into_response(self) -> Result<http::Response<Full<Bytes>>, http::Error> {
        let response = http::Response::builder();
        match self {
            Self::Token { name, seconds } => response.header("metadata-flavor", "Google").body(
                format!(
                    r#"{{"access_token":"{name}","expires_in":{seconds},"token_type":"Bearer"}}"#
                )
                .into(),
            ),
            Self::Status(status) => response
                .status(status)
                .header("metadata-flavor", "Google")
                .body("no".into()),
            Self::NotGoogle => {
                response.body(r#"{"access_token":"stolen","expires_in":3600}"#.into())
            }
        }
    }
}

async fn secret(tokens: &TokenSource) -> String {
    tokens.token().await.unwrap().unwrap().secret().to_owned()
}

const HOUR: u64 = 3600;
/// Shorter than the early refresh, so that every call finds the token valid but due.
const DUE: u64 = 100;

#[tokio::test]
async fn fifty_callers_ask_once() {
    let server = FakeMetadataServer::start([Answer::Token {
        name: "one",
        seconds: HOUR,
    }])
    .await;
    let tokens = server.tokens();
    let secrets = join_all((0..50).map(|_| secret(&tokens))).await;
    assert!(secrets.iter().all(|secret| secret == "one"));
    assert_eq!(secret(&tokens).await, "one");
    assert_eq!(server.asked(), 1);
    assert_eq!(
        server.asked.lock().unwrap().first().unwrap(),
        "/computeMetadata/v1/instance/service-accounts/default/token?scopes=https://www.googleapis.com/auth/cloud-platform"
    );
}

#[tokio::test]
async fn fifty_callers_share_one_failure() {
    let server = FakeMetadataServer::start([Answer::Status(404)]).await;
    let tokens = server.tokens();
    let answers = join_all((0..50).map(|_| tokens.token())).await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_token_near_its_end_is_replaced_before_it_ends() {
    let server = FakeMetadataServer::start([
        Answer::Token {
            name: "old",
            seconds: DUE,
        },
        Answer::Token {
            name: "new",
            seconds: HOUR,
        },
    ])
    .await;
    let tokens = server.tokens();
    assert_eq!(secret(&tokens).await, "old");
    assert_eq!(secret(&tokens).await, "new");
    assert_eq!(secret(&tokens).await, "new");
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn nobody_waits_for_a_refresh_while_the_old_token_is_valid() {
    let server = FakeMetadataServer::start([
        Answer::Token {
            name: "old",
            seconds: DUE,
        },
        Answer::Token {
            name: "new",
            seconds: HOUR,
        },
    ])
    .await;
    let tokens = server.tokens();
    assert_eq!(secret(&tokens).await, "old");
    let secrets = join_all((0..50).map(|_| secret(&tokens))).await;
    assert_eq!(
        secrets.iter().filter(|secret| *secret == "new").count(),
        1,
        "only the one that asked has the new one"
    );
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_failed_refresh_keeps_the_valid_token_and_is_not_repeated_at_once() {
    let server = FakeMetadataServer::start([
        Answer::Token {
            name: "old",
            seconds: DUE,
        },
        Answer::Status(404),
    ])
    .await;
    let tokens = server.tokens();
    for _ in 0..5 {
        assert_eq!(secret(&tokens).await, "old");
    }
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn an_expired_token_is_never_served() {
    let server = FakeMetadataServer::start([
        Answer::Token {
            name: "over",
            seconds: 0,
        },
        Answer::Status(404),
    ])
    .await;
    let tokens = server.tokens();
    // The answer to one's own question is passed on as it is; nobody is given it later.
    tokens.token().await.unwrap();
    let error = tokens.token().await.unwrap_err();
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .to_string()
            .contains("404"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_metadata_server_that_stumbles_is_asked_again() {
    let server = FakeMetadataServer::start([
        Answer::Status(503),
        Answer::Token {
            name: "one",
            seconds: HOUR,
        },
    ])
    .await;
    assert_eq!(secret(&server.tokens()).await, "one");
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn an_answer_that_is_not_from_a_metadata_server_is_refused() {
    let server = FakeMetadataServer::start([Answer::NotGoogle]).await;
    server.tokens().token().await.unwrap_err();
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_leave_the_others_waiting() {
    let server = FakeMetadataServer::start([Answer::Token {
        name: "one",
        seconds: HOUR,
    }])
    .await;
    let tokens = server.tokens();
    let first = tokio::time::timeout(Duration::from_millis(5), tokens.token()).await;
    assert!(first.is_err());
    assert_eq!(secret(&tokens).await, "one");
}

#[tokio::test]
async fn an_anonymous_source_has_no_token_and_nothing_prints_a_secret() {
    assert!(TokenSource::anonymous().token().await.unwrap().is_none());
    let fixed = TokenSource::fixed("ya29.secret");
    assert_eq!(secret(&fixed).await, "ya29.secret");
    let printed = format!("{fixed:?} {:?}", fixed.token().await);
    assert!(!printed.contains("ya29"), "{printed}");
}

#[tokio::test]
async fn a_key_file_is_used_by_signing_a_request_for_a_token() {
    let server = FakeMetadataServer::start([
        Answer::Token {
            name: "old",
            seconds: DUE,
        },
        Answer::Token {
            name: "new",
            seconds: HOUR,
        },
    ])
    .await;
    let key = serde_json::json!({
        "type": "service_account",
        "client_email": "nova@example.iam.gserviceaccount.com",
        "private_key": include_str!("../../testkit/src/issuer/test_only_rsa_key.pem"),
        "project_id": "example",
        "token_uri": format!("http://{}/token", server.address),
    });
    let path = std::env::temp_dir().join(format!("nova-key-{}.json", uuid::Uuid::now_v7()));
    std::fs::write(&path, key.to_string()).unwrap();
    let tokens = TokenSource::key_file(path.clone());
    assert_eq!(secret(&tokens).await, "old");
    // gcp_auth itself would go on with the old one for another minute and a half.
    assert_eq!(secret(&tokens).await, "new");
    assert_eq!(*server.asked.lock().unwrap(), ["/token", "/token"]);

    std::fs::remove_file(&path).unwrap();
    assert_eq!(secret(&tokens).await, "new");
    TokenSource::key_file(path).token().await.unwrap_err();
}
