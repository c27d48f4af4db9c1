//! The sources of an article, as a list to cite from.
//!
//! What research found and kept comes first, by its number; then what was read for the article
//! otherwise. A source is listed once, whoever found it and wherever it was read
//! ([`identity`]).
//!
//! ```
//! use nova_research::references::{Reference, References};
//!
//! let mut references = References::default();
//! references.add(Reference {
//!     number: Some(3),
//!     ..Reference::new("https://arxiv.org/abs/2310.11511")
//! });
//! references.add(Reference {
//!     title: Some("Self-RAG".to_owned()),
//!     ..Reference::new("https://arxiv.org/pdf/2310.11511v1")
//! });
//! let list = references.markdown();
//! assert_eq!(list, "- [3] Self-RAG. <https://arxiv.org/abs/2310.11511>\n");
//! ```

mod bibtex;

use std::{collections::HashMap, fmt::Write as _};

use serde::Serialize;

use crate::identity::identity;
use crate::url::{Reach, SourceUrl};

/// A source that can be cited.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Reference {
    /// The number of a source that research found: `Source [n]`.
    pub number: Option<u64>,
    /// Where it is.
    pub url: String,
    /// What it calls itself.
    pub title: Option<String>,
    /// Who wrote it; several are separated by commas.
    pub author: Option<String>,
    /// When it was published, as its origin writes it.
    pub published: Option<String>,
    /// The day on which it was read in full, as `2026-03-01`.
    pub read_on: Option<String>,
}

impl Reference {
    /// A source of which no more is known.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ..Self::default()
        }
    }
}

/// References, each source once.
#[derive(Clone, Debug, Default)]
pub struct References {
    all: Vec<Reference>,
    /// The identity of each, with its place.
    places: HashMap<String, usize>,
}

impl References {
    /// Adds a source, or what is not known yet of one that is listed. What has no address cannot be
    /// cited, and is left out.
    pub fn add(&mut self, reference: Reference) {
        let Ok(url) = SourceUrl::parse_within(&reference.url, Reach::OwnNetwork) else {
            return;
        };
        let place = *self.places.entry(identity(&url)).or_insert(self.all.len());
        match self.all.get_mut(place) {
            None => self.all.push(reference),
            Some(known) => {
                known.title = known.title.take().or(reference.title);
                known.author = known.author.take().or(reference.author);
                known.published = known.published.take().or(reference.published);
                known.read_on = known.read_on.take().or(reference.read_on);
            }
        }
    }

    /// All of them, in the order in which they were added.
    #[must_use]
    pub fn all(&self) -> &[Reference] {
        &self.all
    }

    /// As a list in Markdown, one to a line.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut list = String::new();
        for reference in &self.all {
            list.push_str("- ");
            if let Some(number) = reference.number {
                let _ = write!(list, "[{number}] ");
            }
            for text in [&reference.author, &reference.title].into_iter().flatten() {
                let text = plain(text);
                let _ = write!(list, "{}. ", text.trim_end_matches('.'));
            }
            let _ = write!(list, "<{}>", address(&reference.url));
            if let Some(published) = &reference.published {
                let _ = write!(list, " ({})", plain(published));
            }
            list.push('\n');
        }
        list
    }

    /// As a bibliography for BibTeX, an entry for each.
    #[must_use]
    pub fn bibtex(&self) -> String {
        bibtex::bibliography(&self.all)
    }
}

/// One line in which nothing is markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        for char in word.chars().filter(|it| !it.is_control()) {
            if matches!(
                char,
                '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '!' | '#'
            ) {
                plain.push('\\');
            }
            plain.push(char);
        }
    }
    plain
}

/// An address that ends neither its angle brackets nor its line, nor a group of BibTeX.
fn address(url: &str) -> String {
    let mut address = String::with_capacity(url.len());
    for char in url.chars().filter(|it| !it.is_control()) {
        match char {
            '<' => address.push_str("%3C"),
            '>' => address.push_str("%3E"),
            '{' => address.push_str("%7B"),
            '}' => address.push_str("%7D"),
            '\\' => address.push_str("%5C"),
            _ if char.is_whitespace() => address.push_str("%20"),
            _ => address.push(char),
        }
    }
    address
}
