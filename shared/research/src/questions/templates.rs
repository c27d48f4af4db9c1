//! The sides from which a section can be asked about.

use super::MAX_QUESTION_CHARS;
use crate::{
    outline::Section,
    text::{is_common, words},
};

/// So many phrases of a section make a question precise.
const PHRASES: usize = 3;

/// One side: what stands before the subject and behind it, and which phrases of the section go
/// with it.
#[derive(Clone, Copy)]
pub(super) struct Side {
    before: &'static str,
    after: &'static str,
    skip: usize,
}

const fn side(before: &'static str, after: &'static str, skip: usize) -> Side {
    Side {
        before,
        after,
        skip,
    }
}

const ENGLISH: &[Side] = &[
    side("What is known about ", "?", 0),
    side("How is this done in practice: ", "?", PHRASES),
    side("What are the limits and trade-offs of ", "?", 0),
    side(
        "Which studies, benchmarks or measurements exist on ",
        "?",
        0,
    ),
    side(
        "What are documented real-world examples of ",
        "?",
        2 * PHRASES,
    ),
    side("How do the alternatives compare for ", "?", 0),
    side(
        "What do official documentation and standards say about ",
        "?",
        PHRASES,
    ),
    side("Which common mistakes are reported with ", "?", 0),
    side("What has changed recently in ", "?", 0),
    side("What does it cost, in time and money: ", "?", 0),
    side("How did this come about: ", "?", PHRASES),
    side("What do experts disagree about in ", "?", 0),
];

/// Words of a search are the same in every language: the subject and what belongs to it.
const ANY: &[Side] = &[
    side("", "", 0),
    side("", "", PHRASES),
    side("", "", 2 * PHRASES),
    side("", "", 3 * PHRASES),
    side("", " PDF", 0),
    side("", " arXiv", 0),
    side("", " Wikipedia", 0),
    side("", " GitHub", 0),
];

/// The sides in the order in which they are asked.
pub(super) const fn sides(is_english: bool) -> &'static [Side] {
    if is_english { ENGLISH } else { ANY }
}

/// A question on a section from one side.
pub(super) fn question(side: &Side, topic: &str, section: &Section) -> String {
    let title = section.title().trim_end_matches(['?', '？', '.', ':']);
    let phrases = section.phrases().iter().skip(side.skip).take(PHRASES);
    let phrases: Vec<&str> = phrases.map(String::as_str).collect();
    let mut subject = if title.is_empty() { topic } else { title }.to_owned();
    if !phrases.is_empty() {
        subject = format!("{subject} ({})", phrases.join(", "));
    }
    // A heading alone is often "Results"; the topic says of what.
    let known = words(&subject);
    if !words(topic)
        .iter()
        .any(|word| !is_common(word) && known.contains(word))
    {
        subject = format!("{topic}: {subject}");
    }
    let room = MAX_QUESTION_CHARS - side.before.len() - side.after.len();
    let subject: String = subject.chars().take(room).collect();
    format!("{}{subject}{}", side.before, side.after)
}
