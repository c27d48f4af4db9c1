//! How many tool calls the caller has made this month, and how many are left.

use std::sync::Arc;

use http::StatusCode;
use nova_runtime::{
    Access, App, Call, ConfigError, Function, Problem, Response, Routes, Scope, json, rfc3339,
};
use serde::Serialize;

/// The function.
pub const FUNCTION: Function = Function::service(
    "usage",
    "Tells a user how many tool calls are left this month.",
    set_up,
)
.with_database();

fn set_up(_app: &Arc<App>) -> Result<Routes, ConfigError> {
    Ok(Routes::new().get("/usage", Access::Token(&[Scope::ResearchRead]), show))
}

/// The answer. `limit` and `remaining` are `null` where there is no limit.
#[derive(Serialize)]
struct Answer {
    used: u64,
    limit: Option<u64>,
    remaining: Option<u64>,
    resets_at: String,
    year_month: String,
}

async fn show(call: Call) -> Result<Response, Problem> {
    let default_limit = call.app().config().monthly_tool_call_limit.into();
    let usage = call.tenant().await?.usage(default_limit).await?;
    let answer = Answer {
        used: usage.used,
        limit: usage.limit,
        remaining: usage.limit.map(|limit| limit.saturating_sub(usage.used)),
        resets_at: rfc3339(usage.resets_at),
        year_month: usage.year_month,
    };
    Ok(json(StatusCode::OK, &answer))
}
