//! The migration engine on a real PostgreSQL, with migrations of its own.

mod runs;
mod synthetic;
