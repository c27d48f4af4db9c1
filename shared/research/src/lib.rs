//! The domain of Nova, without network, database or clock.
//!
//! - [`guideline`]: what an article guideline is, and the sources that it names.
//! - [`url`]: URLs of sources: which may be fetched, and when two are the same.

pub mod guideline;
pub mod url;
