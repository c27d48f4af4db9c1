//! What a section is about in the author's own words: names, terms, what is emphasised.
//!
//! Phrases are what stands between words that say nothing and punctuation (RAKE: Rose et al.,
//! 2010), which works in any language that has a list of such words, and passably in others.

use std::collections::HashMap;

use super::{read::Draft, terms::Spread};
use crate::text::{is_common, normal, words};

/// So many are kept of a section.
const MAX_PHRASES: usize = 12;
/// A phrase of more words is a sentence.
const MAX_WORDS: usize = 4;
/// A phrase of more characters is data, or a sentence in a script without spaces.
const MAX_CHARS: usize = 48;

/// The phrases of a section that say most about it, the best first; those in its heading are left
/// out.
pub(super) fn of(draft: &Draft, spread: &Spread) -> Vec<String> {
    let title = normal(&draft.title);
    let mut found: HashMap<String, (f64, usize, String)> = HashMap::new();
    let marked = draft.marked.iter().map(|text| (2.0, trimmed(text)));
    let running = draft.items.iter().flat_map(|item| candidates(item));
    for (place, (boost, phrase)) in marked.chain(running.map(|it| (1.0, it))).enumerate() {
        let key = normal(&phrase);
        if phrase.chars().count() > MAX_CHARS || title.contains(&key) {
            continue;
        }
        let words = words(&phrase);
        let weight: f64 = words.iter().map(|word| spread.specificity(word)).sum();
        let count = u32::try_from(words.len().max(1)).map_or(1.0, f64::from);
        let score = boost * weight / count.sqrt();
        if score <= 0.0 {
            continue;
        }
        let entry = found.entry(key).or_insert((0.0, place, phrase));
        entry.0 = entry.0.max(score);
    }
    let mut found: Vec<(f64, usize, String)> = found.into_values().collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut phrases: Vec<String> = Vec::new();
    let mut keys: Vec<String> = Vec::new();
    for (_, _, phrase) in found {
        let key = normal(&phrase);
        // "long term" beside "long term memory" says nothing new.
        if keys
            .iter()
            .any(|it| it.contains(&key) || key.contains(it.as_str()))
        {
            continue;
        }
        keys.push(key);
        phrases.push(phrase);
        if phrases.len() == MAX_PHRASES {
            break;
        }
    }
    phrases
}

/// Without what frames it: "Semantic Memory (Facts & Knowledge):" is "Semantic Memory".
fn trimmed(marked: &str) -> String {
    let text = marked.split(['(', ':', '：']).next().unwrap_or_default();
    text.trim_matches(|it: char| !it.is_alphanumeric())
        .to_owned()
}

/// Neighbouring words that say something.
fn candidates(item: &str) -> Vec<String> {
    let mut phrases = Vec::new();
    for fragment in
        item.split(|it: char| ",;:!?()[]{}\"“”„«»…—–|/*`=<>，。、；：？！（）「」".contains(it))
    {
        let mut phrase: Vec<&str> = Vec::new();
        for word in fragment.split_whitespace() {
            let ends = word.ends_with('.');
            let word = word.trim_matches(|it: char| !it.is_alphanumeric());
            let says_nothing =
                word.chars().nth(1).is_none() || words(word).iter().all(|word| is_common(word));
            if says_nothing {
                flush(&mut phrase, &mut phrases);
            } else {
                phrase.push(word);
            }
            if ends {
                flush(&mut phrase, &mut phrases);
            }
        }
        flush(&mut phrase, &mut phrases);
    }
    phrases
}

fn flush(phrase: &mut Vec<&str>, phrases: &mut Vec<String>) {
    if (1..=MAX_WORDS).contains(&phrase.len()) {
        phrases.push(phrase.join(" "));
    }
    phrase.clear();
}
