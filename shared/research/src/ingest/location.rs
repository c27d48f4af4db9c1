//! What a URL of a code host names.

use std::fmt;

use url::Url;

use super::tokens;
use crate::url::CodeSite;

/// What a URL names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Location {
    /// A repository, or something in it.
    Repository {
        /// `owner/name`; on GitLab the owner may be a path of groups.
        project: String,
        /// What of it.
        place: Place,
    },
    /// A gist.
    Gist {
        /// Its id.
        id: String,
    },
}

/// What of a repository a URL names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// All of it, in the state that its owner shows.
    Whole,
    /// A branch, tag or commit, and the folder or file behind it: `main/src/lib.rs`. Where the one
    /// ends and the other begins, only the list of branches and tags tells ([`Place::split`]).
    Below {
        /// Both, in their parts.
        parts: Vec<String>,
        /// It is a file.
        is_file: bool,
        /// The lines that are meant.
        lines: Option<Lines>,
    },
    /// A folder or file of a branch, tag or commit that the URL names apart from the path, as those of
    /// Bitbucket Data Center do.
    At {
        /// The branch, tag or commit; `HEAD`, where none is named.
        reference: String,
        /// The path; empty for all of it.
        path: String,
        /// It is a file.
        is_file: bool,
        /// The lines that are meant.
        lines: Option<Lines>,
    },
}

/// Lines of a file, from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lines {
    /// The first.
    pub first: usize,
    /// The last; not before the first.
    pub last: usize,
}

impl Location {
    /// What a URL on such a host names; `None` for its other pages.
    ///
    /// ```
    /// use nova_research::{ingest::Location, url::CodeSite};
    ///
    /// let location = Location::parse("https://github.com/a/b/blob/v1/src/lib.rs#L3-L9", CodeSite::Github);
    /// let Some(Location::Repository { project, place }) = location else { panic!() };
    /// assert_eq!(project, "a/b");
    /// assert_eq!(place.split(&[]), ("v1".to_owned(), "src/lib.rs".to_owned()));
    /// ```
    pub fn parse(url: &str, site: CodeSite) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let mut parts = Vec::new();
        for part in url.path_segments()?.filter(|it| !it.is_empty()) {
            decode(part, &mut parts)?;
        }
        let lines = url.fragment().and_then(|it| Lines::parse(it, site));
        match site {
            CodeSite::Github => github(url.host_str()?, &parts, lines),
            CodeSite::Gitlab => gitlab(parts, lines),
            CodeSite::Bitbucket => {
                let (project, rest) = project(&parts)?;
                match rest {
                    [] => Some(Self::whole(project)),
                    // The page of a folder and that of a file look alike, but for the lines.
                    [word, below @ ..] if word == "src" || word == "raw" => {
                        let is_file = word == "raw" || lines.is_some();
                        Self::below(project, below, is_file, lines)
                    }
                    _ => None,
                }
            }
            CodeSite::BitbucketDataCenter => bitbucket_data_center(&url, &parts, lines),
        }
    }

    fn whole(project: String) -> Self {
        let place = Place::Whole;
        Self::Repository { project, place }
    }

    fn below(
        project: String,
        parts: &[String],
        is_file: bool,
        lines: Option<Lines>,
    ) -> Option<Self> {
        if parts.is_empty() || is_file && parts.len() < 2 {
            return None;
        }
        let place = Place::Below {
            parts: parts.to_vec(),
            is_file,
            lines: lines.filter(|_| is_file),
        };
        Some(Self::Repository { project, place })
    }
}

impl Place {
    /// The branch, tag or commit, and the path behind it. `known` are the branches and tags whose
    /// names begin as this one does; the longest counts, and without any the first part does.
    pub fn split(&self, known: &[String]) -> (String, String) {
        let parts = match self {
            Self::Whole => return ("HEAD".to_owned(), String::new()),
            Self::Below { parts, .. } => parts,
            Self::At {
                reference, path, ..
            } => return (reference.clone(), path.clone()),
        };
        let parts = match parts.as_slice() {
            // As URLs of raw files say it.
            [refs, kind, rest @ ..] if refs == "refs" && !rest.is_empty() && is_kind(kind) => rest,
            parts => parts,
        };
        let length = (1..=parts.len())
            .rev()
            .find(|length| {
                let name = parts.get(..*length).unwrap_or_default().join("/");
                known.contains(&name)
            })
            .unwrap_or(1);
        let (reference, path) = parts.split_at(length.min(parts.len()));
        (reference.join("/"), path.join("/"))
    }

    /// The first part of the name of the branch or tag, when more of it may follow.
    pub fn ambiguous(&self) -> Option<&str> {
        match self {
            Self::Below { parts, .. } if parts.len() > 1 && parts.first()? != "refs" => {
                Some(parts.first()?)
                    .filter(|it| !is_commit(it))
                    .map(String::as_str)
            }
            _ => None,
        }
    }

    /// Whether the URL says that this is a file.
    pub const fn is_file(&self) -> bool {
        matches!(
            self,
            Self::Below { is_file: true, .. } | Self::At { is_file: true, .. }
        )
    }

    /// The lines that are meant.
    pub const fn lines(&self) -> Option<Lines> {
        match self {
            Self::Below { lines, .. } | Self::At { lines, .. } => *lines,
            Self::Whole => None,
        }
    }
}

