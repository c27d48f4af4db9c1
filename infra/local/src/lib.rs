//! The local cloud: everything that a deployment has, on one machine, without an account or a key.
//!
//! PostgreSQL with its data under `.nova/`, an object store in place of Cloud Storage, an issuer of
//! tokens in place of the identity provider, and a gateway in place of the load balancer. The
//! functions are the ones that are deployed, with the same database roles; by default they run in
//! this process, with `PROCESSES=1` each in its own, as in the cloud. The system tests start the same
//! thing with a database that is thrown away.
//!
//! It is never deployed: it refuses to start where `K_SERVICE` is set.

pub mod command;
pub mod demo;
pub mod functions;
pub mod gateway;
pub mod local;
pub mod manifest;

mod bell;
mod database;
mod processes;
mod research;
mod scheduler;
mod state;

pub use database::migrated;
