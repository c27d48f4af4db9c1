//! The tree of a repository, with what became of each file.
//!
//! Every path is in it as long as there is room for so many lines; then the folders that are
//! furthest from the top are one line each, with what they hold.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use super::collector::{File, State};

/// The most entries of one folder that are listed where not all folders can be.
const FEW: usize = 40;

#[derive(Default)]
struct Folder<'a> {
    folders: BTreeMap<&'a str, Self>,
    files: Vec<(&'a str, &'a File)>,
    /// Here and below.
    count: usize,
    size: u64,
    included: usize,
    /// How many of its entries are listed.
    listed: usize,
}

/// Draws the tree, in at most so many lines or a few more.
pub(super) fn draw<'a>(
    top: &str,
    files: impl IntoIterator<Item = (&'a String, &'a File)>,
    lines: usize,
) -> String {
    let mut root = Folder::default();
    for (path, file) in files {
        root.add(path, file);
    }
    root.open(lines);
    let mut out = format!("Directory structure:\n└── {}/\n", printable(top));
    root.write("    ", &mut out);
    out
}

impl<'a> Folder<'a> {
    fn add(&mut self, path: &'a str, file: &'a File) {
        let mut folder = self;
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        folder.count(file);
        for part in folders.split('/').filter(|it| !it.is_empty()) {
            folder = folder.folders.entry(part).or_default();
            folder.count(file);
        }
        folder.files.push((name, file));
    }

    fn count(&mut self, file: &File) {
        self.count += 1;
        self.size += file.size;
        self.included += usize::from(file.is_included());
    }

    /// Decides which folders are listed: those near the top first.
    fn open(&mut self, mut lines: usize) {
        let mut queue = VecDeque::from([self]);
        while let Some(folder) = queue.pop_front() {
            // READMEs first, as people read.
            folder.files.sort_by_key(|(name, _)| {
                (
                    !name.to_ascii_lowercase().starts_with("readme"),
                    name.starts_with('.'),
                )
            });
            let entries = folder.files.len() + folder.folders.len();
            folder.listed = if entries <= lines {
                entries
            } else {
                FEW.min(lines)
            };
            lines = lines.saturating_sub(folder.listed);
            let open = folder.listed.saturating_sub(folder.files.len());
            queue.extend(folder.folders.values_mut().take(open));
        }
    }

    /// Its entries: files, then folders.
    fn write(&self, indent: &str, out: &mut String) {
        let entries = self.files.len() + self.folders.len();
        let is_cut = self.listed < entries;
        let mut left = self.listed;
        let mut branch = |out: &mut String| {
            left -= 1;
            let is_last = left == 0 && !is_cut;
            out.push_str(indent);
            out.push_str(if is_last { "└── " } else { "├── " });
            is_last
        };
        for (name, file) in self.files.iter().take(self.listed) {
            branch(out);
            out.push_str(&printable(name));
            file.write(out);
            out.push('\n');
        }
        let open = self.listed.saturating_sub(self.files.len());
        for (name, folder) in self.folders.iter().take(open) {
            let is_last = branch(out);
            let _ = write!(out, "{}/", printable(name));
            if folder.listed == 0 {
                let _ = writeln!(out, " ({})", folder.summary());
                continue;
            }
            out.push('\n');
            let below = format!("{indent}{}", if is_last { "    " } else { "│   " });
            folder.write(&below, out);
        }
        if is_cut {
            let _ = writeln!(out, "{indent}└── … {} more entries", entries - self.listed);
        }
    }

    fn summary(&self) -> String {
        let files = if self.count == 1 { "file" } else { "files" };
        let size = size(self.size);
        match self.included {
            0 => format!("{} {files}, {size}", self.count),
            included => format!(
                "{} {files}, {size}, {included} of them included",
                self.count
            ),
        }
    }
}

impl File {
    pub(super) const fn is_included(&self) -> bool {
        matches!(
            self.state,
            State::Whole | State::Beginning { .. } | State::Lines(_)
        )
    }

    fn write(&self, out: &mut String) {
        if self.size > 0 {
            let _ = write!(out, " ({})", size(self.size));
        }
        let _ = match &self.state {
            State::Whole => Ok(()),
            State::LeftOut => write!(out, " [left out]"),
            State::Beginning { lines, of } => write!(out, " [first {lines} of {of} lines]"),
            State::Lines(lines) => write!(out, " [lines {lines}]"),
            State::Marked(mark) => write!(out, " {}", printable(&mark.words())),
        };
    }
}

/// A size as people write it.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{}.{} KB", bytes / 1000, bytes % 1000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// A name that stays on its line.
pub(super) fn printable(name: &str) -> String {
    name.chars()
        .map(|it| {
            if it.is_control() || is_direction(it) {
                '\u{fffd}'
            } else {
                it
            }
        })
        .collect()
}

/// Marks that let a name read as another.
const fn is_direction(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::super::kind::Mark;
    use super::*;

    fn files(paths: &[&str]) -> BTreeMap<String, File> {
        let file = |path: &&str| {
            let state = State::Whole;
            ((*path).to_owned(), File { size: 1234, state })
        };
        paths.iter().map(file).collect()
    }

    #[test]
    fn files_come_before_folders_and_readmes_before_files() {
        let mut files = files(&["b.rs", ".gitignore", "a/x/y.rs", "README.md", "a.rs"]);
        files.insert(
            "l".into(),
            File {
                size: 0,
                state: State::Marked(Mark::Link("a.rs".into())),
            },
        );
        files.insert(
            "z/big.rs".into(),
            File {
                size: 2_500_000,
                state: State::Beginning { lines: 10, of: 900 },
            },
        );
        let tree = draw("r", &files, 100);
        assert_eq!(
            tree,
            "\
Directory structure:
└── r/
    ├── README.md (1.2 KB)
    ├── a.rs (1.2 KB)
    ├── b.rs (1.2 KB)
    ├── l -> a.rs
    ├── .gitignore (1.2 KB)
    ├── a/
    │   └── x/
    │       └── y.rs (1.2 KB)
    └── z/
        └── big.rs (2.5 MB) [first 10 of 900 lines]
"
        );
    }

    #[test]
    fn a_tree_of_any_size_has_so_many_lines() {
        let paths: Vec<String> = (0..5000)
            .map(|it| format!("{}/{}/{it}.rs", it % 20, it % 7))
            .collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let tree = draw("r", &files(&paths), 200);
        assert!(tree.lines().count() < 300, "{}", tree.lines().count());
        assert!(tree.contains("files, "), "{tree}");
        assert!(tree.contains("├── 11/"));
    }
}
