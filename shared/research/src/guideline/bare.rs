//! URLs that stand in the text as they are, without any markup.
//!
//! People write URLs into sentences, so most of the work is to see where one ends. It ends before
//! white space, `<`, `>`, `"` and a backtick; before a closing bracket that it did not open; before
//! the quote or the emphasis marks that it began with; before punctuation that no URL contains
//! (full-width forms, CJK punctuation, curly quotes); and before a Chinese, Japanese or Korean
//! letter that directly follows an ASCII one, because those scripts put no space there (such
//! letters after a `/` are a path). Then `.,!?;:'"*_~…` are taken from its end, as GitHub does.
//!
//! `www.example.com` without a scheme is a URL, as in GitHub's Markdown; it gets `https`.
//! Other names without a scheme are not: `example.md` is a file.

use crate::url::MAX_URL_BYTES;

use crate::entity;

/// Emphasis has at most three marks; longer runs are only counted so far.
const MARKS: usize = 8;

/// How the text is written that a URL stands in.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Dialect {
    /// Markdown's text, with backslashes and references.
    Markdown,
    /// The same in a table, where `|` ends the cell.
    TableCell,
    /// HTML's text, with references.
    Html,
    /// Code: every character is itself.
    Code,
}

/// A URL in a text.
pub(super) struct Bare {
    /// The URL with its escapes undone, and with a scheme.
    pub(super) url: String,
    /// Where it begins in the text.
    pub(super) start: usize,
    /// Where the text goes on, after the URL and the punctuation at its end.
    pub(super) end: usize,
}

/// The first URL at or after `from`. Linear: whatever was looked at is passed over.
pub(super) fn next(text: &str, mut from: usize, dialect: Dialect) -> Option<Bare> {
    while let Some((start, body, scheme)) = next_start(text, from) {
        let (run, end) = run(text, start, body, dialect);
        if run.contains(|it: char| it.is_alphanumeric() || it == '[') {
            return Some(Bare {
                url: format!("{scheme}{run}"),
                start,
                end,
            });
        }
        from = end.max(body);
    }
    None
}

/// Where the next URL begins, where its host begins, and its scheme.
fn next_start(text: &str, from: usize) -> Option<(usize, usize, &str)> {
    let bytes = text.as_bytes();
    for mark in memchr::memchr2_iter(b':', b'.', bytes.get(from..)?) {
        let at = from + mark;
        let before = bytes.get(from..at)?;
        let (start, body, scheme) =
            if ends_with_ignore_case(before, b"www") && bytes.get(at) == Some(&b'.') {
                (at - 3, at - 3, "https://")
            } else if bytes.get(at..)?.starts_with(b"://") {
                let length = if ends_with_ignore_case(before, b"https") {
                    5
                } else if ends_with_ignore_case(before, b"http") {
                    4
                } else {
                    continue;
                };
                (at - length, at + 3, text.get(at - length..at + 3)?)
            } else {
                continue;
            };
        let before = start.checked_sub(1).and_then(|it| bytes.get(it));
        if !before.is_some_and(|it| it.is_ascii_alphanumeric() || b"+@".contains(it)) {
            return Some((start, body, scheme));
        }
    }
    None
}

fn ends_with_ignore_case(text: &[u8], end: &[u8]) -> bool {
    text.len()
        .checked_sub(end.len())
        .and_then(|it| text.get(it..))
        .is_some_and(|it| it.eq_ignore_ascii_case(end))
}

