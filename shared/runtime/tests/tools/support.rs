//! A function with tools of a test, a database, an issuer, and alice with an article.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use nova_runtime::{
    App, Config, ConfigError, Dispatcher, Environment, Routes,
    serve::{Patience, serve},
};
use nova_store::{CommittedBlob, NewArticle, NewBlob, Purpose, Store, UserId, migrate::Migrator};
use nova_testkit::{
    issuer::{Issuer, RunningIssuer},
    postgres::{Database, Postgres},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

const SERVER_URL: &str = "http://nova.test";

pub(crate) struct Nova {
    pub(crate) database: Database,
    pub(crate) issuer: RunningIssuer,
    address: SocketAddr,
    settings: Settings,
}

/// Further settings of the function.
pub(crate) type Settings = Vec<(&'static str, String)>;

/// The tools of a test.
pub(crate) type SetUp = dyn Fn(&Arc<App>) -> Result<Routes, ConfigError>;

/// One process of the function, more or less: it can be ended without a word.
pub(crate) struct Instance {
    pub(crate) address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Instance {
    /// All its tasks are gone at once, wherever they are, and its connections with them.
    pub(crate) fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Nova {
    pub(crate) async fn start(
        set_up: impl Fn(&Arc<App>) -> Result<Routes, ConfigError> + 'static,
    ) -> Self {
        Self::start_with(async |_, _| Settings::new(), set_up).await
    }

    /// With further settings of the function, which are made of its issuer (who also signs for
    /// service accounts) and its own address.
    pub(crate) async fn start_with(
        settings: impl AsyncFnOnce(Issuer, SocketAddr) -> Settings,
        set_up: impl Fn(&Arc<App>) -> Result<Routes, ConfigError> + 'static,
    ) -> Self {
        let prepare = async |url: String| {
            Migrator::new(url.parse()?).up(None).await?;
            let pool = sqlx::PgPool::connect(&url).await?;
            let logins = "CREATE ROLE tools_upload LOGIN IN ROLE nova_upload;
                          CREATE ROLE tools_research LOGIN IN ROLE nova_research";
            sqlx::raw_sql(logins).execute(&pool).await?;
            Ok(())
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let issuer = Issuer::start().await.unwrap();
        let nova = Self {
            database: Postgres::shared().await.database("tools", prepare).await,
            settings: settings((*issuer).clone(), address).await,
            issuer,
            address,
        };
        serve_on(listener, nova.routes(&set_up));
        nova
    }

    fn routes(&self, set_up: &SetUp) -> Dispatcher {
        let app = self.app();
        let routes = set_up(&app).unwrap();
        Dispatcher::new().with(&app, &routes)
    }

    /// The function's surroundings, in this process.
    pub(crate) fn app(&self) -> Arc<App> {
        self.app_with(&[])
    }

    /// The same, with settings over its own.
    pub(crate) fn app_with(&self, settings: &[(&'static str, String)]) -> Arc<App> {
        let environment = Environment::from([
            ("SERVER_URL", SERVER_URL),
            ("OIDC_ISSUER", self.issuer.url()),
            ("CLOUD_TASKS_ISSUER", self.issuer.url()),
            ("DATABASE_URL", &self.database.url_as("tools_research")),
        ]);
        let settings = self.settings.iter().chain(settings);
        let environment = settings.fold(environment, |all, (name, value)| all.with(name, value));
        App::new("sample", Config::read(&environment).unwrap()).unwrap()
    }

    /// The rows, as a family of functions sees them.
    pub(crate) fn store(&self, login: &str) -> Store {
        Store::new(self.database.pool_as(login))
    }

    /// Another process of the same function.
    pub(crate) fn instance(&self, set_up: &SetUp) -> Instance {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let dispatcher = {
            let _inside = runtime.enter();
            self.routes(set_up)
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        {
            let _inside = runtime.enter();
            serve_on(TcpListener::from_std(listener).unwrap(), dispatcher);
        }
        Instance {
            address,
            runtime: Some(runtime),
        }
    }

    /// An article of alice's, as an upload leaves it.
    pub(crate) async fn article(&self) -> Uuid {
        let uploads = self.store("tools_upload");
        let alice: UserId = "alice".parse().unwrap();
        let id = Uuid::now_v7();
        let blob = NewBlob {
            id,
            purpose: Purpose::Guideline,
            bucket: "files".to_owned(),
            object_name: format!("v1/{id}"),
            content_type: "text/markdown".to_owned(),
            declared_size: None,
        };
        let written = CommittedBlob {
            id,
            size: 3,
            crc32c: 0,
            sha256: None,
            generation: 1,
        };
        let article = NewArticle {
            id,
            title: None,
            guideline_blob_id: id,
            idempotency_key: None,
        };
        let mut tenant = uploads.tenant(&alice).await.unwrap();
        tenant.begin_blob(&blob).await.unwrap();
        tenant.commit_blob(&written).await.unwrap();
        tenant.create_article(&article).await.unwrap();
        tenant.commit().await.unwrap();
        id
    }

    /// Sends a call of alice's, and leaves the answer to be read, or not.
    pub(crate) async fn call(&self, tool: &str, article: Uuid, mut arguments: Value) -> TcpStream {
        arguments["article_guideline_id"] = json!(article);
        let (path, body) = (format!("/tools/{tool}"), arguments.to_string());
        post(self.address, &path, &self.token("alice"), &body, "50").await
    }

    /// The same, waited for at most so many seconds: status and JSON.
    pub(crate) async fn answer(
        &self,
        tool: &str,
        article: Uuid,
        mut arguments: Value,
        patience: &str,
    ) -> (u16, Value) {
        arguments["article_guideline_id"] = json!(article);
        let (path, body) = (format!("/tools/{tool}"), arguments.to_string());
        read(post(self.address, &path, &self.token("alice"), &body, patience).await).await
    }

    pub(crate) fn token(&self, user: &str) -> String {
        let hour = Duration::from_hours(1);
        self.issuer.token(user, &["research:run"], SERVER_URL, hour)
    }

    /// Calls for a worker, as the bell does, and waits until it is done.
    pub(crate) async fn ring(&self, tool: &str, job: &str) -> u16 {
        ring(self.address, tool, job).await
    }

    /// The same, by who shows this token.
    pub(crate) async fn ring_with(&self, token: &str, tool: &str, job: &str) -> u16 {
        let path = format!("/jobs/{tool}/{job}");
        read(post(self.address, &path, token, "", "0").await)
            .await
            .0
    }

    /// Calls that were charged and not given back; results that were saved.
    pub(crate) async fn charged_and_done(&self) -> (i64, i64) {
        let query = "SELECT (SELECT count(*) FROM tool_call_usage),
                            (SELECT count(*) FROM articles WHERE extracted_urls IS NOT NULL)";
        let row = sqlx::query_as(query).fetch_one(&self.database.pool()).await;
        row.unwrap()
    }

    pub(crate) async fn wait_for(&self, wanted: (i64, i64)) {
        let mut seen = (-1, -1);
        for _ in 0..500 {
            seen = self.charged_and_done().await;
            if seen == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("waited for {wanted:?} and saw {seen:?}");
    }
}

fn serve_on(listener: TcpListener, dispatcher: Dispatcher) {
    let never = std::future::pending::<()>();
    let answer = dispatcher.into_answer();
    tokio::spawn(serve(listener, answer, Patience::default(), never));
}

pub(crate) async fn ring(instance: SocketAddr, tool: &str, job: &str) -> u16 {
    let path = format!("/jobs/{tool}/{job}");
    read(post(instance, &path, "", "", "0").await).await.0
}

async fn post(to: SocketAddr, path: &str, token: &str, body: &str, patience: &str) -> TcpStream {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: nova.test\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\nx-nova-max-wait: {patience}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Status and body; status 0 when the other side is gone.
async fn read(mut stream: TcpStream) -> (u16, Value) {
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer).await;
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    let (Ok(_), Some(status)) = (read, status) else {
        return (0, Value::Null);
    };
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, serde_json::from_str(body).unwrap())
}
