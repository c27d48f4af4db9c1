//! The migration engine on a real PostgreSQL, with migrations of its own.

#![expect(clippy::unwrap_used, reason = "these are tests, their helpers too")]

mod embedded;
mod runs;
mod synthetic;
