//! Why a page cannot be a source.

/// Why a page gives no text. The words are for the user; [`PageError::reason`] is for programs.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PageError {
    /// There is hardly any text in it.
    #[error("the page has no content: {words} words are left without its menus")]
    NoContent {
        /// How many words there are.
        words: usize,
    },
    /// Its text is put in by a script.
    #[error("the page shows its text only to browsers that run scripts")]
    NeedsJavascript,
    /// Something stands before it: a test for robots, a question for consent.
    #[error("the site does not let programs read this page: {by}")]
    BlockedBySite {
        /// What stands there.
        by: &'static str,
    },
    /// It is for subscribers.
    #[error("the page is for subscribers only")]
    Paywalled,
    /// It says, with a good status, that there is no such page.
    #[error("the page is an error page: {title:?}")]
    ErrorPage {
        /// What it says.
        title: String,
    },
    /// It is something without text, or of a kind that is not read.
    #[error("content of type {content_type:?} is not read")]
    UnsupportedType {
        /// What it is.
        content_type: String,
    },
    /// It is longer or has more elements than any real page.
    #[error("the page is too large")]
    TooLarge,
    /// It is damaged, encrypted, or made of pictures.
    #[error("the {what} cannot be read: {why}")]
    Unreadable {
        /// What it is.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl PageError {
    /// The failure as a word that stays the same.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoContent { .. } => "no_content",
            Self::NeedsJavascript => "needs_javascript",
            Self::BlockedBySite { .. } => "blocked_by_site",
            Self::Paywalled => "paywalled",
            Self::ErrorPage { .. } => "error_page",
            Self::UnsupportedType { .. } => "unsupported_type",
            Self::TooLarge => "too_large",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}
