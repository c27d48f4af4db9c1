//! What `.gitignore` files name (`gitignore(5)`).
//!
//! What they name is in a commit because somebody put it there in spite of them: on purpose where it is
//! source, and for the lists of templates name `bin/`, `lib/` and `build/`; mostly by mistake where it
//! is data or a text that a program wrote. So it is the second that they decide on.

use std::collections::HashMap;
use std::str::Chars;

/// Patterns that are read of all files together, and the longest of them: people have some hundreds.
const MOST_PATTERNS: usize = 1000;
const LONGEST_PATTERN: usize = 200;

/// The patterns of a repository, those of its folders after those of the folders around them.
#[derive(Debug, Default)]
pub(super) struct Ignored {
    patterns: Vec<Pattern>,
    /// Folders of which it is known.
    folders: HashMap<String, bool>,
}

#[derive(Debug)]
struct Pattern {
    /// The folder of its file, in parts.
    folder: Vec<String>,
    /// What it is compared with, part by part; `**` stands for any number of parts.
    parts: Vec<String>,
    is_negated: bool,
    /// It means folders only.
    is_folder: bool,
}

impl Ignored {
    /// Whether a file is one of these.
    pub(super) fn is_file(path: &str) -> bool {
        path == ".gitignore" || path.ends_with("/.gitignore")
    }

    /// Takes in a file.
    pub(super) fn add(&mut self, path: &str, text: &str) {
        let folder: Vec<String> = path.split('/').map(str::to_owned).collect();
        let folder = folder.split_last().map_or(&[][..], |(_, folder)| folder);
        let room = MOST_PATTERNS.saturating_sub(self.patterns.len());
        let patterns = text.lines().filter_map(|line| pattern(line, folder));
        self.patterns.extend(patterns.take(room));
        // Of two that match the later counts, and a folder's own come after those around it.
        self.patterns.sort_by_key(|it| it.folder.len());
        self.folders.clear();
    }

    /// Whether they name this path, or a folder that it lies in.
    pub(super) fn names(&mut self, path: &str) -> bool {
        !self.patterns.is_empty() && (self.names_folder_of(path) || self.name(path, false))
    }

    fn names_folder_of(&mut self, path: &str) -> bool {
        let Some((folder, _)) = path.rsplit_once('/') else {
            return false;
        };
        if let Some(&known) = self.folders.get(folder) {
            return known;
        }
        let is_named = self.names_folder_of(folder) || self.name(folder, true);
        self.folders.insert(folder.to_owned(), is_named);
        is_named
    }

    fn name(&self, path: &str, is_folder: bool) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let mut latest_first = self.patterns.iter().rev();
        let decides = |it: &&Pattern| (is_folder || !it.is_folder) && it.matches(&parts);
        latest_first.find(decides).is_some_and(|it| !it.is_negated)
    }
}

impl Pattern {
    fn matches(&self, path: &[&str]) -> bool {
        let below = path.len() > self.folder.len();
        let inside = below
            && self
                .folder
                .iter()
                .zip(path)
                .all(|(one, other)| one == other);
        inside
            && are_like(
                &self.parts,
                path.get(self.folder.len()..).unwrap_or_default(),
            )
    }
}

/// Reads a line; `None` for a comment.
fn pattern(line: &str, folder: &[String]) -> Option<Pattern> {
    let line = line.trim_end_matches('\r');
    let trimmed = line.trim_end();
    // A space at the end counts where a backslash says so.
    let line = match line.get(trimmed.len()..) {
        Some(spaces) if trimmed.ends_with('\\') && !spaces.is_empty() => {
            line.get(..=trimmed.len()).unwrap_or(trimmed)
        }
        _ => trimmed,
    };
    if line.is_empty() || line.starts_with('#') || line.len() > LONGEST_PATTERN {
        return None;
    }
    let (is_negated, line) = match line.strip_prefix('!') {
        Some(line) => (true, line),
        None => (false, line),
    };
    let (is_folder, line) = match line.strip_suffix('/') {
        Some(line) => (true, line),
        None => (false, line),
    };
    // With a slash, it means a place; without, a name anywhere below.
    let is_anywhere = !line.contains('/');
    let line = line.strip_prefix('/').unwrap_or(line);
    let anywhere = is_anywhere.then(|| "**".to_owned());
    let parts = anywhere
        .into_iter()
        .chain(line.split('/').map(str::to_owned));
    Some(Pattern {
        folder: folder.to_vec(),
        parts: parts.collect(),
        is_negated,
        is_folder,
    })
}

/// Compares part by part. After `**` it goes on wherever the rest fits; going back to the last `**` is
/// enough, so that the time is bounded by both lengths.
fn are_like(patterns: &[String], parts: &[&str]) -> bool {
    let (mut pattern, mut part) = (0, 0);
    let mut back = None;
    loop {
        match patterns.get(pattern).map(String::as_str) {
            Some("**") => {
                pattern += 1;
                // At the end it means what is inside, and not the folder itself.
                if pattern == patterns.len() {
                    return part < parts.len();
                }
                back = Some((pattern, part));
                continue;
            }
            Some(one) if parts.get(part).is_some_and(|other| is_like(one, other)) => {
                pattern += 1;
                part += 1;
                continue;
            }
            None if part == parts.len() => return true,
            _ => {}
        }
        let Some((again, from)) = back.filter(|(_, from)| *from < parts.len()) else {
            return false;
        };
        back = Some((again, from + 1));
        (pattern, part) = (again, from + 1);
    }
}

