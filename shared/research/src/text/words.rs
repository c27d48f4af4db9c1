//! The words of a text in any language.
//!
//! Unicode says where words end (UAX #29). Chinese, Japanese, Thai and their like are written
//! without spaces: there, each two neighbouring signs count as a word, which needs no dictionary and
//! finds what is asked for. Nothing is stemmed, since every stemmer knows one language only; that
//! endings vary is left to [`super::index`].

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// What is longer is no word but data.
const MAX_WORD_CHARS: usize = 40;

/// Calls `each` with every word, in lower case and in one spelling of its accents.
pub(crate) fn for_each_word(text: &str, mut each: impl FnMut(&str)) {
    let mut buffer = String::new();
    // Line by line, because those that are plain ASCII are read several times faster.
    for line in text.split('\n') {
        words_of_line(line, &mut buffer, &mut each);
    }
}

fn words_of_line(line: &str, buffer: &mut String, each: &mut impl FnMut(&str)) {
    let mut unspaced = Unspaced::default();
    for (offset, segment) in line.unicode_word_indices() {
        if segment.chars().next().is_some_and(is_unspaced) {
            unspaced.push(line, offset, segment, each);
            continue;
        }
        unspaced.flush(each);
        // `agent's`, `l'agent`, `snake_case`: what is around the mark are the words.
        for part in segment.split(['\'', '’', '_']) {
            // A letter alone is no word, and what is very long is not looked at.
            if part.chars().nth(1).is_none() || part.len() > 4 * MAX_WORD_CHARS {
                continue;
            }
            buffer.clear();
            fold(part, buffer);
            if buffer.chars().nth(MAX_WORD_CHARS).is_none() {
                each(buffer);
            }
        }
    }
    unspaced.flush(each);
}

/// All words of a text.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for_each_word(text, |word| all.push(word.to_owned()));
    all
}

/// What two spellings of the same question have in common: its letters and digits, in lower case,
/// and where its words end.
pub(crate) fn normal(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    for segment in text.unicode_words() {
        if !normal.is_empty() {
            normal.push(' ');
        }
        fold(segment, &mut normal);
    }
    normal
}

fn fold(word: &str, out: &mut String) {
    if word.is_ascii() {
        out.extend(word.chars().map(|it| it.to_ascii_lowercase()));
    } else {
        out.extend(word.nfkc().flat_map(char::to_lowercase));
    }
}

/// Scripts that put no spaces between words: UAX #29 gives their signs one by one.
const fn is_unspaced(char: char) -> bool {
    matches!(char,
        '\u{0E00}'..='\u{0EFF}' // Thai, Lao
        | '\u{1000}'..='\u{109F}' // Myanmar
        | '\u{1780}'..='\u{17FF}' // Khmer
        | '\u{3040}'..='\u{30FF}' // Hiragana, Katakana
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{323AF}')
}

/// Neighbouring signs of a script without spaces.
#[derive(Default)]
struct Unspaced<'a> {
    /// The sign before, where it ends, and whether it was given as a part of a pair.
    last: Option<(&'a str, usize, bool)>,
}

impl<'a> Unspaced<'a> {
    fn push(
        &mut self,
        text: &'a str,
        offset: usize,
        segment: &'a str,
        each: &mut impl FnMut(&str),
    ) {
        let end = offset + segment.len();
        let adjoins = self.last.is_some_and(|(_, ended, _)| ended == offset);
        if let Some((before, _, _)) = self.last.filter(|_| adjoins) {
            each(text.get(offset - before.len()..end).unwrap_or_default());
        } else {
            self.flush(each);
        }
        self.last = Some((segment, end, adjoins));
    }

    fn flush(&mut self, each: &mut impl FnMut(&str)) {
        if let Some((alone, _, false)) = self.last.take() {
            each(alone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_many_languages_are_found() {
        for (text, expected) in [
            (
                "The agent's GPT-4 uses snake_case, node.js!",
                "the agent gpt uses snake case node.js",
            ),
            ("L’agent n'a qu'une mémoire", "agent qu une mémoire"),
            (
                "Gedächtnis für große Agenten",
                "gedächtnis für große agenten",
            ),
            ("агенты и память", "агенты память"),
            ("智能体的记忆", "智能 能体 体的 的记 记忆"),
            ("用Rust写", "用 rust 写"),
            ("ความจำ ของ", "คว วา าม มจ จำ ขอ อง"),
            ("메모리 에이전트", "메모리 에이전트"),
        ] {
            assert_eq!(words(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn one_word_has_one_spelling() {
        assert_eq!(words("Me\u{301}moire"), words("MÉMOIRE"));
        assert_eq!(words("ＲＡＧ"), ["rag"]);
    }

    #[test]
    fn data_is_no_word() {
        assert!(words(&"A".repeat(41)).is_empty());
        assert_eq!(words(&"A".repeat(40)).len(), 1);
    }

    #[test]
    fn a_question_is_the_same_however_it_is_punctuated() {
        assert_eq!(
            normal(" What is “RAG” — really?\n"),
            normal("what is RAG, REALLY")
        );
        assert_ne!(normal("Is A better than B?"), normal("Is B better than A?"));
    }
}
