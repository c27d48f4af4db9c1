//! The domain of Nova, without network, database or clock.
//!
//! - `captions`: what is said in a video, by its captions (feature `captions`).
//! - [`coverage`]: what the stored texts say about the sections of a guideline.
//! - [`document`]: the frame of `research.md`, written as a stream.
//! - [`findings`]: what a search found, as sources that can be kept.
//! - [`guideline`]: what an article guideline is, and the sources that it names.
//! - [`identity`]: when two URLs are the same source.
//! - `ingest`: repositories and gists as Markdown (feature `ingest`).
//! - `local_file`: files that authors upload, as Markdown (feature `local-files`).
//! - `notebook`: Jupyter notebooks as Markdown (feature `notebooks`).
//! - [`outline`]: the topical sections of a guideline.
//! - `page`: web pages, PDF documents, feeds and files as Markdown (feature `pages`; PDF needs
//!   `pdf` as well).
//! - [`prompt`]: what others wrote, fenced in for a language model.
//! - [`query`]: a question for a search.
//! - [`questions`]: what to ask next, without a language model, and what of its proposals can be asked.
//! - [`ranking`]: which found sources are worth keeping, without a language model, and what of them it
//!   is shown.
//! - [`references`]: the sources of an article, as a list to cite from.
//! - [`transcript`]: what is said in videos, part after part.
//! - [`url`]: URLs of sources: which may be fetched, and when two are the same.
//! - [`workflow`]: which step comes next for an article.

#[cfg(feature = "captions")]
pub mod captions;
pub mod coverage;
pub mod document;
mod entity;
#[cfg(any(feature = "captions", feature = "pages"))]
mod escape;
#[cfg(feature = "notebooks")]
mod fence;
pub mod findings;
pub mod guideline;
pub mod identity;
#[cfg(feature = "ingest")]
pub mod ingest;
#[cfg(any(feature = "ingest", feature = "local-files"))]
mod language;
#[cfg(feature = "local-files")]
pub mod local_file;
#[cfg(feature = "notebooks")]
pub mod notebook;
pub mod outline;
#[cfg(feature = "pages")]
pub mod page;
mod plain;
pub mod prompt;
pub mod query;
pub mod questions;
pub mod ranking;
pub mod references;
mod text;
pub mod transcript;
pub mod url;
pub mod workflow;