impl Lines {
    /// Reads `L10`, `L10-L20`, `L10-20` and `L10C3-L20C1`; of Bitbucket, `lines-10` and `lines-10:20`,
    /// and of its Data Center `10` and `10-20`, of several selections the first. Elsewhere what begins
    /// with a number is a heading.
    fn parse(fragment: &str, site: CodeSite) -> Option<Self> {
        let number = |text: &str| {
            let text = text.strip_prefix('L').unwrap_or(text);
            let end = text
                .find(|it: char| !it.is_ascii_digit())
                .unwrap_or(text.len());
            text.get(..end)?.parse::<usize>().ok().filter(|it| *it > 0)
        };
        let (begin, between) = match site {
            CodeSite::Github | CodeSite::Gitlab => ("L", '-'),
            CodeSite::Bitbucket => ("lines-", ':'),
            CodeSite::BitbucketDataCenter => ("", '-'),
        };
        let lines = fragment.strip_prefix(begin)?;
        let (first, last) = lines.split_once(between).unwrap_or((lines, lines));
        let first = number(first)?;
        let last = number(last).unwrap_or(first).max(first);
        Some(Self { first, last })
    }

    /// These lines of a text, or the first of them that have at most so many tokens.
    pub(super) fn of(self, text: &str, tokens: usize) -> String {
        let lines = text.lines().skip(self.first - 1);
        let count = self.last - self.first + 1;
        let lines = lines.take(count).collect::<Vec<_>>().join("\n");
        tokens::first(&lines, tokens).to_owned()
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}–{}", self.first, self.last)
    }
}

fn github(host: &str, parts: &[String], lines: Option<Lines>) -> Option<Location> {
    // On GitHub Enterprise, gists and raw files may lie below a name in place of a host of theirs.
    let (place, parts) = match parts {
        [place, rest @ ..]
            if (place == "gist" || place == "raw")
                && host != "github.com"
                && !host.starts_with("gist.")
                && !host.starts_with("raw.") =>
        {
            (place.as_str(), rest)
        }
        _ => (host, parts),
    };
    if place == "gist" || place.starts_with("gist.") {
        // With or without the owner before it.
        let id = match parts {
            [id] => id,
            [first, second, ..] if is_gist(first) && !is_gist(second) => first,
            [_owner, id, ..] => id,
            [] => return None,
        };
        let id = id.strip_suffix(".git").unwrap_or(id).to_owned();
        return Some(Location::Gist { id });
    }
    let (project, rest) = project(parts)?;
    if place == "raw" || place.starts_with("raw.") {
        return Location::below(project, rest, true, lines);
    }
    match rest {
        [] => Some(Location::whole(project)),
        [word, below @ ..] => match word.as_str() {
            "tree" => Location::below(project, below, false, lines),
            "blob" | "raw" => Location::below(project, below, true, lines),
            _ => None,
        },
    }
}

fn gitlab(mut parts: Vec<String>, lines: Option<Lines>) -> Option<Location> {
    let dash = parts.iter().position(|it| it == "-");
    let rest = parts.split_off(dash.unwrap_or(parts.len()));
    if parts.len() < 2 {
        return None;
    }
    let project = parts.join("/");
    let project = project.strip_suffix(".git").unwrap_or(&project).to_owned();
    match rest.as_slice() {
        [] => Some(Location::whole(project)),
        [_, word, below @ ..] => match word.as_str() {
            "tree" => Location::below(project, below, false, lines),
            "blob" | "raw" => Location::below(project, below, true, lines),
            _ => None,
        },
        _ => None,
    }
}

fn bitbucket_data_center(url: &Url, parts: &[String], lines: Option<Lines>) -> Option<Location> {
    // It may lie below a path of one part.
    let below = usize::from(parts.first()? != "projects");
    let [projects, owner, repos, name, rest @ ..] = parts.get(below..)? else {
        return None;
    };
    if projects != "projects" || repos != "repos" {
        return None;
    }
    let project = format!("{owner}/{name}");
    let (word, path) = match rest {
        [] => return Some(Location::whole(project)),
        [word, path @ ..] => (word.as_str(), path.join("/")),
    };
    let lines = lines.filter(|_| !path.is_empty());
    let is_file = match word {
        "browse" => lines.is_some(),
        "raw" if !path.is_empty() => true,
        _ => return None,
    };
    let at = url.query_pairs().find(|(name, _)| name == "at");
    let reference = at.map_or_else(|| "HEAD".into(), |(_, reference)| reference);
    let reference = ["refs/heads/", "refs/tags/"]
        .iter()
        .find_map(|kind| reference.strip_prefix(kind))
        .unwrap_or(&reference);
    if reference.is_empty() || reference.chars().any(char::is_control) {
        return None;
    }
    let place = Place::At {
        reference: reference.to_owned(),
        path,
        is_file,
        lines,
    };
    Some(Location::Repository { project, place })
}

fn project(parts: &[String]) -> Option<(String, &[String])> {
    let [owner, name, rest @ ..] = parts else {
        return None;
    };
    let name = name.strip_suffix(".git").unwrap_or(name);
    Some((format!("{owner}/{name}"), rest))
}

/// A part of a path as it is called; a slash in it (`feature%2Fx`) makes two. `None` where that is
/// no name.
fn decode(part: &str, parts: &mut Vec<String>) -> Option<()> {
    let part = percent_encoding::percent_decode_str(part)
        .decode_utf8()
        .ok()?;
    for name in part.split('/') {
        let is_name = !name.contains('\\')
            && !matches!(name, "" | "." | "..")
            && !name.chars().any(char::is_control);
        if !is_name {
            return None;
        }
        parts.push(name.to_owned());
    }
    Some(())
}

fn is_kind(part: &str) -> bool {
    part == "heads" || part == "tags"
}

fn is_commit(part: &str) -> bool {
    part.len() == 40 && part.bytes().all(|it| it.is_ascii_hexdigit())
}

fn is_gist(part: &str) -> bool {
    (20..=40).contains(&part.len()) && part.bytes().all(|it| it.is_ascii_hexdigit())
}
