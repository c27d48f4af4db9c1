//! Why code could not be read.

use std::time::Duration;

use nova_research::ingest::IngestError;
use nova_runtime::{fetch::FetchError, jobs::Failure};

use crate::ProviderError;

/// Why code could not be read. The words are for the user.
#[derive(Debug, thiserror::Error)]
pub enum GithubError {
    /// The URL names no code.
    #[error("the URL names no repository, folder, file or gist")]
    NotCode,
    /// GitHub does not have it, or does not show it.
    #[error("GitHub has no {what}{}", remedy(*.has_token))]
    Missing {
        /// What was asked for.
        what: String,
        /// Whether we were asked as somebody.
        has_token: bool,
    },
    /// The commit has no such file.
    #[error("there is no file {path} in the repository")]
    NoSuchFile {
        /// What the URL names.
        path: String,
    },
    /// Nothing was committed yet.
    #[error("the repository is empty")]
    EmptyRepository,
    /// We have asked too often.
    #[error("GitHub's rate limit is reached{}: {message}", again(*.after, *.has_token))]
    RateLimit {
        /// What it said, shortened.
        message: String,
        /// How long to wait, where it says so.
        after: Option<Duration>,
        /// Whether the limit is that of a token.
        has_token: bool,
    },
    /// Its interface failed.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// An archive or a file could not be fetched.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// What came cannot be read.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// Reading it ended by our fault.
    #[error("reading the archive failed on our side")]
    Stopped(#[source] tokio::task::JoinError),
}

impl GithubError {
    /// Whether we have asked too often.
    pub(super) const fn is_rate_limit(&self) -> bool {
        matches!(self, Self::RateLimit { .. })
    }
}

fn remedy(has_token: bool) -> &'static str {
    if has_token {
        ", or the token of this deployment may not read it"
    } else {
        ", or it is private: GITHUB_TOKEN is not set"
    }
}

fn again(after: Option<Duration>, has_token: bool) -> String {
    let minutes = after.map(|it| it.as_secs().div_ceil(60));
    let when = match minutes {
        Some(0 | 1) => ", again in a minute".to_owned(),
        Some(minutes) => format!(", again in {minutes} minutes"),
        None => String::new(),
    };
    let remedy = if has_token {
        ""
    } else {
        "; with GITHUB_TOKEN it is 5,000 requests an hour"
    };
    format!("{when}{remedy}")
}

/// What it means for a URL of a job. A token that is refused is so for all of them.
impl From<GithubError> for Failure {
    fn from(error: GithubError) -> Self {
        let reason = error.to_string();
        match error {
            GithubError::Provider(error) => error.into(),
            GithubError::RateLimit { after, .. } => Self::Again { reason, after },
            GithubError::Fetch(error) if error.is_retryable() => Self::Again {
                reason,
                after: error.retry_after(),
            },
            GithubError::Stopped(error) => {
                tracing::error!(%error, "an archive was not read by our fault");
                Self::Never(reason)
            }
            GithubError::NotCode
            | GithubError::Missing { .. }
            | GithubError::NoSuchFile { .. }
            | GithubError::EmptyRepository
            | GithubError::Fetch(_)
            | GithubError::Ingest(_) => Self::Never(reason),
        }
    }
}
