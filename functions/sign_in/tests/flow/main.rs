//! Signing in as a browser does it: over HTTP, against a real issuer, and against everybody who
//! would like to be in between.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod attacks;
mod browser;
mod issuers;
mod nova;
mod sign_in;
mod sign_out;
