//! Being built.

pub mod tokens;
