//! The domain of Nova, without network, database or clock.
//!
//! - [`document`]: the frame of `research.md`, written as a stream.
//! - [`guideline`]: what an article guideline is, and the sources that it names.
//! - [`url`]: URLs of sources: which may be fetched, and when two are the same.

pub mod document;
mod entity;
pub mod guideline;
pub mod url;
