//! Tools whose calls end badly: the caller hangs up, the tool panics.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::StatusCode;
use nova_runtime::{App, ConfigError, NoArguments, Problem, Routes, Tool, ToolCall, jobs::Follow};
use nova_store::Job;
use nova_testkit::proxy::{Direction, FaultProxy, Mode, Upstream};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use uuid::Uuid;

use crate::support::Nova;

fn tools(app: &Arc<App>) -> Result<Routes, ConfigError> {
    Ok(Routes::new()
        .tool(app, Slow)
        .tool(app, Panics)
        .tool(app, FailsLater(AtomicBool::new(false))))
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

/// Does its work once, and not again.
struct FailsLater(AtomicBool);

impl Tool for FailsLater {
    const NAME: &'static str = "fails_later";
    type Arguments = NoArguments;
    type Answer = &'static str;

    fn run(&self, _: ToolCall, _: NoArguments) -> BoxFuture<'_, Result<&'static str, Problem>> {
        Box::pin(async {
            if self.0.swap(true, Ordering::Relaxed) {
                return Err(Problem::internal("the disk is full"));
            }
            Ok("done")
        })
    }
}

#[tokio::test]
async fn a_caller_who_hangs_up_after_the_charge_gets_what_was_paid_for() {
    let nova = Nova::start(tools).await;
    let article = nova.article().await;
    let stream = nova.call("slow", article, json!({})).await;
    nova.wait_for((1, 0)).await;
    drop(stream);
    nova.wait_for((1, 1)).await;
}

#[tokio::test]
async fn a_tool_that_panics_is_a_fault_of_ours_and_costs_nothing() {
    let nova = Nova::start(tools).await;
    let article = nova.article().await;
    let mut answer = String::new();
    let mut stream = nova.call("panics", article, json!({})).await;
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(!answer.contains("on purpose"), "{answer}");
    assert_eq!(nova.charged_and_done().await, (0, 0));
}

#[tokio::test]
async fn a_repeated_call_that_fails_leaves_the_first_one_paid() {
    let nova = Nova::start(tools).await;
    let (app, article) = (nova.app(), nova.article().await);
    let (tools, alice) = (tools(&app).unwrap(), "alice".parse().unwrap());
    let (id, arguments) = (Uuid::now_v7(), json!({"article_guideline_id": article}));
    for (nth, is_well) in [true, false, false].into_iter().enumerate() {
        let follow = Arc::new(NobodyFollows);
        let call = tools.call_tool("fails_later", &alice, id, arguments.clone(), follow);
        assert_eq!(call.await.is_ok(), is_well, "call {nth}");
        assert_eq!(nova.charged_and_done().await.0, 1, "call {nth}");
    }
}

struct NobodyFollows;

impl Follow for NobodyFollows {
    fn may_go_on(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { true })
    }

    fn has_come_to(&self, _: &Job) {}
}

/// The charge is there, and who made it does not know: it is given back, because nothing was done.
#[tokio::test]
async fn a_charge_of_which_nobody_heard_is_given_back() {
    let nova = Nova::start(tools).await;
    let sql = nova.database.pool();
    // The end of such a transaction takes a while, in which its answer is cut off.
    let slow_commit = "CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql
                         AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END';
                       CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON tool_call_usage
                         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION take_time()";
    sqlx::raw_sql(slow_commit).execute(&sql).await.unwrap();
    let article = nova.article().await;
    let proxy = FaultProxy::start(Upstream::Unix(nova.database.socket()));
    let proxy = proxy.await.unwrap();
    let through = format!(
        "postgres://tools_research@{}/{}",
        proxy.address(),
        nova.database.name
    );
    let app = nova.app_with(&[("DATABASE_URL", through)]);
    let (tools, alice) = (tools(&app).unwrap(), "alice".parse().unwrap());
    let arguments = json!({"article_guideline_id": article});
    let follow = Arc::new(NobodyFollows);
    let call = tools.call_tool("fails_later", &alice, Uuid::now_v7(), arguments, follow);
    let cut = async {
        let at_its_end =
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ILIKE 'COMMIT%'
                             AND datname = current_database()";
        while sqlx::query_scalar::<_, i64>(at_its_end)
            .fetch_one(&sql)
            .await
            .unwrap()
            == 0
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.set(Mode::CutAfter(Direction::ToClient, 0));
    };
    let (answer, ()) = tokio::join!(call, cut);
    assert_eq!(
        answer.unwrap_err().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let given_back = "SELECT count(*) FROM tool_call_refunds";
    let given_back: i64 = sqlx::query_scalar(given_back)
        .fetch_one(&sql)
        .await
        .unwrap();
    assert_eq!((nova.charged_and_done().await, given_back), ((0, 0), 1));
}

#[tokio::test]
async fn too_many_calls_at_once_are_told_as_what_they_are() {
    let nova = Nova::start(tools).await;
    let burst =
        "UPDATE tiers SET burst_calls = 1, burst_interval = '20 seconds' WHERE tier = 'default'";
    sqlx::query(burst)
        .execute(&nova.database.pool())
        .await
        .unwrap();
    let article = nova.article().await;
    let (status, _) = nova.answer("slow", article, json!({}), "0").await;
    assert_eq!(status, 200);
    let (status, told) = nova.answer("slow", article, json!({}), "0").await;
    assert_eq!(
        (status, &told["type"]),
        (429, &json!("urn:nova:problem:too-many-at-once"))
    );
    let detail = told["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("Too many tool calls in a short time. Call again in"),
        "{told}"
    );
    assert!(!told.to_string().contains("onth"), "{told}");
}
