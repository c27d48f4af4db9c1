//! A repository as Markdown, in the layout that `research.md` is known for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::collector::{File, State, is_within};
use super::pool::{Candidate, Pool};
use super::tree::{self, printable};
use super::{Digest, Request, secrets, tokens};
use crate::fence::fenced;
use crate::language;

/// A file of which its URL names lines is also shown whole, up to this length.
const SHORT_TOKENS: usize = 4000;
/// The tree may have one token of so many of the budget.
const PART_OF_TREE: usize = 4;
/// What surrounds a text and its path.
const HEADING_TOKENS: usize = 9;
/// What the headings have.
const HEADINGS_TOKENS: usize = 40;
/// What a line of the tree has, about.
const TOKENS_OF_LINE: usize = 12;

/// All that came.
pub(super) struct Repository {
    pub(super) files: BTreeMap<String, File>,
    pub(super) licence: Option<String>,
    pub(super) commit: Option<String>,
    pub(super) unusable: usize,
}

/// Chooses what there is room for and writes it all.
pub(super) fn digest(request: &Request, mut repository: Repository, pool: Pool) -> Digest {
    let budget = request.budget_tokens;
    let lines = budget / PART_OF_TREE / TOKENS_OF_LINE;
    let tree = repository.tree(request, lines);
    // What the marks of the tree and the summary will need.
    let frame = tokens::estimate(&tree) + repository.files.len().min(lines) * 2 + 300;
    let chosen = pool.choose(budget.saturating_sub(frame));
    for candidate in &chosen {
        repository.state(candidate);
    }
    let tree = repository.tree(request, lines);
    let summary = repository.summary(request);
    let tokens = chosen.iter().map(Candidate::tokens).sum::<usize>()
        + tokens::estimate(&summary)
        + tokens::estimate(&tree)
        + HEADINGS_TOKENS;
    let url = printable(&request.url);
    let written = tokens::written(tokens);
    let mut markdown = format!(
        "# Repository analysis for {url}\n\n\
         ## Summary\n\n{summary}- Estimated tokens: {written}\n\n\
         ## File tree\n\n```text\n{tree}```\n\n\
         ## Extracted content\n\n"
    );
    write_contents(&chosen, &mut markdown);
    let markdown = match secrets::redact(&markdown) {
        Cow::Borrowed(_) => markdown,
        Cow::Owned(redacted) => redacted,
    };
    Digest {
        markdown,
        tokens,
        files: repository.within(request).count(),
        included: repository
            .files
            .values()
            .filter(|it| it.is_included())
            .count(),
        commit: repository.commit,
    }
}

impl Candidate {
    /// What it takes with its heading and its fence.
    fn tokens(&self) -> usize {
        let text = if self.is_whole {
            self.tokens
        } else {
            tokens::estimate(&self.text)
        };
        let part = self.part.as_ref();
        let part = part.map_or(0, |(_, part)| tokens::estimate(part));
        tokens::estimate(&self.path) + HEADING_TOKENS + part + text
    }

    /// Too long to be shown beside the lines that the URL names.
    const fn is_long(&self) -> bool {
        self.tokens > SHORT_TOKENS
    }
}

impl Repository {
    fn state(&mut self, candidate: &Candidate) {
        let Some(file) = self.files.get_mut(&candidate.path) else {
            return;
        };
        file.state = match &candidate.part {
            Some((lines, _)) if candidate.is_long() => State::Lines(*lines),
            _ if candidate.is_whole => State::Whole,
            _ => State::Beginning {
                lines: tokens::lines(&candidate.text),
                of: candidate.lines,
            },
        };
    }

