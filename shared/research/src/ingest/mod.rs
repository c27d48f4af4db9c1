//! Repositories, folders, files and gists as Markdown: what an author has to know of the code.
//!
//! [`archive()`] reads the `tar.gz` that a code host offers of a commit, as a stream: it is never
//! unpacked, and what is in memory is bounded whatever is in it. [`files`] does the same with files
//! that came one by one. [`Location`] says what a URL names.
//!
//! The text has the layout that `research.md` is known for: a summary, the tree, the contents.
//! Every file of the archive is in the tree; those that tell nobody anything are marked there and
//! not included (`kind.rs`): pictures, lock files, what a program wrote, and texts and data that
//! `.gitignore` names. Source is included wherever it lies, also in `bin/`, `build/` or `pkg/`, and
//! whatever `.gitignore` says of it (`ignored.rs`).
//!
//! # The budget
//!
//! A reader, and more so a language model, has room for so much. Which files are included is
//! decided by their rank (`rank.rs`): what the URL names, READMEs and manifests first, then source
//! by depth and size, then documents, tests and data. As many as there is room for are taken from
//! the top of that list, at least in part; what is left is given to all of them alike (`budget.rs`).
//! So no large file pushes out the rest, and the tree says of each file how much of it there is.
//!
//! | Module | For |
//! | --- | --- |
//! | `archive`, `guard`, `pax` | the archive's entries, and what archives try |
//! | `collector` | the files as they come; `pool` keeps the ones worth keeping |
//! | `ignored` | what `.gitignore` names |
//! | `kind`, `decode`, `secrets` | what a file is, its text, and what must not be passed on |
//! | `rank`, `budget`, `tokens` | which files, and how much of each |
//! | `tree`, `write`, `licence` | the Markdown |

mod archive;
mod budget;
mod collector;
mod decode;
mod guard;
mod ignored;
mod kind;
mod licence;
mod location;
mod pax;
mod pool;
mod rank;
mod secrets;
mod tokens;
mod tree;
mod write;

use std::io;

pub use self::archive::archive;
pub use self::collector::files;
pub use self::location::{Lines, Location, Place};
pub use self::tokens::estimate as estimated_tokens;

/// How many tokens are spent on a repository unless somebody says otherwise.
pub const DEFAULT_BUDGET_TOKENS: usize = 60_000;

/// What is to be read, and what is known of it already.
#[derive(Clone, Debug)]
pub struct Request {
    /// The URL, as the heading names it.
    pub url: String,
    /// The repository, as `owner/name`, or the gist.
    pub name: String,
    /// The folder or file that the URL names, from the root of the repository; empty for all of it.
    pub path: String,
    /// The lines that the URL names.
    pub lines: Option<Lines>,
    /// The branch or tag, when the URL names one.
    pub reference: Option<String>,
    /// The commit; an archive that says its own overrules it.
    pub commit: Option<String>,
    /// What the owner says of it.
    pub description: Option<String>,
    /// Its licence; looked for in the files when nobody knows.
    pub licence: Option<String>,
    /// How many tokens the Markdown may have, about.
    pub budget_tokens: usize,
    /// How large the archive may be.
    pub limits: Limits,
}

impl Request {
    /// All of a repository, of which nothing is known.
    pub fn new(url: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: name.into(),
            path: String::new(),
            lines: None,
            reference: None,
            commit: None,
            description: None,
            licence: None,
            budget_tokens: DEFAULT_BUDGET_TOKENS,
            limits: Limits::default(),
        }
    }
}

/// How large an archive may be. Nothing of it is written anywhere; this bounds the time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Unpacked, in bytes.
    pub unpacked_bytes: u64,
    /// Unpacked to packed; DEFLATE reaches 1,032.
    pub ratio: u64,
    /// Files that are listed.
    pub files: usize,
    /// Entries of any kind.
    pub entries: usize,
}

impl Default for Limits {
    /// The sources of Linux are 1.5 GB in 90,000 files, and no repository is beyond twice that
    /// whose text helps an author.
    fn default() -> Self {
        Self {
            unpacked_bytes: 4 << 30,
            ratio: 200,
            files: 100_000,
            entries: 500_000,
        }
    }
}

/// A repository that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Digest {
    /// The text.
    pub markdown: String,
    /// How many tokens it has, about.
    pub tokens: usize,
    /// Files in the repository, or below the path.
    pub files: usize,
    /// Of which these are included, at least in part.
    pub included: usize,
    /// The commit, where it is known.
    pub commit: Option<String>,
}

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The stream that the archive comes from failed.
    #[error("the archive could not be read to its end")]
    Read(#[from] io::Error),
    /// It is not what the code host's archives are.
    #[error("the archive is broken: {0}")]
    Broken(String),
    /// It unpacks to more than is read.
    #[error("the repository is larger than {} MiB unpacked; name a folder of it", limit >> 20)]
    TooLarge {
        /// The most that is read.
        limit: u64,
    },
    /// It is made to unpack to very much.
    #[error("the archive unpacks to more than {limit} times its size and is not read")]
    Bomb {
        /// The most that is believed.
        limit: u64,
    },
    /// It has more files than are listed.
    #[error("the repository has more than {limit} files; name a folder of it")]
    TooManyFiles {
        /// The most that are listed.
        limit: usize,
    },
    /// What the URL names is not there.
    #[error("there is no {path} in the repository")]
    NoSuchPath {
        /// What the URL names.
        path: String,
    },
    /// There is nothing at all.
    #[error("there are no files")]
    Empty,
}
