//! Text of the frame that comes from elsewhere: titles, queries, URLs.

/// A text in one line that holds no tag: it may stand in a `<summary>` and in a heading.
///
/// White space that would end the line, and other control characters, become one space. Of HTML's
/// characters only `<` has to be escaped there; `&` stays, because titles are URLs.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for char in text.trim().chars() {
        match char {
            '<' => line.push_str("&lt;"),
            '\u{2028}' | '\u{2029}' => push_space(&mut line),
            _ if char.is_control() => push_space(&mut line),
            _ => line.push(char),
        }
    }
    line.truncate(line.trim_end().len());
    line
}

fn push_space(line: &mut String) {
    if !line.ends_with(' ') {
        line.push(' ');
    }
}
