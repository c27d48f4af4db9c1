//! The schema and the store on a real PostgreSQL, as the roles that functions log in with.

#![expect(
    clippy::unwrap_used,
    reason = "a test without its database has nothing to go on with"
)]

mod articles;
mod blob_life;
mod catalogue;
mod erasure;
mod errors;
mod jobs;
mod limits;
mod lint;
mod plans;
mod privileges;
mod provider_calls;
mod reports;
mod research;
mod restore;
mod round_trips;
mod sources;
mod support;
mod tenancy;
mod upload_grants;
mod usage_export;
