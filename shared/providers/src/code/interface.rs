//! The questions that every kind of host answers.

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use nova_runtime::fetch::FetchRequest;

use super::{CodeError, github::Gist};

pub(super) type Answer<'a, T> = BoxFuture<'a, Result<T, CodeError>>;

/// The interface of one host. A project is `owner/name`, of GitLab also `group/group/name`.
pub(super) trait Interface: fmt::Debug + Send + Sync {
    /// Branches and tags whose names begin like this; none, where URLs name them apart from the path.
    fn names<'a>(&'a self, _project: &'a str, _first: &'a str) -> Answer<'a, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The commit of a branch, tag or commit; of `HEAD`, that which the owner shows. `known` is the
    /// one at which it was.
    fn commit<'a>(
        &'a self,
        project: &'a str,
        reference: &'a str,
        known: Option<&'a str>,
    ) -> Answer<'a, State>;

    /// What the owner says of the repository.
    fn facts<'a>(&'a self, project: &'a str) -> Answer<'a, Facts>;

    /// One file of a commit.
    fn file<'a>(&'a self, project: &'a str, path: &'a str, commit: &'a str) -> Answer<'a, Bytes>;

    /// How the archive of a commit is fetched, with our token.
    fn archive(&self, project: &str, commit: &str) -> Result<FetchRequest, CodeError>;

    /// A gist with its mark; `None` when it is what it was. Only GitHub has them.
    fn gist<'a>(
        &'a self,
        _id: &'a str,
        _mark: Option<&'a str>,
    ) -> Answer<'a, Option<(Gist, Option<String>)>> {
        Box::pin(async { Err(CodeError::NotCode) })
    }
}

/// Whether a reference is at the commit at which it was.
pub(super) enum State {
    Same,
    Is(String),
}

/// What the owner says of a repository. A licence that is not told is looked for in the files.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) description: Option<String>,
    pub(super) licence: Option<String>,
    /// Whether everybody may read it.
    pub(super) is_public: bool,
}

/// Whether this is a commit's hash: SHA-1 or SHA-256.
pub(super) fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|it| it.is_ascii_hexdigit())
}
