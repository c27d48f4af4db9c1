//! What tests, and the local cloud, put in the place of the real thing.
//!
//! Nothing here is a mock: each part speaks the wire of what it stands for, so that the code
//! under test is whole. The crate knows no other crate of ours, so that every one can use it.

pub mod bigquery;
pub mod chromium;
pub mod cloud_tasks;
pub mod cloudsql;
pub mod issuer;
pub mod objects;
pub mod postgres;
pub mod providers;
pub mod proxy;
pub mod usage;

mod fault;
mod gate;
mod port;

pub use gate::Gate;
pub use port::ReservedPort;
