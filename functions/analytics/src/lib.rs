//! The five published reports, for operators, and what providers cost.
//!
//! `GET /analytics/{report}` answers what the published query of that name would (`provider_costs`: the
//! receipts of all calls, by month), as JSON rows, at most `?limit=` of them (`completion` has a row for
//! each status, however few are asked for). The database login behind it may only read, and only for so long.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::StatusCode;
use nova_runtime::{
    Access, App, Call, ConfigError, Function, Problem, Response, Routes, Scope, json,
};
use nova_store::{Answer, Store};
use serde::Serialize;
use serde_json::{Value, json, to_value};

/// The function.
pub const FUNCTION: Function = Function::service(
    "analytics",
    "Answers the published reports to operators.",
    set_up,
)
.with_database();

/// What a report answers, at most so many rows of it.
type Report = for<'a> fn(&'a Store, u32) -> BoxFuture<'a, Result<Value, Problem>>;

const REPORTS: [(&str, Report); 6] = [
    ("monthly_calls", |store, most| {
        rows(store.monthly_calls(most))
    }),
    ("popular_tools", |store, most| {
        rows(store.popular_tools(most))
    }),
    ("completion", |store, _| rows(store.completion())),
    ("tools_per_article", |store, most| {
        rows(store.tools_per_article(most))
    }),
    ("near_limit", |store, most| rows(store.near_limit(most))),
    ("provider_costs", |store, most| {
        rows(store.provider_costs(most))
    }),
];
const ROWS: u32 = 1000;
const MAX_ROWS: u32 = 100_000;

fn set_up(_app: &Arc<App>) -> Result<Routes, ConfigError> {
    Ok(Routes::new().get("/analytics/{report}", Access::Token(&[Scope::Admin]), show))
}

async fn show(call: Call) -> Result<Response, Problem> {
    let rows_at_most = call.query_number("limit", ROWS, 1..=MAX_ROWS)?;
    let name = call.path("report");
    let Some((_, report)) = REPORTS.iter().find(|(it, _)| *it == name) else {
        let names = REPORTS.map(|(name, _)| name).join(", ");
        return Err(Problem::not_found(format!(
            "There is no such report; there are {names}."
        )));
    };
    call.app().require_schema().await?;
    let rows = report(call.store(), rows_at_most).await?;
    Ok(json(
        StatusCode::OK,
        &json!({ "report": name, "rows": rows }),
    ))
}

fn rows<'a, T: Serialize + Send + 'a>(
    report: Answer<'a, Vec<T>>,
) -> BoxFuture<'a, Result<Value, Problem>> {
    Box::pin(async move { to_value(report.await?).map_err(Problem::internal) })
}
