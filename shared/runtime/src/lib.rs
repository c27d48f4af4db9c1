//! Being built.

pub mod clock;
pub mod http_client;
pub mod identity;
pub mod page;
pub mod tokens;
