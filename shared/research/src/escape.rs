//! Text that only looks like Markdown or HTML, written so that it stays text.

/// Characters without width that are no part of a word.
pub(crate) const fn is_invisible(character: char) -> bool {
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
pub(crate) fn run<'a>(text: &'a str, out: &mut String, in_table: bool) -> &'a str {
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
