//! The five published reports, for operators, and what providers cost.
//!
//! `GET /analytics/{report}` answers what the published query of that name would (`provider_costs`: the
//! receipts of all calls, by month), as JSON rows, at
//! most `?limit=` of them. The database login behind it may only read, and only for so long.

use std::sync::Arc;

use http::StatusCode;
use nova_runtime::{
    Access, App, Call, ConfigError, Function, Problem, Response, Routes, Scope, json,
};
use serde_json::{json, to_value};

/// The function.
pub const FUNCTION: Function = Function::service(
    "analytics",
    "Answers the published reports to operators.",
    set_up,
)
.with_database();

const REPORTS: [&str; 6] = [
    "monthly_calls",
    "popular_tools",
    "completion",
    "tools_per_article",
    "near_limit",
    "provider_costs",
];
const ROWS: u32 = 1000;
const MAX_ROWS: u32 = 100_000;

fn set_up(_app: &Arc<App>) -> Result<Routes, ConfigError> {
    Ok(Routes::new().get("/analytics/{report}", Access::Token(&[Scope::Admin]), show))
}

async fn show(call: Call) -> Result<Response, Problem> {
    let rows_at_most = match call.query("limit") {
        None => ROWS,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_ROWS).contains(limit))
            .ok_or_else(|| Problem::bad_field("limit", format!("1 to {MAX_ROWS}")))?,
    };
    call.app().require_schema().await?;
    let store = call.store();
    let report = call.path("report");
    let rows = match report {
        "monthly_calls" => to_value(store.monthly_calls(rows_at_most).await?),
        "popular_tools" => to_value(store.popular_tools(rows_at_most).await?),
        "completion" => to_value(store.completion().await?),
        "tools_per_article" => to_value(store.tools_per_article(rows_at_most).await?),
        "provider_costs" => to_value(store.provider_costs(rows_at_most).await?),
        "near_limit" => to_value(store.near_limit(rows_at_most).await?),
        _ => {
            let names = REPORTS.join(", ");
            return Err(Problem::not_found(format!(
                "There is no such report; there are {names}."
            )));
        }
    };
    let rows = rows.map_err(Problem::internal)?;
    Ok(json(
        StatusCode::OK,
        &json!({ "report": report, "rows": rows }),
    ))
}
