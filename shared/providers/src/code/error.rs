//! Why code could not be read.

use std::time::Duration;

use http::StatusCode;
use nova_research::ingest::IngestError;
use nova_runtime::{fetch::FetchError, jobs::Failure};

use crate::ProviderError;

/// Why code could not be read. The words are for the user.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// The URL names no code.
    #[error("the URL names no repository, folder, file or gist")]
    NotCode,
    /// The host does not have it, or does not show it.
    #[error("{provider} has no {what}, or {instead}")]
    Missing {
        /// Who was asked.
        provider: &'static str,
        /// What was asked for.
        what: String,
        /// What else it may be.
        instead: String,
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
    #[error("{provider}'s rate limit is reached{}{remedy}: {message}", again(*.after))]
    RateLimit {
        /// Who was asked.
        provider: &'static str,
        /// What it said, shortened.
        message: String,
        /// How long to wait, where it says so.
        after: Option<Duration>,
        /// What helps.
        remedy: &'static str,
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

impl CodeError {
    /// Whether we have asked too often.
    pub(super) const fn is_rate_limit(&self) -> bool {
        matches!(self, Self::RateLimit { .. })
    }

    /// Whether the host refused with this status.
    pub(super) fn is_refused_with(&self, with: StatusCode) -> bool {
        matches!(self, Self::Provider(ProviderError::Refused { status, .. }) if *status == with)
    }

    pub(super) fn no_such_file(path: &str) -> Self {
        Self::NoSuchFile {
            path: path.to_owned(),
        }
    }
}

fn again(after: Option<Duration>) -> String {
    let minutes = after.map(|it| it.as_secs().div_ceil(60));
    match minutes {
        Some(0 | 1) => ", again in a minute".to_owned(),
        Some(minutes) => format!(", again in {minutes} minutes"),
        None => String::new(),
    }
}

/// The setting with GitHub's token.
const GITHUB_TOKEN: &str = "GITHUB_TOKEN";
/// The setting with the tokens of all others.
const HOST_TOKENS: &str = "CODE_HOST_TOKENS";

/// Who is asked, as errors name it.
#[derive(Clone, Debug)]
pub(super) struct Whom {
    pub(super) provider: &'static str,
    pub(super) setting: &'static str,
    /// Its name in the settings.
    host: String,
}

impl Whom {
    /// GitHub itself.
    pub(super) fn github() -> Self {
        Self {
            provider: "GitHub",
            setting: GITHUB_TOKEN,
            host: "github.com".to_owned(),
        }
    }

    /// A host that the settings name.
    pub(super) fn named(provider: &'static str, host: &str) -> Self {
        Self {
            provider,
            setting: HOST_TOKENS,
            host: host.to_owned(),
        }
    }

    pub(super) fn missing(&self, what: String, has_token: bool) -> CodeError {
        CodeError::Missing {
            provider: self.provider,
            what,
            instead: match (has_token, self.setting) {
                (true, _) => "the token of this deployment may not read it".to_owned(),
                (false, GITHUB_TOKEN) => "it is private: GITHUB_TOKEN is not set".to_owned(),
                (false, setting) => {
                    format!("it is private: {setting} has no token for {}", self.host)
                }
            },
        }
    }

    pub(super) fn rate_limit(
        &self,
        message: String,
        after: Option<Duration>,
        has_token: bool,
    ) -> CodeError {
        CodeError::RateLimit {
            provider: self.provider,
            message,
            after,
            remedy: match (has_token, self.setting) {
                (true, _) => "",
                (false, GITHUB_TOKEN) => "; with GITHUB_TOKEN it is 5,000 requests an hour",
                (false, _) => "; with a token it is higher",
            },
        }
    }
}

/// What it means for a URL of a job. GitHub's token, when it is refused, is so for all of them; other
/// hosts have tokens of their own.
impl From<CodeError> for Failure {
    fn from(error: CodeError) -> Self {
        let reason = error.to_string();
        match error {
            CodeError::Provider(ProviderError::Credentials { setting, .. })
                if setting == HOST_TOKENS =>
            {
                Self::Never(format!(
                    "{reason}; the operator has to look after {setting}"
                ))
            }
            CodeError::Provider(error) => error.into(),
            CodeError::RateLimit { after, .. } => Self::Again { reason, after },
            CodeError::Fetch(error) if error.is_retryable() => Self::Again {
                reason,
                after: error.retry_after(),
            },
            CodeError::Stopped(error) => {
                tracing::error!(%error, "an archive was not read by our fault");
                Self::Never(reason)
            }
            CodeError::NotCode
            | CodeError::Missing { .. }
            | CodeError::NoSuchFile { .. }
            | CodeError::EmptyRepository
            | CodeError::Fetch(_)
            | CodeError::Ingest(_) => Self::Never(reason),
        }
    }
}
