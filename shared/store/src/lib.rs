//! All of Nova's SQL.

pub mod migrate;
