//! A running system for one test, and what tests do with it in the words of the product.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use nova_local::local::{Local, Parts};
use nova_testkit::{
    objects::{self, ObjectStore},
    postgres::{Database, Postgres},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// Everything a user may do.
pub(crate) const USER_SCOPES: &str = "research:read research:run";

pub(crate) struct System {
    pub(crate) local: Local,
    pub(crate) database: Database,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// So much time is over at once for all that runs in this thread: deadlines, pauses, connections that
/// nobody uses. The clock of the database goes on as it did.
pub(crate) async fn later_by(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
    // Until those who keep a connection have seen that it was closed.
    tokio::time::sleep(Duration::from_millis(200)).await;
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl System {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[], false).await
    }

    /// With settings of the functions, and as one process or many.
    pub(crate) async fn start_with(settings: &[(&str, &str)], processes: bool) -> Self {
        let by_url =
            |database: &Database, login: &str| vec![("DATABASE_URL", database.url_as(login))];
        Self::start_on(Self::database().await, &by_url, settings, processes).await
    }

    /// A database with the schema and the functions' logins.
    pub(crate) async fn database() -> Database {
        let server = Postgres::shared().await;
        server.database("nova", nova_local::migrated).await
    }

    /// On a database that logins are led to by these settings.
    pub(crate) async fn start_on(
        database: Database,
        way: &(impl Fn(&Database, &str) -> Vec<(&'static str, String)> + Send + Sync),
        settings: &[(&str, &str)],
        processes: bool,
    ) -> Self {
        // The functions' lines would stand between those of the tests.
        let quiet = [("LOG_LEVEL", "error")];
        let settings: BTreeMap<String, String> = quiet
            .iter()
            .chain(settings)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let local = Local::start(Parts {
            database_url: database.url.clone(),
            database_as: &|login| way(&database, login),
            objects: ObjectStore::start(objects::Config::default())
                .await
                .unwrap(),
            issuer_key: None,
            port: 0,
            processes,
            settings,
        })
        .await
        .unwrap();
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(5))
            .build_http();
        Self {
            local,
            database,
            client,
        }
    }

    pub(crate) fn token(&self, user: &str) -> String {
        self.local.token(user, USER_SCOPES)
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let uri = format!("{}{path}", self.local.url);
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(Full::new(body.into())).unwrap())
            .await
    }

    /// What is at an address, of this system or of another program's.
    pub(crate) async fn get_address(&self, address: &str) -> Answer {
        self.ask(http::Request::get(address).body(Full::default()).unwrap())
            .await
    }

    async fn ask(&self, request: http::Request<Full<Bytes>>) -> Answer {
        let (parts, body) = self.client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// As a user, with a token in the header.
    pub(crate) async fn send_as(
        &self,
        user: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let bearer = format!("Bearer {}", self.token(user));
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        self.send(method, path, &all, body).await
    }

    pub(crate) async fn get(&self, user: &str, path: &str) -> Answer {
        self.send_as(user, Method::GET, path, &[], "").await
    }

    /// Uploads a guideline and answers the article's id.
    pub(crate) async fn upload(&self, user: &str, markdown: impl Into<Bytes>) -> Uuid {
        let answer = self.post_guideline(user, markdown, &[]).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()["article_id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    pub(crate) async fn post_guideline(
        &self,
        user: &str,
        markdown: impl Into<Bytes>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut all = vec![("content-type", "text/markdown")];
        all.extend_from_slice(headers);
        self.send_as(
            user,
            Method::POST,
            "/upload_article_guideline",
            &all,
            markdown,
        )
        .await
    }

    /// Calls a tool that takes nothing but the article.
    pub(crate) async fn tool(&self, user: &str, name: &str, article: Uuid) -> Answer {
        self.tool_with(user, name, json!({ "article_guideline_id": article }), &[])
            .await
    }

    pub(crate) async fn tool_with(
        &self,
        user: &str,
        name: &str,
        arguments: Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        let path = format!("/tools/{name}");
        self.send_as(user, Method::POST, &path, &all, arguments.to_string())
            .await
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// It is a problem document of that status, whose detail contains these words.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: StatusCode, words: &str) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header(header::CONTENT_TYPE),
            "application/problem+json",
            "{self:?}"
        );
        let document = self.json();
        assert_eq!(document["status"], status.as_u16());
        assert_eq!(document["request_id"], self.header("x-request-id"));
        let detail = document["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail:?} does not say {words:?}");
        self
    }
}
