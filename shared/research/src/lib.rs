//! The domain of Nova, without network, database or clock.
//!
//! - [`document`]: the frame of `research.md`, written as a stream.
//! - [`guideline`]: what an article guideline is, and the sources that it names.
//! - `ingest`: repositories and gists as Markdown (feature `ingest`).
//! - `notebook`: Jupyter notebooks as Markdown (feature `notebooks`).
//! - `page`: web pages, PDF documents, feeds and files as Markdown (feature `pages`; PDF needs
//!   `pdf` as well).
//! - [`url`]: URLs of sources: which may be fetched, and when two are the same.

pub mod document;
mod entity;
pub mod guideline;
#[cfg(feature = "ingest")]
pub mod ingest;
#[cfg(feature = "ingest")]
mod language;
#[cfg(feature = "notebooks")]
pub mod notebook;
#[cfg(feature = "pages")]
pub mod page;
pub mod url;
