//! How much of an article's outline is covered by what is stored for it.
//!
//! A [`Library`] holds the texts, cut into passages. A section is as well covered as the passages
//! that speak of it: each source counts by its best one (BM25, as the share of what a passage could
//! reach), and several sources count as so many chances that the section is served:
//! `1 − ∏ (1 − match)` over the best five. So one good source covers a section well, a further one
//! covers it better, and a hundred that mention a word do not cover it at all.

mod digest;
mod extract;
mod passages;

use serde::Serialize;

use self::passages::passages;
use crate::{
    outline::{Outline, Section},
    text::{Field, Index},
};

/// Passages are of one size, so that length says little.
const PASSAGE: Field = Field {
    weight: 1.0,
    b: 0.4,
};
/// So many sources count for a section.
const SOURCES: usize = 5;
/// A passage that matches less mentions a word by chance.
const MIN_MATCH: f64 = 0.15;
/// So many words that nothing stored has are named.
const MISSING_WORDS: usize = 6;

/// A text that is stored for an article.
#[derive(Clone, Debug)]
pub struct Text {
    /// Its URL or file name.
    pub title: String,
    /// The whole of it, or its beginning, as Markdown.
    pub body: String,
}

/// What is stored for an article.
pub struct Library {
    texts: Vec<Text>,
    index: Index<1>,
    /// By passage: of which text, and where in it.
    passages: Vec<Passage>,
}

#[derive(Clone, Copy)]
struct Passage {
    text: usize,
    from: usize,
    to: usize,
}

/// How a section is covered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Covered {
    /// Its heading.
    pub section: String,
    /// From 0, nothing stored speaks of it, to 1.
    pub coverage: f64,
    /// How many of the stored texts speak of it.
    pub sources: usize,
    /// Words of it that no stored text has, the weightiest first.
    pub missing: Vec<String>,
}

impl Default for Library {
    fn default() -> Self {
        Self::new()
    }
}

impl Library {
    /// Nothing is stored yet.
    pub fn new() -> Self {
        Self {
            texts: Vec::new(),
            index: Index::new([PASSAGE]),
            passages: Vec::new(),
        }
    }

    /// Adds a text.
    pub fn add(&mut self, text: Text) {
        let number = self.texts.len();
        for range in passages(&text.body) {
            self.index
                .add([text.body.get(range.clone()).unwrap_or_default()]);
            self.passages.push(Passage {
                text: number,
                from: range.start,
                to: range.end,
            });
        }
        self.texts.push(text);
    }

    /// How each section of an outline is covered, in its order.
    pub fn coverage(&self, outline: &Outline) -> Vec<Covered> {
        let sections = outline.sections().iter();
        sections.map(|section| self.covered(section)).collect()
    }

    fn covered(&self, section: &Section) -> Covered {
        let mut best = self.best_of_each_text(section);
        best.retain(|&(_, score)| score >= MIN_MATCH);
        let open: f64 = best
            .iter()
            .take(SOURCES)
            .map(|(_, score)| 1.0 - score)
            .product();
        let missing = section.words().filter(|word| !self.index.has(word));
        Covered {
            section: section.title().to_owned(),
            coverage: ((1.0 - open) * 100.0).round() / 100.0,
            sources: best.len(),
            missing: missing.take(MISSING_WORDS).map(str::to_owned).collect(),
        }
    }

    /// The passage of each text that speaks most of a section, the best text first.
    fn best_of_each_text(&self, section: &Section) -> Vec<(usize, f64)> {
        let matches = self.index.matches(section.terms());
        let mut best: Vec<Option<(usize, f64)>> = vec![None; self.texts.len()];
        for (number, (passage, score)) in self.passages.iter().zip(matches).enumerate() {
            let Some(best) = best.get_mut(passage.text) else {
                continue;
            };
            if score > 0.0 && best.is_none_or(|(_, most)| score > most) {
                *best = Some((number, score));
            }
        }
        let mut best: Vec<(usize, f64)> = best.into_iter().flatten().collect();
        best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        best
    }

    fn passage(&self, number: usize) -> Option<(usize, &str)> {
        let passage = self.passages.get(number)?;
        let text = self.texts.get(passage.text)?;
        Some((passage.text, text.body.get(passage.from..passage.to)?))
    }
}
