//! The client for addresses that strangers choose, against an internet of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod addresses;
mod cases;
mod internet;
mod limits;
mod manners;
mod redirects;
