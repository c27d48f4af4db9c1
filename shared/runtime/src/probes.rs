//! What Cloud Run asks an instance itself, beside the function's own routes.
//!
//! `GET /livez` answers as long as the process does. `GET /readyz` answers 200 once the instance can
//! do its work: where the function has a database, that it answers and has the schema of this build.
//! Users find neither: a load balancer leads the manifest's routes here, and no others.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use nova_store::REQUIRED_VERSION;
use serde_json::json;

use crate::{
    app::App,
    body::{Response, json as answer},
    call::Call,
    problem::Problem,
    routes::{Access, Routes},
};

/// The probes of a function that does or does not need the database.
pub(crate) fn routes(needs_database: bool) -> Routes {
    Routes::new().get("/livez", Access::Public, alive).get(
        "/readyz",
        Access::Public,
        move |call: Call| async move {
            if needs_database {
                database_is_ready(call.app()).await?;
            }
            alive(call).await
        },
    )
}

async fn alive(_call: Call) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &json!({ "status": "ok" })))
}

async fn database_is_ready(app: &Arc<App>) -> Result<(), Problem> {
    let later = Duration::from_secs(2);
    let found = app.store().found_version().await.map_err(|error| {
        Problem::unavailable("The database does not answer.", later).caused_by(error)
    })?;
    if found.is_some_and(|found| found >= REQUIRED_VERSION) {
        return Ok(());
    }
    Err(Problem::unavailable(
        "The schema of the database is older than this build needs.",
        later,
    ))
}
