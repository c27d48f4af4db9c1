//! The PostgreSQL launcher, on the PostgreSQL of this machine.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod clusters;
mod databases;
mod lifetime;