    fn within<'a>(&'a self, request: &'a Request) -> impl Iterator<Item = (&'a String, &'a File)> {
        self.files
            .iter()
            .filter(|(path, _)| is_within(path, &request.path))
    }

    fn tree(&self, request: &Request, lines: usize) -> String {
        let top = request.name.rsplit('/').next().unwrap_or_default();
        tree::draw(top, &self.files, lines)
    }

    fn summary(&self, request: &Request) -> String {
        let mut out = String::new();
        let mut line = |name: &str, value: &str| {
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            let value: String = printable(&value).chars().take(500).collect();
            let _ = writeln!(out, "- {name}: {value}");
        };
        line("Repository", &request.name);
        match (&self.commit, &request.reference) {
            (Some(commit), Some(reference)) => line("Commit", &format!("{commit} ({reference})")),
            (Some(commit), None) => line("Commit", commit),
            (None, Some(reference)) => line("Branch or tag", reference),
            (None, None) => {}
        }
        if let Some(description) = &request.description {
            line("Description", description);
        }
        if let Some(licence) = &self.licence {
            line("Licence", licence);
        }
        if !request.path.is_empty() {
            line("Path", &request.path);
        }
        if let Some(lines) = request.lines {
            line("Lines", &lines.to_string());
        }
        let languages = self.languages(request);
        if !languages.is_empty() {
            line("Languages", &languages);
        }
        line("Files", &self.counts(request));
        if self.unusable > 0 {
            let names = "with names that cannot be used, or that came twice";
            line("Not read", &format!("{} files {names}", self.unusable));
        }
        out
    }

    /// The shares of the languages, by bytes, as `Rust 83 %, Python 17 %`.
    fn languages(&self, request: &Request) -> String {
        let mut sizes = BTreeMap::<&str, u64>::new();
        for (path, file) in self.within(request) {
            let is_text = !matches!(file.state, State::Marked(_));
            if let Some(name) = language::of_path(path).name.filter(|_| is_text) {
                *sizes.entry(name).or_default() += file.size;
            }
        }
        let total: u64 = sizes.values().sum();
        let mut sizes: Vec<_> = sizes
            .into_iter()
            .filter(|(_, it)| it * 100 >= total)
            .collect();
        sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        let shares = sizes
            .iter()
            .map(|(name, size)| format!("{name} {} %", (size * 100 + total / 2) / total.max(1)));
        shares.collect::<Vec<_>>().join(", ")
    }

    fn counts(&self, request: &Request) -> String {
        let count = |what: fn(&State) -> bool| {
            let within = self.within(request);
            within.filter(|(_, file)| what(&file.state)).count()
        };
        let size = self.within(request).map(|(_, file)| file.size).sum();
        let mut text = format!("{} ({})", self.within(request).count(), tree::size(size));
        for (number, what) in [
            (count(|it| *it == State::Whole), "included"),
            (
                count(|it| matches!(it, State::Beginning { .. } | State::Lines(_))),
                "included in part",
            ),
            (
                count(|it| *it == State::LeftOut),
                "left out for lack of room",
            ),
            (count(|it| matches!(it, State::Marked(_))), "only named"),
        ] {
            if number > 0 {
                let _ = write!(text, ", {number} {what}");
            }
        }
        text
    }
}

fn write_contents(chosen: &[Candidate], out: &mut String) {
    let room = chosen.iter().map(|it| it.text.len() + it.path.len() + 32);
    out.reserve(room.sum());
    for candidate in chosen {
        let path = code_span(&printable(&candidate.path));
        let fence = language::of_path(&candidate.path).fence;
        let of = candidate.lines;
        if let Some((lines, part)) = &candidate.part {
            let _ = writeln!(out, "### {path} (lines {lines} of {of})\n");
            block(part, fence, out);
            if candidate.is_long() {
                continue;
            }
        }
        let _ = match tokens::lines(&candidate.text) {
            _ if candidate.is_whole => writeln!(out, "### {path}\n"),
            0 | 1 => writeln!(out, "### {path} (the beginning of {of} lines)\n"),
            shown => writeln!(out, "### {path} (first {shown} of {of} lines)\n"),
        };
        block(&candidate.text, fence, out);
    }
    if chosen.is_empty() {
        out.push_str("_No text to include._\n");
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
}

/// A code block, with a fence that nothing in it closes.
fn block(text: &str, language: &str, out: &mut String) {
    out.push_str(&fenced(text.trim_end_matches('\n'), language));
    out.push_str("\n\n");
}

/// A path in a heading: `__init__.py` is no bold word.
fn code_span(path: &str) -> String {
    if path.contains('`') {
        format!("`` {path} ``")
    } else {
        format!("`{path}`")
    }
}
