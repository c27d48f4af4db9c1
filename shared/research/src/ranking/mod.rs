//! Which of the sources that a search found are worth keeping, without a language model.
//!
//! A source's score is 0.55 relevance + 0.25 authority + 0.10 freshness + 0.10 substance, each from
//! 0 to 1. Relevance is BM25F of title, answers and questions against the section of the outline
//! that the source fits best. Sources are then ranked one by one, each by its score less what those
//! ranked before it say already (maximal marginal relevance: Carbonell and Goldstein, 1998, λ 0.7),
//! with at most three of one publisher. Kept is what scores enough, and the best there is for a
//! section that would have nothing else. Every choice can be told in a sentence.

mod authority;
mod choice;
mod freshness;
mod publisher;
mod shown;

use std::collections::HashSet;

use self::{authority::authority, freshness::freshness};
use crate::{
    outline::Outline,
    text::{Field, Fingerprint, Index},
};

pub use self::choice::{Choice, Standing, choose, most_diverse};
use self::publisher::publisher;
pub use self::shown::{MAX_NUMBER, SOURCES_TOKENS, answer_tokens, material, shown};

/// Title and address, answers, questions. A question is the same for all its sources, and says
/// little about each.
const FIELDS: [Field; 3] = [
    Field {
        weight: 2.0,
        b: 0.3,
    },
    Field {
        weight: 1.0,
        b: 0.5,
    },
    Field {
        weight: 0.4,
        b: 0.3,
    },
];
/// The place of the answers among them.
const ANSWERS: usize = 1;
const RELEVANCE: f64 = 0.55;
const AUTHORITY: f64 = 0.25;
const FRESHNESS: f64 = 0.10;
const SUBSTANCE: f64 = 0.10;
/// So many different words make a source half as substantial as can be.
const HALF_OF_WORDS: f64 = 60.0;
/// So much of a source is read; no search answers with more.
const MAX_BYTES: usize = 64 * 1024;

/// A source that a search found.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its number in the article.
    pub number: i64,
    /// Its address.
    pub url: String,
    /// Its title.
    pub title: Option<String>,
    /// When it was published, however that is written.
    pub published: Option<String>,
    /// The questions that it answers.
    pub questions: Vec<String>,
    /// What it says to them.
    pub answers: Vec<String>,
}

/// A source and what speaks for it; all from 0 to 1.
#[derive(Clone, Debug)]
pub struct Scored {
    /// Its number in the article.
    pub number: i64,
    /// All of the following, weighted.
    pub score: f64,
    /// How well it fits the section that it fits best.
    pub relevance: f64,
    /// How far its publisher is to be believed.
    pub authority: f64,
    /// How new it is, beside the newest.
    pub freshness: f64,
    /// How much it says.
    pub substance: f64,
    /// How well it fits each section of the outline, in its order.
    pub(crate) sections: Vec<f64>,
    pub(crate) publisher: String,
    pub(crate) fingerprint: Fingerprint,
}

impl Scored {
    /// The section that it fits best.
    pub(crate) fn best_section(&self) -> Option<usize> {
        let sections = self.sections.iter().enumerate();
        let best = sections.max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))?;
        (*best.1 > 0.0).then_some(best.0)
    }
}

/// Scores sources, in their order. `cited` are the addresses that the guideline names itself.
pub fn score(outline: &Outline, cited: &[String], candidates: &[Candidate]) -> Vec<Scored> {
    let texts: Vec<String> = candidates.iter().map(|it| joined(&it.answers)).collect();
    let mut index = Index::new(FIELDS);
    for (candidate, answers) in candidates.iter().zip(&texts) {
        let mut name = candidate.title.clone().unwrap_or_default();
        name.push(' ');
        name.push_str(&spelled(&candidate.url));
        index.add([&name, answers, &joined(&candidate.questions)]);
    }
    let sections: Vec<Vec<f64>> = outline
        .sections()
        .iter()
        .map(|section| index.matches(section.terms()))
        .collect();
    let words = index.counts(ANSWERS);
    let weight = |word| index.weight(word);
    let cited: HashSet<String> = cited.iter().map(|url| publisher(url)).collect();
    let fresh = freshness(candidates);
    let scored = candidates.iter().zip(words).zip(fresh).enumerate();
    scored
        .map(|(place, ((candidate, words), freshness))| {
            let of_section = |it: &Vec<f64>| it.get(place).copied().unwrap_or_default();
            let sections: Vec<f64> = sections.iter().map(of_section).collect();
            let relevance = sections.iter().copied().fold(0.0, f64::max);
            let publisher = publisher(&candidate.url);
            let authority = authority(&candidate.url, cited.contains(&publisher));
            let substance = substance(words.len());
            Scored {
                number: candidate.number,
                score: RELEVANCE * relevance
                    + AUTHORITY * authority
                    + FRESHNESS * freshness
                    + SUBSTANCE * substance,
                relevance,
                authority,
                freshness,
                substance,
                sections,
                publisher,
                fingerprint: Fingerprint::of(&words, weight),
            }
        })
        .collect()
}

/// By its different words: saying the same again and again adds nothing.
fn substance(different_words: usize) -> f64 {
    let words = u32::try_from(different_words).map_or(f64::MAX, f64::from);
    words / (words + HALF_OF_WORDS)
}

fn joined(texts: &[String]) -> String {
    let mut joined = String::new();
    for text in texts {
        let room = MAX_BYTES.saturating_sub(joined.len());
        let fits = |it: &(usize, char)| it.0 + it.1.len_utf8() <= room;
        joined.extend(text.char_indices().take_while(fits).map(|it| it.1));
        joined.push('\n');
    }
    joined
}

/// The words in an address: `/blog/agent-memory_types` names its subject.
fn spelled(url: &str) -> String {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    path.chars()
        .map(|it| if it.is_alphanumeric() { it } else { ' ' })
        .collect()
}
