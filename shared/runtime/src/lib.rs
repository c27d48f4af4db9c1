//! What every function of Nova is made of: a server, settings, identity, errors, logs, a database.
//!
//! A function is a folder with two files. `src/main.rs` starts it:
//!
//! ```ignore
//! fn main() -> std::process::ExitCode {
//!     nova_runtime::run(usage::FUNCTION)
//! }
//! ```
//!
//! and `src/lib.rs` says what it answers: load, think, save.
//!
//! ```ignore
//! pub const FUNCTION: Function =
//!     Function::service("usage", "Tells how many tool calls are left.", set_up).with_database();
//!
//! fn set_up(_app: &Arc<App>) -> Result<Routes, ConfigError> {
//!     Ok(Routes::new().get("/usage", Access::Token(&[Scope::ResearchRead]), show))
//! }
//!
//! async fn show(call: Call) -> Result<Response, Problem> {
//!     let usage = call.tenant().await?.usage(call.app().config().monthly_tool_call_limit).await?;
//!     Ok(json(StatusCode::OK, &Usage::from(usage)))
//! }
//! ```
//!
//! To read on: [`Function`] is a binary, [`Routes`] what it answers, [`Call`] one request,
//! [`Problem`] an answer other than success, [`Tool`] a step of the workflow.

pub mod bell;
pub mod body;
pub mod clock;
pub mod config;
pub mod fetch;
pub mod http_client;
pub mod identity;
pub mod log;
pub mod page;
pub mod receipts;
pub mod serve;
pub mod tokens;

mod admission;
mod app;
mod call;
pub mod database;
mod dispatch;
mod function;
mod grant;
mod in_process;
pub mod jobs;
mod json;
mod multipart;
mod probes;
mod problem;
mod routes;
mod session;
mod sha256;
mod tool;
mod trace;

pub use self::{
    app::App,
    body::{Body, Request, Response, json},
    call::{Call, parse_id},
    clock::{Clock, SystemClock},
    config::{Config, ConfigError, Environment},
    dispatch::{Dispatcher, see_other},
    fetch::Fetcher,
    function::{EXIT_USAGE, Function, JobMain, Setup, run, say},
    grant::{GRANT_HEADER, GrantToken},
    http_client::HttpClient,
    identity::{Identity, Scope},
    json::{check_json, whole_numbers},
    multipart::{Field, Multipart},
    problem::{Problem, bytes_in_words},
    routes::{Access, Route, Routes, matches},
    session::Session,
    sha256::{hex, sha256},
    tool::{NoArguments, Tool, ToolCall, rfc3339},
    trace::RequestContext,
};
