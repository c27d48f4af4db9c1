//! How many tokens a text has, about.
//!
//! Counting them exactly needs the tables of one model, which weigh 34 MB. Measured on source code
//! and prose in English, a token is 3.4 to 4.3 characters; other scripts need more.

/// Tokens of ASCII characters and of others, per mille.
const ASCII: usize = 265;
const OTHER: usize = 650;

/// About how many tokens a text has.
///
/// ```
/// use nova_research::ingest::estimated_tokens;
///
/// assert_eq!(estimated_tokens(""), 0);
/// assert_eq!(estimated_tokens(&"fn main() {}\n".repeat(100)), 345);
/// ```
pub fn estimate(text: &str) -> usize {
    let bytes = text.as_bytes();
    if bytes.is_ascii() {
        return (bytes.len() * ASCII).div_ceil(1000);
    }
    let ascii = bytes.iter().filter(|it| it.is_ascii()).count();
    // The first byte of each other character.
    let others = bytes.iter().filter(|it| **it >= 0xc0).count();
    (ascii * ASCII + others * OTHER).div_ceil(1000)
}

/// How many lines a text has, as `str::lines` counts them.
pub(super) fn lines(text: &str) -> usize {
    let breaks = text.bytes().filter(|it| *it == b'\n').count();
    breaks + usize::from(!text.is_empty() && !text.ends_with('\n'))
}

/// The first whole lines of a text that have at most so many tokens, or the beginning of its first
/// line.
pub(super) fn first(text: &str, tokens: usize) -> &str {
    let (mut spent, mut end) = (0, 0);
    let room = tokens * 1000;
    for line in text.split_inclusive('\n') {
        let next = spent + estimate(line) * 1000;
        if next > room {
            break;
        }
        spent = next;
        end += line.len();
    }
    if end == 0 {
        let mut room = room;
        for (at, character) in text.char_indices() {
            let cost = if character.is_ascii() { ASCII } else { OTHER };
            if cost > room {
                break;
            }
            room -= cost;
            end = at + character.len_utf8();
        }
    }
    text.get(..end).unwrap_or_default()
}

/// A number of tokens as people write it: `812`, `10.0k`, `1.3M`.
pub(super) fn written(tokens: usize) -> String {
    match tokens {
        0..1000 => tokens.to_string(),
        1000..1_000_000 => format!("{}.{}k", tokens / 1000, tokens % 1000 / 100),
        _ => format!("{}.{}M", tokens / 1_000_000, tokens % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_behind_a_line_or_within_its_only_one() {
        let text = "one\ntwo\nthree\n";
        assert_eq!(first(text, 100), text);
        assert_eq!(first(text, 4), "one\ntwo\n");
        assert_eq!(first(text, 0), "");
        assert_eq!(first("abcdefghijklmnop", 2), "abcdefg");
        assert_eq!(first("äöüß", 1), "ä");
    }
}
