//! Being built.

pub mod page;
pub mod tokens;
