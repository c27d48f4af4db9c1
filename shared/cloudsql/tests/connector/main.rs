//! The connector against a Cloud SQL that stands in for Google's: real HTTP, DNS, TLS and PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[cfg(feature = "sqlx-postgres")]
mod bridge;
mod cold;
mod failing;
mod identity;
#[cfg(feature = "sqlx-mysql")]
mod mysql;
mod reach;
mod refreshing;
mod support;
