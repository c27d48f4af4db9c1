//! What was found in a guideline.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::url::{Kind, Refusal};

/// The sources that a guideline names.
///
/// The first four fields are the ones that scripts of existing users read: lists of strings, each
/// in the order in which the guideline names them, nothing twice. The rest says more about them.
/// Everything can be read back from JSON that has only the four.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Extraction {
    /// Code: repositories, folders, files and gists on GitHub.
    pub github_urls: Vec<String>,
    /// Videos, each as `https://www.youtube.com/watch?v=…`.
    pub youtube_videos_urls: Vec<String>,
    /// Web pages.
    pub other_urls: Vec<String>,
    /// Relative paths of files that the author is going to upload.
    pub local_file_paths: Vec<String>,
    /// All URLs, in the order in which the guideline names them.
    pub sources: Vec<Found>,
    /// All files, likewise.
    pub local_files: Vec<LocalFile>,
    /// What looked like a source and is none, with the reason.
    pub skipped: Vec<Skipped>,
}

/// A URL that a guideline names.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Found {
    /// The URL to fetch; see [`crate::url::SourceUrl::as_str`].
    pub url: String,
    /// The key by which duplicates are found; see [`crate::url::SourceUrl::identity`].
    pub identity: String,
    /// Which tool reads it.
    pub kind: Kind,
    /// The text of the link, if it says more than the URL.
    pub title: Option<String>,
    /// The heading above it.
    pub section: Option<String>,
    /// The line in which it is first named; the first is 1.
    pub line: usize,
}

/// A file that a guideline names.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LocalFile {
    /// The path, relative and without `.` and `..`.
    pub path: String,
    /// The heading above it.
    pub section: Option<String>,
    /// The line in which it is first named; the first is 1.
    pub line: usize,
}

/// A URL that was left out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Skipped {
    /// The URL as the guideline has it; only its beginning when it is too long.
    pub url: String,
    /// Why.
    pub reason: SkipReason,
    /// The line it is in; the first is 1.
    pub line: usize,
}

/// Why a URL was left out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// It stands in sample code: a fence with a programming language, or a script.
    CodeBlock,
    /// It stands in an HTML comment.
    Comment,
    /// It is a picture.
    Image,
    /// It was named before.
    Duplicate,
    /// See [`Refusal::InvalidUrl`].
    InvalidUrl,
    /// See [`Refusal::TooLong`].
    TooLong,
    /// See [`Refusal::UnsupportedScheme`].
    UnsupportedScheme,
    /// See [`Refusal::CredentialsInUrl`].
    CredentialsInUrl,
    /// See [`Refusal::PrivateAddress`].
    PrivateAddress,
    /// See [`Refusal::YoutubeNotAVideo`].
    YoutubeNotAVideo,
}

impl From<Refusal> for SkipReason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::InvalidUrl => Self::InvalidUrl,
            Refusal::TooLong => Self::TooLong,
            Refusal::UnsupportedScheme => Self::UnsupportedScheme,
            Refusal::CredentialsInUrl => Self::CredentialsInUrl,
            Refusal::PrivateAddress => Self::PrivateAddress,
            Refusal::YoutubeNotAVideo => Self::YoutubeNotAVideo,
        }
    }
}

/// What is told when there is nothing of a kind to work on: the guideline names none, or it was not
/// looked for.
pub fn names_none(article: impl fmt::Display, is_extracted: bool, what: &str) -> String {
    if is_extracted {
        format!("Article guideline '{article}' names no {what}.")
    } else {
        "The links of the guideline were not extracted yet: call extract_guidelines_urls first."
            .to_owned()
    }
}
