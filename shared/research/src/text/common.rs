//! Words that say nothing about a topic.
//!
//! Those of whole texts need no list: what is in every passage weighs nothing
//! ([`super::index`]). The list is for choosing words out of a guideline alone, where nothing
//! tells them apart yet. It has the function words of a few languages, and the words with which
//! authors tell writers what to do; for any other language all words are taken to mean something.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::words::for_each_word;

static ENGLISH: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    include_str!("common_words_english.txt")
        .split_whitespace()
        .collect()
});
static OTHER: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    include_str!("common_words_other.txt")
        .split_whitespace()
        .collect()
});

/// Whether a word, in lower case, is one of them. Numbers say nothing either.
pub(crate) fn is_common(word: &str) -> bool {
    let is_number = || word.chars().all(|it| it.is_numeric() || ".,".contains(it));
    ENGLISH.contains(word) || OTHER.contains(word) || is_number()
}

/// Whether a text seems to be English: where in doubt, whatever is written in Latin letters.
pub(crate) fn is_english(text: &str) -> bool {
    let (mut english, mut other) = (0_usize, 0_usize);
    for_each_word(text, |word| {
        if ENGLISH.contains(word) {
            english += 1;
        } else if OTHER.contains(word) || !word.is_ascii() {
            other += 1;
        }
    });
    english >= other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_is_told_from_other_languages() {
        for (text, expected) in [
            ("How agents remember, and why it matters", true),
            ("Memory", true),
            ("Wie sich Agenten erinnern und warum das wichtig ist", false),
            ("Comment les agents se souviennent de ce qui compte", false),
            ("智能体的记忆", false),
            ("Память агентов", false),
        ] {
            assert_eq!(is_english(text), expected, "{text}");
        }
    }

    #[test]
    fn function_words_are_common_and_topics_are_not() {
        for word in ["the", "und", "pour", "los", "explain", "250", "3.14"] {
            assert!(is_common(word), "{word}");
        }
        for word in ["memory", "gedächtnis", "mémoire", "gpt4", "記憶"] {
            assert!(!is_common(word), "{word}");
        }
    }
}
