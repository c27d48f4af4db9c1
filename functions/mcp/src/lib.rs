//! Where agents meet Nova: the Model Context Protocol, at one address, for old and new clients.
//!
//! Nothing is remembered between two requests: no session, no stream that outlives its answer. What
//! lasts are rows, the same that the HTTP interface shows, and every tool is the route of a function
//! that is answered in this process ([`nova`]); so who may do what, what it costs and what goes
//! wrong is decided in one place for programs and agents. This crate knows the protocol:
//! [`stack`] its HTTP, [`server`] its methods, [`catalogue`] the tools as agents read of them,
//! [`call`] one call of a tool, [`upload_page`] a call that waits for a person, [`tasks`] and
//! [`resources`] what a client may look at later, [`unread`] what cannot be understood.

mod call;
mod caller;
mod catalogue;
mod nova;
mod own_tools;
mod prompt;
mod resources;
mod server;
pub mod stack;
mod tasks;
mod unread;
mod upload_page;

use std::sync::Arc;

use http_body_util::BodyExt as _;
use nova_runtime::{
    Access, App, Call, ConfigError, Function, Problem, Response, Routes, Scope, check_json,
};
use serde::Deserialize;
use tokio::sync::Semaphore;

use self::{caller::Caller, nova::Nova, server::Server, stack::Stack};

/// The function.
pub const FUNCTION: Function = Function::service(
    "mcp",
    "Offers the research workflow to agents: tools, resources and a prompt (MCP).",
    set_up,
)
.with_database();

/// A guideline of a megabyte, written as JSON, and what is around it.
const BODY_LIMIT_BYTES: u64 = 4 << 20;
/// What any other message may have.
const MESSAGE_LIMIT_BYTES: u64 = 256 << 10;
/// Guidelines that are taken in at once: the protocol makes several copies of each.
static GUIDELINES: Semaphore = Semaphore::const_new(4);

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let nova = Arc::new(Nova::new(app)?);
    let stack = Stack::new(&app.config().server_url, move || {
        Server::new(Arc::clone(&nova))
    });
    let access = Access::Token(&[Scope::ResearchRead]);
    Ok(Routes::new().post("/mcp", access, move |call| answer(call, stack.clone())))
}

/// As much of a message as decides who may send it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    method: String,
    params: Option<Params>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    name: Option<String>,
}

async fn answer(mut call: Call, stack: Stack<Server>) -> Result<Response, Problem> {
    let body = call.bytes(BODY_LIMIT_BYTES).await?;
    check_json(&body)?;
    // A scope that is missing is told by HTTP, where clients look for it, and so before the
    // protocol has its say. What is no message at all is left to that.
    let message: Envelope = serde_json::from_slice(&body).unwrap_or_default();
    let tool = message.params.and_then(|params| params.name);
    let tool = tool.filter(|_| message.method == "tools/call");
    if message.method == "tasks/cancel" || tool.as_deref().is_some_and(catalogue::needs_run) {
        call.require(&[Scope::ResearchRead, Scope::ResearchRun])?;
    }
    let _taken_in = if body.len() as u64 <= MESSAGE_LIMIT_BYTES {
        None
    } else if tool.as_deref() == Some(upload_page::TOOL) {
        Some(GUIDELINES.acquire().await.map_err(Problem::internal)?)
    } else {
        return Err(Problem::too_large(MESSAGE_LIMIT_BYTES));
    };
    let caller = Caller {
        identity: call.identity()?.clone(),
        context: call.context().clone(),
    };
    let mut parts = call.into_parts();
    parts.extensions.insert(caller);
    let response = stack.answer(parts, body).await;
    Ok(response.map(|body| body.map_err(|never| match never {}).boxed_unsync()))
}
