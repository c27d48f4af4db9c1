//! Why a page was not read.

use std::borrow::Cow;

use http::StatusCode;
use nova_research::page::PageError;
use nova_runtime::{fetch::FetchError, jobs::Failure, receipts::CallOutcome};

use crate::ProviderError;

/// Why a page was not read. The words are for the user; [`ScrapeError::reason`] is for programs.
#[derive(Debug, thiserror::Error)]
pub enum ScrapeError {
    /// It was not had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It was had, and there is no text in it.
    #[error(transparent)]
    Page(#[from] PageError),
    /// Somebody else was to read it, and saw this status.
    #[error("the site answered {status}")]
    Status {
        /// What the site answered.
        status: StatusCode,
    },
    /// Somebody else was to read it, and could not.
    #[error("{provider} cannot read the page: {message}")]
    Unread {
        /// Who was to read it.
        provider: &'static str,
        /// What it says.
        message: String,
    },
    /// Somebody else was to read it, and did not answer as one should.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// Reading it failed by our fault.
    #[error("the page could not be read on our side")]
    Ours(#[from] tokio::task::JoinError),
}

impl ScrapeError {
    /// The failure as a word that stays the same: `http_404`, `no_content`, `robots`, ….
    pub fn reason(&self) -> Cow<'static, str> {
        match self {
            Self::Fetch(error) => error.reason(),
            Self::Page(error) => Cow::Borrowed(error.reason()),
            Self::Status { status } => Cow::Owned(format!("http_{}", status.as_u16())),
            Self::Unread { .. } => Cow::Borrowed("unread"),
            Self::Provider(_) => Cow::Borrowed("provider"),
            Self::Ours(_) => Cow::Borrowed("internal"),
        }
    }

    /// What the receipt of a call says that ended like this.
    pub(super) const fn outcome(&self) -> CallOutcome {
        match self {
            Self::Provider(error) => error.outcome(),
            Self::Unread { .. } => CallOutcome::Refused,
            Self::Fetch(_) | Self::Page(_) | Self::Status { .. } | Self::Ours(_) => {
                CallOutcome::Unusable
            }
        }
    }

    /// Whether a browser may be shown what was not shown to us.
    pub fn wants_a_browser(&self) -> bool {
        match self {
            Self::Page(PageError::NeedsJavascript | PageError::BlockedBySite { .. })
            | Self::Fetch(FetchError::BlockedBySite { .. }) => true,
            Self::Fetch(FetchError::Status { status, .. }) => *status == StatusCode::FORBIDDEN,
            _ => false,
        }
    }
}

/// What it means for a piece of a job: the reason comes first, then a colon and the words.
impl From<ScrapeError> for Failure {
    fn from(error: ScrapeError) -> Self {
        let reason = format!("{}: {error}", error.reason());
        match error {
            ScrapeError::Fetch(error) if error.is_retryable() => Self::Again {
                reason,
                after: error.retry_after(),
            },
            ScrapeError::Provider(error) => match Self::from(error) {
                Self::Again { after, .. } => Self::Again { reason, after },
                Self::Never(_) => Self::Never(reason),
                job @ (Self::Job(_) | Self::Settings(_)) => job,
            },
            _ => Self::Never(reason),
        }
    }
}
