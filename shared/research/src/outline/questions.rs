//! The questions that a guideline asks.

use std::collections::HashSet;

use super::read::Draft;
use crate::text::normal;

/// Longer ones are not understood by a search.
const MAX_CHARS: usize = 300;
/// Shorter ones ("Why?", "So what?") say nothing outside of their text.
const MIN_NORMAL_CHARS: usize = 10;

/// The sentences of a section that end with a question mark, each once.
pub(super) fn of(draft: &Draft) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for text in std::iter::once(&draft.title).chain(&draft.items) {
        for question in sentences(text) {
            let key = normal(question);
            let says_something = key.chars().count() >= MIN_NORMAL_CHARS
                || key.chars().filter(|it| !it.is_ascii()).count() >= MIN_NORMAL_CHARS / 2;
            if says_something && question.chars().count() <= MAX_CHARS && seen.insert(key) {
                found.push(question.to_owned());
            }
        }
    }
    found
}

fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let end = at + char.len_utf8();
        let is_border = match char {
            // `node.js`, `3.14` and `5:1` go on.
            '.' | '!' | ':' | ';' => chars.peek().is_none_or(|(_, next)| next.is_whitespace()),
            '?' | '？' | '؟' | '。' | '！' | '：' | '；' => true,
            _ => false,
        };
        if !is_border {
            continue;
        }
        if matches!(char, '?' | '？' | '؟') {
            let sentence = text.get(from..end).unwrap_or_default();
            found.push(sentence.trim_start_matches(|it: char| !it.is_alphanumeric() && it != '¿'));
        }
        from = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questions(text: &str) -> Vec<String> {
        of(&Draft {
            items: vec![text.to_owned()],
            ..Draft::default()
        })
    }

    #[test]
    fn questions_are_found_where_they_stand_in_a_text() {
        for (text, expected) in [
            (
                "Explain: how does node.js schedule work? Then go on.",
                "how does node.js schedule work?",
            ),
            (
                "It costs 3.5 times more. Why is that so expensive? Why?",
                "Why is that so expensive?",
            ),
            (
                "¿Qué es la memoria episódica?",
                "¿Qué es la memoria episódica?",
            ),
            ("智能体如何记忆？", "智能体如何记忆？"),
            (
                "No question. \"What is an episode?\" is one.",
                "What is an episode?",
            ),
        ] {
            assert_eq!(questions(text), [expected]);
        }
        assert!(questions("Why? So what? Is it?").is_empty());
    }
}
