//! The migration engine on a real PostgreSQL: with migrations of its own, made for the test, and
//! with this build's.
#![expect(clippy::unwrap_used, reason = "these are tests, their helpers too")]

mod batches;
mod check;
mod cloud;
mod crashes;
mod embedded;
mod grants;
mod refusals;
mod runs;
mod synthetic;
mod together;
mod traffic;