/// The URL from its host on, and where the text goes on.
fn run(text: &str, start: usize, body: usize, dialect: Dialect) -> (String, usize) {
    let before = text.get(..start).unwrap_or_default();
    let quoted = before.ends_with('\'');
    let mark = before
        .chars()
        .next_back()
        .filter(|it| matches!(it, '*' | '_' | '~'));
    let mark_length = mark.map_or(0, |mark| {
        before
            .chars()
            .rev()
            .take(MARKS)
            .take_while(|&it| it == mark)
            .count()
    });

    let rest = text.get(body..).unwrap_or_default();
    let mut run = String::new();
    let mut open = Brackets::default();
    let mut chars = rest.char_indices().peekable();
    let mut end = rest.len();
    while let Some((at, char)) = chars.next() {
        let after = rest.get(at + char.len_utf8()..).unwrap_or_default();
        let next_is_word = after.chars().next().is_some_and(char::is_alphanumeric);
        let mut taken = char;
        let ends = match char {
            '<' | '>' | '"' | '`' => true,
            '|' => dialect == Dialect::TableCell,
            '\'' => quoted && !next_is_word,
            ',' | ';' => begins_url(after),
            '*' | '_' | '~' if mark == Some(char) => {
                let length = 1 + after
                    .chars()
                    .take(MARKS)
                    .take_while(|&it| it == char)
                    .count();
                let beyond = after.chars().nth(length - 1);
                // Only `_` does not end emphasis inside a word.
                length >= mark_length && (char != '_' || !beyond.is_some_and(char::is_alphanumeric))
            }
            '(' | ')' | '[' | ']' | '{' | '}' => !open.take(char),
            '\\' => {
                let escaped = after.chars().next().filter(|it| {
                    matches!(dialect, Dialect::Markdown | Dialect::TableCell)
                        && it.is_ascii_punctuation()
                });
                if let Some(escaped) = escaped {
                    taken = escaped;
                    chars.next();
                }
                match escaped {
                    Some('(' | ')' | '[' | ']' | '{' | '}') => !open.take(taken),
                    Some('<' | '>' | '"' | '`') | None => true,
                    Some(_) => false,
                }
            }
            '&' if dialect != Dialect::Code => {
                match entity::decode_first(rest.get(at..).unwrap_or_default()) {
                    Some((decoded, length)) => {
                        taken = decoded;
                        for _ in 1..length {
                            chars.next();
                        }
                        matches!(decoded, '<' | '>' | '"') || decoded.is_whitespace()
                    }
                    None => false,
                }
            }
            _ => {
                char.is_whitespace()
                    || char.is_control()
                    || never_in_url(char)
                    || is_cjk(char) && run.ends_with(|it: char| it.is_ascii_alphanumeric())
            }
        };
        if ends {
            end = at;
            break;
        }
        if run.len() <= MAX_URL_BYTES {
            run.push(taken);
        }
    }
    trim(&mut run);
    (run, body + end)
}

fn begins_url(text: &str) -> bool {
    ["http://", "https://", "www."].iter().any(|start| {
        text.get(..start.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(start))
    })
}

/// How many brackets of each kind are open.
#[derive(Default)]
struct Brackets([usize; 3]);

impl Brackets {
    /// Counts a bracket; false when it closes one that is not open.
    fn take(&mut self, bracket: char) -> bool {
        let (kind, opens) = match bracket {
            '(' | ')' => (0, bracket == '('),
            '[' | ']' => (1, bracket == '['),
            _ => (2, bracket == '{'),
        };
        let Some(count) = self.0.get_mut(kind) else {
            return false;
        };
        if opens {
            *count += 1;
            return true;
        }
        if *count == 0 {
            return false;
        }
        *count -= 1;
        true
    }
}

/// Takes from the end what belongs to the sentence.
fn trim(url: &mut String) {
    while let Some(last) = url.chars().next_back() {
        match last {
            ';' => {
                url.pop();
                // A reference that is not decoded, such as `&hl;`, belongs to the sentence too.
                let name = url
                    .bytes()
                    .rev()
                    .take(32)
                    .take_while(u8::is_ascii_alphanumeric)
                    .count();
                let start = url.len() - name;
                if name > 0 && url.get(..start).is_some_and(|it| it.ends_with('&')) {
                    url.truncate(start - 1);
                }
            }
            '.' | ',' | '!' | '?' | ':' | '\'' | '"' | '*' | '_' | '~' | '–' | '(' | '[' | '{' => {
                url.pop();
            }
            _ => break,
        }
    }
}

/// Punctuation that ends a sentence or a quotation and is not part of a URL.
const fn never_in_url(char: char) -> bool {
    matches!(
        char,
        '\u{200b}' | '\u{feff}' | '\u{fffd}' // zero width, and what could not be read
            | '\u{2014}' | '\u{2015}' | '\u{2018}'..='\u{201f}' | '\u{2022}' | '\u{2026}'
            | '\u{2028}' | '\u{2029}' | '«' | '»' | '‹' | '›' | '→' | '⇒'
            | '\u{3000}'..='\u{303f}' // CJK punctuation
            | '\u{fe10}'..='\u{fe1f}' | '\u{fe30}'..='\u{fe6f}' // the same, upright and small
            | '\u{ff00}'..='\u{ffef}' // full-width forms
    )
}

/// Letters of scripts that are written without spaces.
pub(super) const fn is_cjk(char: char) -> bool {
    matches!(
        char,
        '\u{1100}'..='\u{11ff}'
            | '\u{2e80}'..='\u{2fdf}'
            | '\u{3040}'..='\u{31ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{a960}'..='\u{a97f}'
            | '\u{ac00}'..='\u{d7ff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}'
    )
}
