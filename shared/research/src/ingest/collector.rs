//! The files of a repository as they come, one by one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Read;

use super::decode;
use super::ignored::Ignored;
use super::kind::{self, Mark};
use super::pool::Pool;
use super::rank::{Rank, Tier};
use super::write::{self, Repository};
use super::{Digest, IngestError, Lines, Request, licence};
use crate::notebook;

/// What is known of a file when all have come.
#[derive(Debug)]
pub(super) struct File {
    pub(super) size: u64,
    pub(super) state: State,
}

/// What became of a file.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Text for which there was no room.
    LeftOut,
    /// Included.
    Whole,
    /// The first lines are included.
    Beginning {
        lines: usize,
        of: usize,
    },
    /// Of a long file, the lines that the URL names are included.
    Lines(Lines),
    Marked(Mark),
}

/// Reads files that came one by one: those of a gist, or a single one.
///
/// ```
/// use nova_research::ingest::{self, Request};
///
/// # fn main() -> Result<(), ingest::IngestError> {
/// let request = Request::new("https://gist.github.com/0123456789abcdef0123", "gist 0123456789abcdef0123");
/// let digest = ingest::files([("hello.py", b"print('hi')\n".as_slice())], &request)?;
/// assert!(digest.markdown.contains("### `hello.py`\n\n```python\nprint('hi')\n```\n"));
/// # Ok(())
/// # }
/// ```
pub fn files<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    request: &Request,
) -> Result<Digest, IngestError> {
    let mut collector = Collector::new(request);
    for (path, bytes) in files {
        let (size, mut bytes) = (bytes.len() as u64, bytes);
        collector.file(path, size, &mut bytes)?;
    }
    collector.finish()
}

/// What has come.
pub(super) struct Collector<'a> {
    request: &'a Request,
    files: BTreeMap<String, File>,
    pool: Pool,
    buffer: Vec<u8>,
    /// Path and address of each submodule.
    submodules: BTreeMap<String, String>,
    licence: Option<String>,
    ignored: Ignored,
    commit: Option<String>,
    /// Names that cannot be names, or came twice.
    unusable: usize,
}

impl<'a> Collector<'a> {
    pub(super) fn new(request: &'a Request) -> Self {
        Self {
            request,
            files: BTreeMap::new(),
            pool: Pool::new(request.budget_tokens),
            buffer: Vec::new(),
            submodules: BTreeMap::new(),
            licence: request.licence.clone(),
            ignored: Ignored::default(),
            commit: request.commit.clone(),
            unusable: 0,
        }
    }

    pub(super) fn commit(&mut self, commit: &str) {
        self.commit = Some(commit.to_owned());
    }

    pub(super) const fn unusable(&mut self) {
        self.unusable += 1;
    }

    /// A link, or something else that has no text of its own.
    pub(super) fn marked(&mut self, path: &str, mark: Mark) -> Result<(), IngestError> {
        if is_within(path, &self.request.path) {
            self.insert(path, 0, State::Marked(mark))?;
        }
        Ok(())
    }

    /// A file; its bytes are read where they matter.
    pub(super) fn file(
        &mut self,
        path: &str,
        size: u64,
        bytes: &mut dyn Read,
    ) -> Result<(), IngestError> {
        let rank = Rank::new(path, size, &self.request.path);
        if !is_within(path, &self.request.path) && !is_context(path, rank.tier) {
            // Not listed: a folder of a repository of any size can be read.
            if size <= kind::MAX_FILE_BYTES && self.is_telling(path) {
                self.read(bytes)?;
                self.look_into(path);
            }
            return Ok(());
        }
        let mark = kind::by_name(path, size).or_else(|| self.ignored(path, rank.tier));
        let is_read = mark.is_none();
        let state = mark.map_or(State::LeftOut, State::Marked);
        if !self.insert(path, size, state)? || !is_read {
            return Ok(());
        }
        self.read(bytes)?;
        self.look_into(path);
        match self.text(path) {
            Ok(text) => {
                let is_named = path == self.request.path;
                let lines = self.request.lines.filter(|_| is_named);
                self.pool.add(rank, path, text, lines);
            }
            Err(mark) => {
                if let Some(file) = self.files.get_mut(path) {
                    file.state = State::Marked(mark);
                }
            }
        }
        Ok(())
    }

