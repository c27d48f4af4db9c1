//! Blobs on a real PostgreSQL and an object store that speaks Google's wire, on good days and on bad ones.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod exported;
mod googles_client;
mod metadata;
mod read;
mod settings;
mod support;
mod write;
