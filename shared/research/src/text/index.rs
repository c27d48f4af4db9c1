//! Which texts speak of which words, and how much: BM25 over texts of one field or several (BM25F).
//!
//! Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009. A match
//! is given as the share of what a text could reach at best, from 0 to 1, so that matches of
//! different questions compare.
//!
//! Endings vary in most languages: `agent` has to find `agents`, `Gedächtnis` `Gedächtnisses`. So a
//! word of a question finds every word that is equal but for the last letters. That is coarser than
//! a stemmer and knows no language.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::words::for_each_word;

/// How soon more of the same word says nothing more.
const K1: f64 = 1.2;
/// Texts are short: so many words of a question, its heaviest, are all that one can speak of,
const ATTAINABLE_WORDS: usize = 8;
/// and each about so often.
const ATTAINABLE_TIMES: f64 = 4.0;

/// What a word is worth that all texts have.
const LEAST_WORTH: f64 = 0.3;

/// How a field counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// What a word in it counts.
    pub(crate) weight: f64,
    /// How much its length counts against it, from 0 to 1.
    pub(crate) b: f64,
}

/// A word that is looked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Term {
    /// In lower case, as [`for_each_word`] gives it.
    pub(crate) word: String,
    /// What it counts beside the others of its question.
    pub(crate) weight: f64,
}

/// Texts of `F` fields and the words in them.
pub(crate) struct Index<const F: usize> {
    fields: [Field; F],
    /// In order, so that those with the same beginning are neighbours.
    words: BTreeMap<Box<str>, u32>,
    /// The same, for filling it: half of the time goes into looking words up.
    known: HashMap<Box<str>, u32>,
    /// By word: in which text how often.
    places: Vec<Vec<Place<F>>>,
    /// By text: the words in each field.
    lengths: Vec<[u32; F]>,
}

#[derive(Clone, Copy)]
struct Place<const F: usize> {
    text: u32,
    counts: [u16; F],
}

impl<const F: usize> Index<F> {
    pub(crate) fn new(fields: [Field; F]) -> Self {
        Self {
            fields,
            words: BTreeMap::new(),
            known: HashMap::new(),
            places: Vec::new(),
            lengths: Vec::new(),
        }
    }

    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Adds a text; they are numbered from 0.
    pub(crate) fn add(&mut self, fields: [&str; F]) {
        let text = u32::try_from(self.lengths.len()).unwrap_or(u32::MAX);
        let mut lengths = [0_u32; F];
        for (field, (content, length)) in fields.into_iter().zip(&mut lengths).enumerate() {
            for_each_word(content, |word| {
                *length = length.saturating_add(1);
                self.count(word, text, field);
            });
        }
        self.lengths.push(lengths);
    }

    fn count(&mut self, word: &str, text: u32, field: usize) {
        let id = if let Some(&id) = self.known.get(word) {
            id
        } else {
            let id = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
            self.known.insert(word.into(), id);
            self.words.insert(word.into(), id);
            self.places.push(Vec::new());
            id
        };
        let Some(places) = self.places.get_mut(id as usize) else {
            return;
        };
        if places.last().is_none_or(|last| last.text != text) {
            let counts = [0; F];
            places.push(Place { text, counts });
        }
        if let Some(count) = places.last_mut().and_then(|it| it.counts.get_mut(field)) {
            *count = count.saturating_add(1);
        }
    }

    /// How well each text matches, from 0 to 1.
    pub(crate) fn matches(&self, terms: &[Term]) -> Vec<f64> {
        let averages = self.average_lengths();
        let mut matches = vec![0.0; self.len()];
        let mut weights = Vec::with_capacity(terms.len());
        for term in terms {
            let found = self.frequencies(&term.word, &averages);
            let weight = term.weight * rarity(found.len(), self.len());
            weights.push(weight);
            for (text, frequency) in found {
                if let Some(score) = matches.get_mut(text as usize) {
                    *score += weight * frequency / (frequency + K1);
                }
            }
        }
        weights.sort_by(|a, b| b.total_cmp(a));
        let heaviest: f64 = weights.iter().take(ATTAINABLE_WORDS).sum();
        let attainable = heaviest * ATTAINABLE_TIMES / (ATTAINABLE_TIMES + K1);
        for score in &mut matches {
            *score = if attainable > 0.0 {
                (*score / attainable).min(1.0)
            } else {
                0.0
            };
        }
        matches
    }

    /// How often each word is in a field, by text: words as numbers that mean the same in all texts
    /// of this index.
    pub(crate) fn counts(&self, field: usize) -> Vec<Vec<(u32, u32)>> {
        let mut counts = vec![Vec::new(); self.len()];
        for (word, places) in (0_u32..).zip(&self.places) {
            for place in places {
                let count = place.counts.get(field).copied().unwrap_or_default();
                if count > 0
                    && let Some(counts) = counts.get_mut(place.text as usize)
                {
                    counts.push((word, count.into()));
                }
            }
        }
        counts
    }

    /// What a word of [`Index::counts`] is worth, by how few texts have it.
    pub(crate) fn weight(&self, word: u32) -> f64 {
        let with = self.places.get(word as usize).map_or(0, Vec::len);
        rarity(with, self.len())
    }

