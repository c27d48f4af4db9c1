//! Tools whose calls end badly: the caller hangs up, the tool panics.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use nova_runtime::{App, ConfigError, NoArguments, Problem, Routes, Tool, ToolCall};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::support::Nova;

fn tools(app: &Arc<App>) -> Result<Routes, ConfigError> {
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
