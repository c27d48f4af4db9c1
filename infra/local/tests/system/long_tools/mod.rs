//! Every long tool, in processes that are killed, cut off from the database and left waiting: nothing
//! is lost, and nothing is paid for twice.
//!
//! `table` has the tools, `world` a system to do it in; a tool that is not in the table fails a test.
//! What the engine does for a tool of its own kind is tested where the engine is.

mod agent;
mod crashes;
mod faults;
mod schemas;
mod stopping;
mod table;
mod users;
mod waiting;
mod world;

/// The tools that are called as these tests call them.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    table::LONG_TOOLS.iter().map(|tool| tool.name)
}