/// Compares one part: `*`, `?`, `[a-z]`, `[!a-z]`, and `\` before what means itself.
fn is_like(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    let mut back: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let mut ahead = pattern.clone();
        if ahead.next() == Some('*') {
            back = Some((ahead.clone(), name.clone()));
            pattern = ahead;
            continue;
        }
        let mut rest = name.clone();
        match rest.next() {
            None if pattern.as_str().is_empty() => return true,
            Some(letter) if takes(&mut pattern, letter) => {
                name = rest;
                continue;
            }
            _ => {}
        }
        let Some((again, mut from)) = back.take() else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        (pattern, name) = (again.clone(), from.clone());
        back = Some((again, from));
    }
}

/// Whether the pattern begins with what means this letter, which then is taken off.
fn takes(pattern: &mut Chars<'_>, letter: char) -> bool {
    let mut rest = pattern.clone();
    let is_meant = match rest.next() {
        Some('?') => true,
        Some('\\') => rest.next() == Some(letter),
        Some('[') => takes_class(&mut rest, letter),
        one => one == Some(letter),
    };
    if is_meant {
        *pattern = rest;
    }
    is_meant
}

/// Whether a letter is in `[…]`, of which the bracket that opens it is off already. One that is not
/// closed means nothing.
fn takes_class(pattern: &mut Chars<'_>, letter: char) -> bool {
    let class = pattern.as_str();
    let (is_negated, class) = match class.strip_prefix(['!', '^']) {
        Some(class) => (true, class),
        None => (false, class),
    };
    // A bracket that comes first is one of the letters.
    let mut brackets = class.match_indices(']').map(|(at, _)| at);
    let Some((class, after)) = brackets
        .find(|at| *at > 0)
        .and_then(|at| Some((class.get(..at)?, class.get(at + 1..)?)))
    else {
        return false;
    };
    *pattern = after.chars();
    let mut is_in = false;
    let mut letters = class.chars().peekable();
    while let Some(first) = letters.next() {
        let mut range = letters.clone();
        if range.next() == Some('-')
            && let Some(last) = range.next()
        {
            is_in |= (first..=last).contains(&letter);
            letters = range;
        } else {
            is_in |= first == letter;
        }
    }
    is_in != is_negated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignored(files: &[(&str, &str)]) -> Ignored {
        let mut ignored = Ignored::default();
        for (path, text) in files {
            ignored.add(path, text);
        }
        ignored
    }

    /// What `git check-ignore` says of the same.
    #[test]
    fn patterns_mean_what_they_mean_to_git() {
        for (pattern, named, others) in [
            ("*.log", &["a.log", "x/y/b.log"][..], &["a.log.txt"][..]),
            ("/a.txt", &["a.txt"], &["x/a.txt"]),
            ("docs/*.md", &["docs/a.md"], &["docs/x/a.md", "x/docs/a.md"]),
            ("out/", &["out/a", "x/out/y/b"], &["out", "x/outer/a"]),
            ("**/cache", &["cache", "x/y/cache/a"], &["caches"]),
            ("a/**/b", &["a/b", "a/x/y/b"], &["b", "x/a/b"]),
            ("a/**", &["a/x", "a/x/y"], &["a"]),
            ("?.[ch]", &["a.c", "x/b.h"], &["ab.c", "a.d"]),
            ("[!a-c]x", &["dx"], &["ax", "x"]),
            ("[]]x", &["]x"], &["x"]),
            ("a[bc", &[], &["ab"]),
            ("\\!a", &["!a"], &["a"]),
            ("# a", &[], &["# a", "a"]),
            ("a\\ ", &["a "], &["a"]),
            ("*a*b*c", &["xaxbxc", "abc"], &["acb"]),
        ] {
            let mut ignored = ignored(&[(".gitignore", pattern)]);
            for path in named {
                assert!(ignored.names(path), "{pattern} names {path}");
            }
            for path in others {
                assert!(!ignored.names(path), "{pattern} does not name {path}");
            }
        }
    }

    #[test]
    fn the_last_that_matches_counts_and_nothing_comes_back_into_a_folder_that_is_named() {
        let files = [
            ("x/.gitignore", "!keep.log\r\n"),
            (
                ".gitignore",
                "*.log\n!important.log\nbuild/\n!build/a.log\n",
            ),
        ];
        let mut ignored = ignored(&files);
        for (path, is_named) in [
            ("a.log", true),
            ("important.log", false),
            ("x/keep.log", false),
            ("y/keep.log", true),
            ("build/a.log", true),
        ] {
            assert_eq!(ignored.names(path), is_named, "{path}");
        }
    }

    #[test]
    fn hostile_patterns_cost_their_length() {
        let stars = "*a".repeat(95) + "b";
        let folders = "**/a/".repeat(38) + "b";
        let mut ignored = ignored(&[(".gitignore", &format!("{stars}\n{folders}\n"))]);
        let path = "a/".repeat(60) + &"a".repeat(900);
        assert!(!ignored.names(&path));
    }
}
