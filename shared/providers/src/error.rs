//! Why a provider gave nothing.

use std::time::Duration;

use http::StatusCode;
use nova_runtime::{Problem, http_client::HttpError, jobs::Failure, receipts::CallOutcome};

/// Why a provider gave nothing. The words are for the user; the causes are for the log.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The deployment has no key for it.
    #[error("{provider} is not configured: set {setting}")]
    NotConfigured {
        /// Who was to be asked.
        provider: &'static str,
        /// The setting that is missing, and what works without it.
        setting: &'static str,
    },
    /// It does not know us, or does not let us: the key is wrong, used up or not good for this.
    #[error("{provider} refuses our credentials ({status}): {message}")]
    Credentials {
        /// Who was asked.
        provider: &'static str,
        /// What it knows us by: the setting that is to be mended.
        setting: &'static str,
        /// What it answered.
        status: StatusCode,
        /// What it said, shortened.
        message: String,
    },
    /// It asks to come back later, or is not well.
    #[error("{provider} is busy ({status}): {message}")]
    Busy {
        /// Who was asked.
        provider: &'static str,
        /// What it answered.
        status: StatusCode,
        /// What it said, shortened.
        message: String,
        /// How long to wait, where it says so.
        after: Option<Duration>,
    },
    /// No answer, or not a whole one.
    #[error("{provider} does not answer: {source}")]
    Unreachable {
        /// Who was asked.
        provider: &'static str,
        /// What went wrong.
        source: HttpError,
    },
    /// It will not do this one thing, and another try would not change that.
    #[error("{provider} refuses ({status}): {message}")]
    Refused {
        /// Who was asked.
        provider: &'static str,
        /// What it answered.
        status: StatusCode,
        /// What it said, shortened.
        message: String,
    },
    /// It answered up to a limit and no further. Half an answer is none.
    #[error("the answer of {provider} was cut at its limit")]
    Cut {
        /// Who was asked.
        provider: &'static str,
    },
    /// It read the question and keeps its answer to itself: safety, recitation, a refusal.
    #[error("{provider} holds its answer back: {reason}")]
    Blocked {
        /// Who was asked.
        provider: &'static str,
        /// What it says about that, shortened.
        reason: String,
    },
    /// It answered, and the answer is not what its protocol says.
    #[error("the answer of {provider} cannot be used: {message}")]
    Unusable {
        /// Who was asked.
        provider: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

impl ProviderError {
    /// True when the same call may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::Unreachable { source, .. } => source.is_retryable(),
            Self::NotConfigured { .. }
            | Self::Credentials { .. }
            | Self::Refused { .. }
            | Self::Cut { .. }
            | Self::Blocked { .. }
            | Self::Unusable { .. } => false,
        }
    }

    /// The same in a word that stays the same, for programs.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotConfigured { .. } => "not_configured",
            Self::Credentials { .. } => "provider_credentials",
            Self::Busy { .. } | Self::Unreachable { .. } => "provider_unavailable",
            Self::Refused { .. } => "provider_refuses",
            Self::Cut { .. } => "cut",
            Self::Blocked { .. } => "blocked",
            Self::Unusable { .. } => "unusable_answer",
        }
    }

    /// What the receipt of a call says that ended like this.
    pub const fn outcome_of<T>(result: &Result<T, Self>) -> CallOutcome {
        match result {
            Ok(_) => CallOutcome::Answered,
            Err(error) => error.outcome(),
        }
    }

    /// What the receipt of such a call says.
    pub const fn outcome(&self) -> CallOutcome {
        match self {
            Self::NotConfigured { .. } | Self::Credentials { .. } | Self::Refused { .. } => {
                CallOutcome::Refused
            }
            Self::Busy { .. } => CallOutcome::Busy,
            Self::Unreachable { .. } => CallOutcome::Unreachable,
            Self::Cut { .. } => CallOutcome::Cut,
            Self::Blocked { .. } => CallOutcome::Blocked,
            Self::Unusable { .. } => CallOutcome::Unusable,
        }
    }
}

/// What it means for a piece of a job. Without a key, or with one that is refused, none of the
/// pieces can be had; a paid answer that cannot be used is not paid for again.
impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        let told = format!("{}: {error}", error.reason());
        match error {
            ProviderError::NotConfigured { .. } => Self::Job(Problem::new(
                StatusCode::CONFLICT,
                "not-configured",
                "A provider is not configured",
                format!("{error}."),
            )),
            ProviderError::Credentials { setting, .. } => Self::Settings(Problem::new(
                StatusCode::BAD_GATEWAY,
                "provider-credentials",
                "A provider refuses our credentials",
                format!(
                    "{error}. The operator of this deployment has to look after {setting}; until then \
                     calling again does not help. The call is given back."
                ),
            )),
            ProviderError::Busy { after, .. } => Self::Again {
                reason: told,
                after,
            },
            ProviderError::Unreachable { ref source, .. } if source.is_retryable() => Self::Again {
                reason: told,
                after: None,
            },
            ProviderError::Unreachable { .. }
            | ProviderError::Refused { .. }
            | ProviderError::Cut { .. }
            | ProviderError::Blocked { .. }
            | ProviderError::Unusable { .. } => Self::Never(told),
        }
    }
}
