//! References as a bibliography for BibTeX, and for whatever reads its files.

use std::fmt::Write as _;

use super::{Reference, address};
use crate::identity::identity;
use crate::url::{Reach, SourceUrl};

pub(super) fn bibliography(references: &[Reference]) -> String {
    let mut entries = String::new();
    let mut others = 0_usize;
    for reference in references {
        if !entries.is_empty() {
            entries.push('\n');
        }
        // Numbered ones keep their name whatever is found later.
        let key = if let Some(number) = reference.number {
            format!("source{number}")
        } else {
            others += 1;
            format!("page{others}")
        };
        entry(&key, reference, &mut entries);
    }
    entries
}

fn entry(key: &str, reference: &Reference, out: &mut String) {
    let _ = writeln!(out, "@misc{{{key},");
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(out, "  {name} = {{{value}}},");
    };
    if let Some(author) = &reference.author {
        // Its own word between names; the outer braces keep a name of several words together.
        let names: Vec<String> = author
            .split(',')
            .map(|name| format!("{{{}}}", text(name)))
            .collect();
        field("author", &names.join(" and "));
    }
    // In further braces, so that its capitals stay.
    let title = reference.title.as_deref().unwrap_or(&reference.url);
    field("title", &format!("{{{}}}", text(title)));
    if let Some(year) = reference.published.as_deref().and_then(year) {
        field("year", &year);
    }
    let key = SourceUrl::parse_within(&reference.url, Reach::OwnNetwork)
        .map(|url| identity(&url))
        .unwrap_or_default();
    if let Some(paper) = key.strip_prefix("arxiv:") {
        field("eprint", &text(paper));
        field("archiveprefix", "arXiv");
    }
    if let Some(doi) = key.strip_prefix("doi:") {
        field("doi", &text(doi));
    }
    field("url", &address(&reference.url));
    if let Some(day) = &reference.read_on {
        field("urldate", &text(day));
    }
    out.push_str("}\n");
}

/// The year that a date begins with.
fn year(date: &str) -> Option<String> {
    let year: String = date.trim().chars().take(4).collect();
    (year.len() == 4 && year.bytes().all(|it| it.is_ascii_digit())).then_some(year)
}

/// One line in which nothing is a command of TeX, and no brace.
fn text(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        for char in word.chars().filter(|it| !it.is_control()) {
            match char {
                '\\' => line.push_str("\\textbackslash{}"),
                '~' => line.push_str("\\textasciitilde{}"),
                '^' => line.push_str("\\textasciicircum{}"),
                '{' => line.push_str("\\textbraceleft{}"),
                '}' => line.push_str("\\textbraceright{}"),
                '$' | '&' | '#' | '_' | '%' => {
                    line.push('\\');
                    line.push(char);
                }
                _ => line.push(char),
            }
        }
    }
    line
}
