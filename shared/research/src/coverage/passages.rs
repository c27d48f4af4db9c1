//! Cuts a text into passages of some hundred words, at the ends of paragraphs where it can.

use std::ops::Range;

/// A passage ends at the first border behind so many bytes.
const FULL_BYTES: usize = 1_000;
/// Or here, at the next space, where there is no border.
const MOST_BYTES: usize = 2_000;
/// Or here, in a text without spaces.
const HARD_BYTES: usize = 2_400;

/// The passages of a text, one after the other and without gaps.
pub(super) fn passages(text: &str) -> Vec<Range<usize>> {
    let mut passages = Vec::with_capacity(text.len() / FULL_BYTES + 1);
    let (mut from, mut last) = (0, '\0');
    for (at, char) in text.char_indices() {
        let length = at - from;
        let is_end = match (last, char) {
            ('\n', '\n') => length >= FULL_BYTES,
            (_, ' ' | '\n') => length >= MOST_BYTES,
            _ => length >= HARD_BYTES,
        };
        if is_end {
            passages.push(from..at);
            from = at;
        }
        last = char;
    }
    if text.get(from..).is_some_and(|rest| !rest.trim().is_empty()) {
        passages.push(from..text.len());
    }
    passages
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_word_is_in_one_passage_and_none_is_large(
            text in "([a-zé界]{1,9}[ \n]{0,2}){0,900}",
        ) {
            let passages = passages(&text);
            let joined: String = passages.iter().filter_map(|it| text.get(it.clone())).collect();
            prop_assert_eq!(joined.trim_end(), text.trim_end());
            for passage in passages {
                prop_assert!(passage.len() <= HARD_BYTES + 4, "{passage:?}");
            }
        }
    }
}
