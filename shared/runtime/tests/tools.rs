//! Tools whose calls end badly: the caller hangs up, the tool panics.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use nova_runtime::{
    App, Config, ConfigError, Dispatcher, Environment, Function, NoArguments, Problem, Routes,
    Tool, ToolCall,
    serve::{Patience, serve},
};
use nova_store::{CommittedBlob, NewArticle, NewBlob, Purpose, Store, UserId, migrate::Migrator};
use nova_testkit::{
    issuer::{Issuer, RunningIssuer},
    postgres::{Database, Postgres},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

const FUNCTION: Function = Function::service("sample", "A sample.", set_up).with_database();
const SERVER_URL: &str = "http://nova.test";

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    Ok(Routes::new().tool(app, Slow).tool(app, Panics))
}

/// Takes a while, then leaves a trace in the article.
struct Slow;

impl Tool for Slow {
    const NAME: &'static str = "slow";
    type Arguments = NoArguments;
    type Answer = &'static str;

    fn run(&self, call: ToolCall, _: NoArguments) -> BoxFuture<'_, Result<&'static str, Problem>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let mut tenant = call.tenant().await?;
            let done = serde_json::value::to_raw_value(&json!({"done": true})).unwrap();
            tenant.save_extracted_urls(call.article.id, &done).await?;
            tenant.commit().await?;
            Ok("done")
        })
    }
}

struct Panics;

impl Tool for Panics {
    const NAME: &'static str = "panics";
    type Arguments = NoArguments;
    type Answer = ();

    fn run(&self, _: ToolCall, _: NoArguments) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async { panic!("on purpose") })
    }
}

struct Nova {
    database: Database,
    issuer: RunningIssuer,
    address: SocketAddr,
}

impl Nova {
    async fn start() -> Self {
        let prepare = async |url: String| {
            Migrator::new(url.parse()?).up(None).await?;
            let pool = sqlx::PgPool::connect(&url).await?;
            let logins = "CREATE ROLE tools_upload LOGIN IN ROLE nova_upload;
                          CREATE ROLE tools_research LOGIN IN ROLE nova_research";
            sqlx::raw_sql(logins).execute(&pool).await?;
            Ok(())
        };
        let database = Postgres::shared().await.database("tools", prepare).await;
        let issuer = Issuer::start().await.unwrap();
        let environment = Environment::from([
            ("SERVER_URL", SERVER_URL),
            ("OIDC_ISSUER", issuer.url()),
            ("DATABASE_URL", &database.url_as("tools_research")),
        ]);
        let config = Config::read(&environment).unwrap();
        let (app, routes) = FUNCTION.set_up(config).unwrap().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Dispatcher::new().with(&app, &routes).into_answer();
        let never = std::future::pending::<()>();
        tokio::spawn(serve(listener, answer, Patience::default(), never));
        Self {
            database,
            issuer,
            address,
        }
    }

    /// An article of alice's, as an upload leaves it.
    async fn article(&self) -> Uuid {
        let uploads = Store::new(self.database.pool_as("tools_upload"));
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
    async fn call(&self, tool: &str, article: Uuid) -> TcpStream {
        let hour = Duration::from_hours(1);
        let token = self
            .issuer
            .token("alice", &["research:run"], SERVER_URL, hour);
        let body = json!({"article_guideline_id": article}).to_string();
        let request = format!(
            "POST /tools/{tool} HTTP/1.1\r\nhost: nova.test\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Calls that were charged and not given back; results that were saved.
    async fn charged_and_done(&self) -> (i64, i64) {
        let query = "SELECT (SELECT count(*) FROM tool_call_usage),
                            (SELECT count(*) FROM articles WHERE extracted_urls IS NOT NULL)";
        let row = sqlx::query_as(query).fetch_one(&self.database.pool()).await;
        row.unwrap()
    }

    async fn wait_for(&self, wanted: (i64, i64)) {
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

#[tokio::test]
async fn a_caller_who_hangs_up_after_the_charge_gets_what_was_paid_for() {
    let nova = Nova::start().await;
    let article = nova.article().await;
    let stream = nova.call("slow", article).await;
    nova.wait_for((1, 0)).await;
    drop(stream);
    nova.wait_for((1, 1)).await;
}

#[tokio::test]
async fn a_tool_that_panics_is_a_fault_of_ours_and_costs_nothing() {
    let nova = Nova::start().await;
    let article = nova.article().await;
    let mut answer = String::new();
    let mut stream = nova.call("panics", article).await;
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(!answer.contains("on purpose"), "{answer}");
    assert_eq!(nova.charged_and_done().await, (0, 0));
}
