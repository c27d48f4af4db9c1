//! Lines that would begin something of Markdown's, written so that they are text.

/// Escapes what would make a line a heading, an item, a quote, a rule or a table.
pub(super) fn escaped(text: String) -> String {
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
