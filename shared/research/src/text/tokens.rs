//! How much a language model reads.

/// About how many tokens a text is, rather too many than too few.
///
/// Exact counting needs tables of 34 MB for each family of models. In Latin letters three to four
/// characters are a token; elsewhere each counts as one.
pub fn tokens(text: &str) -> usize {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    let others = text.chars().count() - ascii;
    ascii.div_ceil(3) + others
}

/// The beginning of a text, of at most so many tokens as [`tokens`] counts them.
pub(crate) fn within(text: &str, budget_tokens: usize) -> &str {
    let (mut ascii, mut others) = (0_usize, 0);
    for (at, char) in text.char_indices() {
        if char.is_ascii() {
            ascii += 1;
        } else {
            others += 1;
        }
        if ascii.div_ceil(3) + others > budget_tokens {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_estimated_at_the_safe_side() {
        assert_eq!(tokens("four"), 2);
        assert_eq!(tokens("記憶"), 2);
        assert_eq!(tokens(""), 0);
    }

    #[test]
    fn a_beginning_fits_and_the_next_letter_would_not() {
        assert_eq!(within("four", 1), "fou");
        assert_eq!(within("記憶", 1), "記");
        assert_eq!(within("記憶", 2), "記憶");
        assert_eq!(within("é", 0), "");
    }
}
