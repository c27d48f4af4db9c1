//! `/jobs/{id}`: how far a long tool's work has come, and stopping it.
//!
//! A call of the tool itself waits for its job; this is for who wants to look without calling, and
//! for who wants it to stop. What is done stays, and so does what was paid for it.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use nova_runtime::{
    Access, App, Call, ConfigError, Function, Problem, Response, Routes, Scope,
    jobs::{patience, wait},
    json, rfc3339,
};
use nova_store::Job;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function = Function::service(
    "jobs",
    "Tells how far a long tool's work has come, and stops it.",
    set_up,
)
.with_database();

fn set_up(_app: &Arc<App>) -> Result<Routes, ConfigError> {
    Ok(Routes::new()
        .get("/jobs/{id}", Access::Token(&[Scope::ResearchRead]), show)
        .delete("/jobs/{id}", Access::Token(&[Scope::ResearchRun]), cancel))
}

/// A job, as its owner sees it.
#[derive(Serialize)]
struct Shown {
    job_id: Uuid,
    tool: String,
    article_guideline_id: Uuid,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    status: &'static str,
    /// Pieces that are done or were given up.
    done: u64,
    /// Pieces altogether; 0 while that is not known.
    total: u64,
    note: Option<String>,
    /// It begins no further piece.
    cancel_requested: bool,
    created_at: String,
    finished_at: Option<String>,
    /// The tool's answer, once it succeeded.
    result: Option<Box<RawValue>>,
    /// The problem document, once it failed.
    problem: Option<Box<RawValue>>,
}

impl From<Job> for Shown {
    fn from(job: Job) -> Self {
        Self {
            job_id: job.id,
            tool: job.tool,
            article_guideline_id: job.article,
            status: job.state.as_str(),
            done: job.settled,
            total: job.total,
            note: job.note,
            cancel_requested: job.cancel_requested,
            created_at: rfc3339(job.created_at),
            finished_at: job.finished_at.map(rfc3339),
            result: job.result,
            problem: job.error,
        }
    }
}

/// At once, or with `X-Nova-Max-Wait` when it has ended or so many seconds have passed.
async fn show(call: Call) -> Result<Response, Problem> {
    let id = call.path_id("id", "job")?;
    let patience = patience(call.headers(), Duration::ZERO)?;
    let job = wait(call.app(), call.user()?, id, patience).await?;
    Ok(json(StatusCode::OK, &Shown::from(job)))
}

/// A job that no worker has stops at once; one that runs begins no further piece.
async fn cancel(call: Call) -> Result<Response, Problem> {
    let id = call.path_id("id", "job")?;
    let mut tenant = call.tenant().await?;
    let job = tenant.cancel_job(id).await?;
    tenant.commit().await?;
    Ok(json(StatusCode::OK, &Shown::from(job)))
}
