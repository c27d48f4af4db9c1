//! A real PostgreSQL server from the binaries that the machine has.
//!
//! Tests share one throw-away server per process and take a database each:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use nova_testkit::postgres::Postgres;
//!
//! let postgres = Postgres::shared().await;
//! let database = postgres.database("articles", async |url| create_tables(&url).await).await;
//! let pool = database.pool();
//! # Ok(()) }
//! # async fn create_tables(_: &str) -> anyhow::Result<()> { Ok(()) }
//! ```
//!
//! The server is gone when the process ends, however it ends. The local cloud keeps its data
//! instead, in a [`Cluster`] with a directory of its own.
//!
//! Read [`Binaries`] (which PostgreSQL), then [`Cluster`] (one server), then [`Postgres`] and
//! [`Database`] (what tests use).

mod account;
mod binaries;
mod cluster;
mod database;
mod dropper;
mod leash;
mod place;
mod server;
mod settings;
mod template;

pub use binaries::Binaries;
pub use cluster::Cluster;
pub use database::Database;
pub use server::Postgres;
pub use settings::{Settings, Stop};
