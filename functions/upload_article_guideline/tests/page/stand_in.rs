//! A server that shows the real page and answers uploads as a test wants, so that the page meets
//! what the real function cannot be asked for: a proxy's error, a connection that is cut.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use upload_article_guideline::page::{Refusal, UploadPage, Uploaded};

pub(crate) const ID: &str = "0198c5a1-9b7e-7c3a-8f21-5d6e7f809a1b";
pub(crate) const MESSAGE: &str = "“The life of stars” is ready for research.";
pub(crate) const LIMIT: u64 = 1 << 20;

/// What an upload is answered.
#[derive(Clone)]
pub(crate) enum Answer {
    Created,
    Problem(StatusCode, &'static str),
    ProxyPage(StatusCode),
    Cut,
}

/// One upload as it arrived.
pub(crate) struct Post {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Post {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// The server. It ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct StandIn {
    pub(crate) url: String,
    answer: Arc<Mutex<Answer>>,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl StandIn {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/upload_article_guideline", listener.local_addr()?);
        let server = Self {
            url,
            answer: Arc::new(Mutex::new(Answer::Created)),
            posts: Arc::default(),
        };
        let serve = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serve.clone();
                let service = service_fn(move |request| server.clone().answer(request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Ok(server)
    }

    /// From now on uploads are answered so.
    pub(crate) fn will_answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The uploads since the last question.
    pub(crate) fn posts(&self) -> Vec<Post> {
        std::mem::take(&mut *self.posts.lock().unwrap())
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let origin = self.url.trim_end_matches("/upload_article_guideline");
        let page = UploadPage {
            user: "alice@example.org",
            csrf_token: "a-token",
            max_size: LIMIT,
            action: "/upload_article_guideline",
            server_url: origin,
        };
        if request.method() == Method::GET {
            return Ok(page.form().render().map(Full::new));
        }
        let (parts, body) = request.into_parts();
        let body = String::from_utf8_lossy(&body.collect().await?.to_bytes()).into_owned();
        let for_a_person = parts
            .headers
            .get(header::ACCEPT)
            .is_some_and(|it| it.to_str().unwrap().starts_with("text/html"));
        self.posts.lock().unwrap().push(Post {
            headers: parts.headers,
            body,
        });
        let answer = self.answer.lock().unwrap().clone();
        let (status, kind, body) = match answer {
            Answer::Created if for_a_person => {
                let page = page.uploaded(&Uploaded {
                    article_id: ID,
                    message: MESSAGE,
                });
                return Ok(page.status(StatusCode::CREATED).render().map(Full::new));
            }
            Answer::Problem(status, detail) if for_a_person => {
                let page = page.refused(&Refusal {
                    detail,
                    request_id: "7f3a9c",
                    text: "# Kept",
                });
                return Ok(page.status(status).render().map(Full::new));
            }
            Answer::Created => {
                let body = serde_json::json!({"article_id": ID, "message": MESSAGE}).to_string();
                (StatusCode::CREATED, "application/json", body)
            }
            Answer::Problem(status, detail) => {
                let body = serde_json::json!({"status": status.as_u16(), "detail": detail, "request_id": "7f3a9c"});
                (status, "application/problem+json", body.to_string())
            }
            Answer::ProxyPage(status) => (status, "text/html", "<h1>Bad gateway</h1>".to_owned()),
            Answer::Cut => anyhow::bail!("cut"),
        };
        let response = Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, kind);
        Ok(response.body(Full::new(Bytes::from(body)))?)
    }
}
