//! A server for tests that answers what it was told to and keeps the questions.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[derive(Clone)]
pub(crate) struct Answer {
    status: u16,
    body: Bytes,
    headers: Vec<(&'static str, String)>,
    hangs_up: bool,
    takes: Duration,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            body: Bytes::from(body.into()),
            headers: Vec::new(),
            hangs_up: false,
            takes: Duration::ZERO,
        }
    }

    /// The connection ends where an answer should begin.
    pub(crate) fn hang_up() -> Self {
        Self {
            hangs_up: true,
            ..Self::new(500, "")
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn after(mut self, takes: Duration) -> Self {
        self.takes = takes;
        self
    }
}

/// Gives its answers in order, then for ever the last.
pub(crate) struct Fake {
    pub(crate) host: String,
    questions: Arc<Mutex<Vec<Request<Bytes>>>>,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Fake {
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let fake = Self {
            host: address.to_string(),
            questions: Arc::default(),
            connections: Arc::default(),
            open: Arc::default(),
        };
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let (questions, connections, open) = (
            Arc::clone(&fake.questions),
            Arc::clone(&fake.connections),
            Arc::clone(&fake.open),
        );
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                open.fetch_add(1, Ordering::SeqCst);
                let (questions, answers, open) = (
                    Arc::clone(&questions),
                    Arc::clone(&answers),
                    Arc::clone(&open),
                );
                let service = service_fn(move |request: Request<Incoming>| {
                    let (questions, answers) = (Arc::clone(&questions), Arc::clone(&answers));
                    async move { answer(request, &questions, &answers).await }
                });
                tokio::spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    // An error is how it hangs up.
                    drop(connection.await);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        fake
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    pub(crate) fn asked(&self) -> usize {
        self.questions.lock().unwrap().len()
    }

    pub(crate) fn question(&self, number: usize) -> Request<Bytes> {
        self.questions.lock().unwrap()[number].clone()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many connections there are.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

async fn answer(
    request: Request<Incoming>,
    questions: &Mutex<Vec<Request<Bytes>>>,
    answers: &Mutex<VecDeque<Answer>>,
) -> std::io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let answer = {
        let mut questions = questions.lock().unwrap();
        questions.push(Request::from_parts(parts, body));
        let mut answers = answers.lock().unwrap();
        let next = if answers.len() > 1 {
            answers.pop_front()
        } else {
            answers.front().cloned()
        };
        next.unwrap()
    };
    tokio::time::sleep(answer.takes).await;
    if answer.hangs_up {
        return Err(std::io::Error::other("hangs up"));
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(answer.body)).unwrap())
}
