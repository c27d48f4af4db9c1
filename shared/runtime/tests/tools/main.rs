//! Tools as callers meet them, on a real PostgreSQL: what is charged is done, or given back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bell;
mod cloud_tasks;
mod in_process;
mod long;
mod quick;
mod refusals;
mod support;