    /// Whether any text has the word.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.alike(word).next().is_some()
    }

    /// How often each text has the word, weighted by field and length.
    fn frequencies(&self, word: &str, averages: &[f64; F]) -> BTreeMap<u32, f64> {
        let mut found = BTreeMap::new();
        for place in self.alike(word).flatten() {
            let lengths = self.lengths.get(place.text as usize);
            let Some(lengths) = lengths else { continue };
            let frequency: f64 = (self.fields.iter().zip(&place.counts))
                .zip(lengths.iter().zip(averages))
                .map(|((field, &count), (&length, average))| {
                    let relative = f64::from(length) / average;
                    field.weight * f64::from(count) / (1.0 - field.b + field.b * relative)
                })
                .sum();
            *found.entry(place.text).or_default() += frequency;
        }
        found
    }

    /// The places of all words that are equal but for their endings.
    fn alike(&self, word: &str) -> impl Iterator<Item = &[Place<F>]> {
        let stem = stem(word);
        let longest = word.chars().count() + ENDING_CHARS;
        self.words
            .range::<str, _>((Bound::Included(stem), Bound::Unbounded))
            .take_while(move |(known, _)| known.starts_with(stem))
            .filter(move |(known, _)| {
                &***known == word || stem.len() < word.len() && known.chars().count() <= longest
            })
            .filter_map(|(_, id)| self.places.get(*id as usize).map(Vec::as_slice))
    }

    fn average_lengths(&self) -> [f64; F] {
        let mut sums = [0.0; F];
        for lengths in &self.lengths {
            for (sum, &length) in sums.iter_mut().zip(lengths) {
                *sum += f64::from(length);
            }
        }
        let texts = u32::try_from(self.len().max(1)).map_or(f64::MAX, f64::from);
        sums.map(|sum| (sum / texts).max(1.0))
    }
}

/// Endings that may differ, in letters.
const ENDING_CHARS: usize = 3;

/// What a word shares with its other forms: all but the last letter, or the last two of a long one.
/// Short words, and those with digits, are what they are.
fn stem(word: &str) -> &str {
    let letters = word.chars().count();
    if word.chars().any(char::is_numeric) {
        return word;
    }
    let ending = match letters {
        0..=4 => 0,
        5..=7 => 1,
        _ => 2,
    };
    let end = word.char_indices().nth(letters - ending);
    end.and_then(|(end, _)| word.get(..end)).unwrap_or(word)
}

/// What a word that so many of the texts have is worth, up to 1: inverse document frequency, beside
/// that of a word which none has. Where all texts are on the topic its words are in all of them, and
/// still they are what makes the topic: so a word is worth something at least.
fn rarity(with: usize, all: usize) -> f64 {
    let [with, all] = [with, all].map(|it| u32::try_from(it).map_or(f64::MAX, f64::from));
    let frequency = |with: f64| (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
    LEAST_WORTH + (1.0 - LEAST_WORTH) * frequency(with) / frequency(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [Field; 1] = [Field {
        weight: 1.0,
        b: 0.75,
    }];

    fn index(texts: &[&str]) -> Index<1> {
        let mut index = Index::new(PLAIN);
        for text in texts {
            index.add([text]);
        }
        index
    }

    fn term(word: &str) -> Term {
        Term {
            word: word.to_owned(),
            weight: 1.0,
        }
    }

    #[test]
    fn endings_do_not_matter_and_beginnings_do() {
        let index = index(&[
            "agents",
            "memories",
            "Gedächtnisses",
            "aging",
            "ragtime",
            "gpt4",
        ]);
        for (word, text) in [("agent", 0), ("memory", 1), ("gedächtnis", 2)] {
            let matches = index.matches(&[term(word)]);
            for (number, score) in matches.iter().enumerate() {
                assert_eq!(*score > 0.0, number == text, "{word} in text {number}");
            }
        }
        assert!(!index.has("rag") && !index.has("gpt3") && index.has("gpt4"));
    }

    #[test]
    fn what_says_more_of_the_rarer_word_matches_better() {
        let index = index(&[
            "the agent and the plan",
            "the agent has episodic memory and episodic recall",
            "the agent and the cook and the thief",
            "the weather",
        ]);
        let matches = index.matches(&[term("agent"), term("episodic")]);
        assert!(matches[1] > matches[0] && matches[0] > 0.0, "{matches:?}");
        assert!(matches[3] == 0.0, "{matches:?}");
    }

    #[test]
    fn a_field_counts_as_much_as_its_weight() {
        let fields = [3.0, 1.0].map(|weight| Field { weight, b: 0.0 });
        let mut index = Index::new(fields);
        index.add(["memory", "something"]);
        index.add(["something", "memory"]);
        let matches = index.matches(&[term("memory")]);
        assert!(matches[0] > matches[1] && matches[1] > 0.0, "{matches:?}");
    }

    #[test]
    fn nothing_matches_nothing() {
        assert!(index(&[]).matches(&[term("a")]).is_empty());
        assert_eq!(index(&["text"]).matches(&[]), [0.0]);
    }
}
