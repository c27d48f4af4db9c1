//! Is it up, and can it reach its database?
//!
//! `GET /health` answers as long as the process does. `GET /health/db` asks the database for its
//! schema version and compares it with the one that this build needs: 200 when it serves, 503 when
//! not, in both cases saying what was found.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use nova_runtime::{
    Access, App, Call, ConfigError, Function, Problem, Response, Routes, json, rfc3339,
};
use nova_store::REQUIRED_VERSION;
use serde_json::json;
use time::OffsetDateTime;

/// The function.
pub const FUNCTION: Function = Function::service(
    "health",
    "Tells whether Nova is up and reaches its database.",
    set_up,
)
.with_database();

fn set_up(_app: &Arc<App>) -> Result<Routes, ConfigError> {
    Ok(Routes::new().get("/health", Access::Public, alive).get(
        "/health/db",
        Access::Public,
        database,
    ))
}

async fn alive(_call: Call) -> Result<Response, Problem> {
    let body = json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"), "timestamp": now() });
    Ok(json(StatusCode::OK, &body))
}

async fn database(call: Call) -> Result<Response, Problem> {
    let found = call.store().found_version().await.map_err(|error| {
        Problem::unavailable("The database does not answer.", Duration::from_secs(5))
            .with("database", "unreachable")
            .caused_by(error)
    })?;
    let serves = found.is_some_and(|found| found >= REQUIRED_VERSION);
    let body = json!({
        "status": if serves { "ok" } else { "schema too old" },
        "database": "reachable",
        "schema": { "required": REQUIRED_VERSION, "found": found },
        "timestamp": now(),
    });
    let status = if serves {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok(json(status, &body))
}

fn now() -> String {
    rfc3339(OffsetDateTime::now_utc())
}
