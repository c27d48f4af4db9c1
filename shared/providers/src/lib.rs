//! Those whom the research tools ask for pages, code, videos and answers.
//!
//! Each provider is a client of its own protocol over [`Api`], which gives every call a deadline, a
//! limit on its answer and a typed error; what a tool sees of them is a trait, so that a tool does
//! not know whom the deployment pays. A call is made once: it is the job's engine that tries again
//! ([`nova_runtime::jobs`]), because only it knows what was kept meanwhile, and [`ProviderError`]
//! tells it whether that can help. [`bigquery`], which no tool asks, is the exception.
//!
//! Nothing is configured by default, and nothing is guessed: a provider without its key says which
//! setting is missing ([`ProviderError::NotConfigured`]) before anything is asked or paid.

mod api;
pub mod bigquery;
pub mod captions;
pub mod code;
mod error;
mod google;
pub mod llm;
#[cfg(feature = "pages")]
pub mod scrape;
pub mod search;
pub mod video;

pub use self::{
    api::{Api, Credentials},
    error::ProviderError,
    google::{Generated, GoogleModels, Part},
};