    /// Whether it is left out because `.gitignore` names it, and the URL does not.
    fn ignored(&mut self, path: &str, tier: Tier) -> Option<Mark> {
        let scope = &self.request.path;
        let is_left_out = !tier.is_source()
            && self.ignored.names(path)
            && (scope.is_empty() || !self.ignored.names(scope));
        is_left_out.then_some(Mark::Ignored)
    }

    fn read(&mut self, bytes: &mut dyn Read) -> Result<(), IngestError> {
        self.buffer.clear();
        let limit = kind::MAX_NOTEBOOK_BYTES;
        bytes.take(limit).read_to_end(&mut self.buffer)?;
        Ok(())
    }

    /// The text of the file that was read.
    fn text(&self, path: &str) -> Result<String, Mark> {
        let text = decode::text(&self.buffer)?;
        if let Some(mark) = kind::by_text(path, &text) {
            return Err(mark);
        }
        if kind::is_notebook(path)
            && let Ok(notebook) = notebook::read(&text)
        {
            return Ok(notebook);
        }
        Ok(text)
    }

    /// Chooses and writes.
    pub(super) fn finish(mut self) -> Result<Digest, IngestError> {
        for (path, url) in std::mem::take(&mut self.submodules) {
            self.marked(&path, Mark::Submodule(url))?;
        }
        // Some came before the `.gitignore` that names them.
        for (path, tier) in self.pool.paths() {
            if let Some(mark) = self.ignored(&path, tier)
                && let Some(file) = self.files.get_mut(&path)
            {
                file.state = State::Marked(mark);
            }
        }
        let files = &self.files;
        self.pool.retain(|path| {
            let file = files.get(path);
            file.is_none_or(|file| file.state == State::LeftOut)
        });
        let scope = &self.request.path;
        if !self.files.keys().any(|path| is_within(path, scope)) {
            return Err(if scope.is_empty() {
                IngestError::Empty
            } else {
                IngestError::NoSuchPath {
                    path: scope.clone(),
                }
            });
        }
        Ok(write::digest(
            self.request,
            Repository {
                files: self.files,
                licence: self.licence,
                commit: self.commit,
                unusable: self.unusable,
            },
            self.pool,
        ))
    }

    /// Whether it is new. Of two with one name the first counts: the second is a trick.
    fn insert(&mut self, path: &str, size: u64, state: State) -> Result<bool, IngestError> {
        let limit = self.request.limits.files;
        if self.files.len() >= limit {
            return Err(IngestError::TooManyFiles { limit });
        }
        match self.files.entry(path.to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert(File { size, state });
                Ok(true)
            }
            Entry::Occupied(_) => {
                self.unusable += 1;
                Ok(false)
            }
        }
    }

    /// Whether it says something about the whole repository.
    fn is_telling(&self, path: &str) -> bool {
        path == ".gitmodules"
            || Ignored::is_file(path)
            || self.licence.is_none() && licence::is_licence(path)
    }

    fn look_into(&mut self, path: &str) {
        if !self.is_telling(path) {
            return;
        }
        let text = String::from_utf8_lossy(&self.buffer);
        if path == ".gitmodules" {
            self.submodules = submodules(&text);
        } else if Ignored::is_file(path) {
            self.ignored.add(path, &text);
        } else {
            self.licence = licence::recognize(&text).map(str::to_owned);
        }
    }
}

/// Whether a path is what the URL names, or lies below it.
pub(super) fn is_within(path: &str, scope: &str) -> bool {
    scope.is_empty()
        || path
            .strip_prefix(scope)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The README and the manifests of the whole repository tell what the folder is a part of.
fn is_context(path: &str, tier: Tier) -> bool {
    !path.contains('/') && tier == Tier::Front
}

fn submodules(text: &str) -> BTreeMap<String, String> {
    const MOST: usize = 1000;
    let mut found = BTreeMap::new();
    let mut path = None;
    for line in text.lines() {
        let Some((key, value)) = line.split_once('=') else {
            path = None;
            continue;
        };
        match (key.trim(), path.take()) {
            ("path", _) => path = Some(value.trim().to_owned()),
            ("url", Some(path)) if found.len() < MOST => {
                found.insert(path, value.trim().to_owned());
            }
            (_, before) => path = before,
        }
    }
    found
}
