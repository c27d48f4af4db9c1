//! Text that only looks like Markdown or HTML, written so that it stays text.

/// Characters without width that are no part of a word.
pub(super) const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{0}'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'
    )
}

const fn is_special(character: char) -> bool {
    matches!(
        character,
        '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '&' | '~' | '|'
    )
}

/// Writes visible text until its first white space, and gives what is left.
pub(super) fn run<'a>(text: &'a str, out: &mut String, in_table: bool) -> &'a str {
    let mut rest = text;
    loop {
        let plain = rest
            .find(|it: char| is_special(it) || it.is_whitespace())
            .unwrap_or(rest.len());
        let Some((before, after)) = rest.split_at_checked(plain) else {
            return "";
        };
        out.push_str(before);
        let Some(special) = after.chars().next().filter(|it| is_special(*it)) else {
            return after;
        };
        rest = after.get(special.len_utf8()..).unwrap_or_default();
        if needs_escape(special, out.chars().next_back(), rest, in_table) {
            out.push('\\');
        }
        out.push(special);
    }
}

/// Whether a character would mean something where it stands. What follows may be in another
/// element, so at the end it is escaped.
fn needs_escape(special: char, before: Option<char>, after: &str, in_table: bool) -> bool {
    let next = after.chars().next();
    let alone = |it: Option<char>| it.is_none_or(char::is_whitespace);
    match special {
        '`' | '[' | ']' => true,
        '|' => in_table,
        '*' | '~' => !(alone(before) && next.is_some_and(char::is_whitespace)),
        '_' => {
            let in_word = |it: Option<char>| it.is_some_and(char::is_alphanumeric);
            !(in_word(before) && in_word(next)
                || alone(before) && next.is_some_and(char::is_whitespace))
        }
        '<' => next.is_none_or(|it| it.is_ascii_alphabetic() || matches!(it, '/' | '!' | '?')),
        '\\' => next.is_none_or(|it| it.is_ascii_punctuation()),
        '&' => is_entity(after),
        _ => false,
    }
}

/// Whether what follows `&` makes it a reference to a character.
fn is_entity(after: &str) -> bool {
    let mut characters = after.chars().take(33);
    let Some(first) = characters.next() else {
        return true;
    };
    if first != '#' && !first.is_ascii_alphanumeric() {
        return false;
    }
    for character in characters {
        match character {
            ';' => return true,
            it if it.is_ascii_alphanumeric() => {}
            _ => return false,
        }
    }
    // It may go on in the next element.
    after.len() < 32
}

/// Escapes what would make a line a heading, an item, a quote, a rule or a table.
pub(super) fn line_starts(text: String) -> String {
    if !text.contains('\n') {
        return match line_start(&text) {
            None => text,
            Some(at) => with_backslash(&text, at),
        };
    }
    let mut out = String::with_capacity(text.len() + 8);
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        match line_start(line) {
            None => out.push_str(line),
            Some(at) => out.push_str(&with_backslash(line, at)),
        }
    }
    out
}

fn with_backslash(line: &str, at: usize) -> String {
    let mut line = line.to_owned();
    line.insert(at, '\\');
    line
}

/// Where a line needs a backslash.
fn line_start(line: &str) -> Option<usize> {
    let first = line.bytes().next()?;
    let ends = |at: usize| line.as_bytes().get(at).is_none_or(u8::is_ascii_whitespace);
    match first {
        b'#' => {
            let level = line.bytes().take_while(|it| *it == b'#').count();
            (level <= 6 && ends(level)).then_some(0)
        }
        b'+' | b'*' if ends(1) => Some(0),
        // An item, the underline of a heading, or that of a table.
        b'-' if ends(1) || is_rule(line) => Some(0),
        b':' | b'|' => Some(0).filter(|_| first == b'|' || is_rule(line) || ends(1)),
        b'=' if is_rule(line) => Some(0),
        b'>' => Some(0),
        b'~' if line.starts_with("~~~") => Some(0),
        b'0'..=b'9' => {
            let digits = line.bytes().take_while(u8::is_ascii_digit).count();
            let closes = matches!(line.as_bytes().get(digits), Some(b'.' | b')'));
            (digits <= 9 && closes && ends(digits + 1)).then_some(digits)
        }
        _ => None,
    }
}

fn is_rule(line: &str) -> bool {
    line.bytes()
        .all(|it| matches!(it, b'-' | b'=' | b'|' | b':' | b' '))
}
