//! The words of a section, and what each tells about it.

use std::collections::{HashMap, HashSet};

use super::read::Draft;
use crate::text::{Term, for_each_word, is_common};

/// So many words are a section's own.
const MAX_TERMS: usize = 24;
/// So many words name the topic of a guideline that has no title.
const TOPIC_WORDS: usize = 3;

/// In how many sections each word stands, and in how many headings.
pub(super) struct Spread {
    sections: HashMap<String, u32>,
    headings: HashMap<String, u32>,
    all: u32,
}

impl Spread {
    pub(super) fn of(drafts: &[Draft]) -> Self {
        let mut sections: HashMap<String, u32> = HashMap::new();
        let mut headings: HashMap<String, u32> = HashMap::new();
        for draft in drafts {
            for_each_word(&draft.title, |word| {
                if !is_common(word) {
                    *headings.entry(word.to_owned()).or_default() += 1;
                }
            });
            let mut seen = HashSet::new();
            for text in std::iter::once(&draft.title).chain(&draft.items) {
                for_each_word(text, |word| {
                    if !is_common(word) && seen.insert(word.to_owned()) {
                        *sections.entry(word.to_owned()).or_default() += 1;
                    }
                });
            }
        }
        let all = u32::try_from(drafts.len()).unwrap_or(u32::MAX);
        Self {
            sections,
            headings,
            all,
        }
    }

    /// How well a word tells sections apart; 0 for words that say nothing.
    pub(super) fn specificity(&self, word: &str) -> f64 {
        self.sections.get(word).map_or(0.0, |&with| {
            (1.0 + f64::from(self.all) / f64::from(with)).ln()
        })
    }

    /// What all sections speak of, most of all in their headings.
    pub(super) fn topic(&self) -> String {
        let headings = |word: &str| self.headings.get(word).copied().unwrap_or_default();
        let mut words: Vec<(u32, &String)> = self
            .sections
            .iter()
            .map(|(word, with)| (with + 2 * headings(word), word))
            .collect();
        words.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let words: Vec<&str> = words
            .iter()
            .take(TOPIC_WORDS)
            .map(|it| it.1.as_str())
            .collect();
        words.join(" ")
    }
}

/// The words of a section, the weightiest first. What is in the heading counts twice.
pub(super) fn of(draft: &Draft, spread: &Spread) -> Vec<Term> {
    let mut weights: HashMap<String, (f64, u32)> = HashMap::new();
    let texts = std::iter::once((2.0, &draft.title))
        .chain(draft.marked.iter().map(|text| (1.5, text)))
        .chain(draft.items.iter().map(|text| (1.0, text)));
    for (weight, text) in texts {
        for_each_word(text, |word| {
            if !is_common(word) {
                let (most, times) = weights.entry(word.to_owned()).or_default();
                *most = most.max(weight);
                *times += 1;
            }
        });
    }
    let mut terms: Vec<Term> = weights
        .into_iter()
        .map(|(word, (weight, times))| Term {
            weight: weight * (1.0 + f64::from(times).ln()) * spread.specificity(&word),
            word,
        })
        .filter(|term| term.weight > 0.0)
        .collect();
    terms.sort_by(|a, b| {
        b.weight
            .total_cmp(&a.weight)
            .then_with(|| a.word.cmp(&b.word))
    });
    terms.truncate(MAX_TERMS);
    terms
}
