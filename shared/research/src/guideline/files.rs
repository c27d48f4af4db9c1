//! Names of local files: `.py`, `.ipynb` and `.md`, in quotes, brackets, bullets or alone.
//!
//! A name becomes the key by which an upload is matched, so only a plain relative path is taken:
//! nothing absolute, no `..`, no home directory, drive or backslash. In quotes a name may contain
//! spaces; elsewhere a space ends it.

use super::bare::is_cjk;

const EXTENSIONS: [&str; 3] = [".py", ".ipynb", ".md"];

/// Longer paths are not names of files, in bytes.
const MAX_PATH_BYTES: usize = 255;

/// Last labels of hosts that people write without a scheme: `github.com/o/r/README.md` is no file.
const DOMAINS: &str = "ai app cn co com de dev edu eu fr gov io it jp net org uk us";

/// Finds the names in a text, each with where it begins.
pub(super) fn scan(text: &str, found: &mut dyn FnMut(usize, String)) {
    let mut token: Option<usize> = None;
    let mut previous = ' ';
    let mut at = 0;
    while let Some(char) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let after = at + char.len_utf8();
        if ends_token(char) {
            take(text, token.take(), at, found);
            let quote = closing_quote(char).filter(|_| !previous.is_alphanumeric());
            if let Some((path, end)) = quote.and_then(|closing| quoted(text, after, char, closing))
            {
                found(after, path);
                (previous, at) = (' ', end);
                continue;
            }
        } else if token.is_none() {
            token = Some(at);
        } else if changes_script(previous, char) {
            take(text, token.replace(at), at, found);
        }
        (previous, at) = (char, after);
    }
    take(text, token, text.len(), found);
}

/// Chinese or Japanese words stand directly before and after an English name.
const fn changes_script(previous: char, char: char) -> bool {
    is_cjk(previous) && char.is_ascii_alphabetic() || is_cjk(char) && previous.is_ascii_alphabetic()
}

fn take(text: &str, start: Option<usize>, end: usize, found: &mut dyn FnMut(usize, String)) {
    let Some(start) = start else { return };
    if let Some(path) = text.get(start..end).and_then(token_path) {
        found(start, path);
    }
}

/// The name that fills a quotation, and where the quotation ends.
///
/// The search ends at the next quotation or line: no text is searched twice.
fn quoted(text: &str, start: usize, opening: char, closing: char) -> Option<(String, usize)> {
    let rest = text.get(start..)?;
    let length = rest.find(['\n', opening, closing])?;
    let content = rest.get(..length)?;
    let path = relative_path(content)
        .filter(|_| rest.get(length..).is_some_and(|it| it.starts_with(closing)))?;
    Some((path, start + length))
}

const fn closing_quote(char: char) -> Option<char> {
    match char {
        '"' | '\'' => Some(char),
        '“' => Some('”'),
        '‘' => Some('’'),
        '«' => Some('»'),
        '「' => Some('」'),
        '『' => Some('』'),
        _ => None,
    }
}

/// What separates names. Everything else stays with its neighbours, so that a path which is not
/// accepted (`C:\x.py`) is refused as a whole and does not lend its end to another name.
fn ends_token(char: char) -> bool {
    !char.is_alphanumeric() && !r"_-./\:~@#+%$&?^=".contains(char) || char == '\u{fffd}'
}

/// The file that a token of running text names.
fn token_path(token: &str) -> Option<String> {
    if token.len() > 2 * MAX_PATH_BYTES || !token.contains('.') {
        return None;
    }
    // Markdown's escapes: `my\_notes.md`.
    let unescaped;
    let mut name = token;
    if token.contains('\\') {
        unescaped = token
            .replace(r"\_", "_")
            .replace(r"\-", "-")
            .replace(r"\.", ".");
        name = &unescaped;
    }
    name = name
        .trim_end_matches(['.', ':', '?', '=', '-'])
        .trim_start_matches(['-', '+', '=', ':']);
    // What follows a name: an anchor, a line number.
    name = name.split('#').next().unwrap_or_default();
    name = name.split(":L").next().unwrap_or_default();
    name = name.trim_end_matches(|it: char| it.is_ascii_digit() || it == ':');
    // Emphasis: `_notes.md_`, but not `__init__.py`.
    for mark in ['_', '~'] {
        let inner = name.trim_end_matches(mark);
        let marks = name.len() - inner.len();
        if let Some(inner) = name.get(marks..name.len() - marks).filter(|_| marks > 0) {
            name = inner;
        }
    }
    relative_path(name)
}

/// A path of a Python file, a notebook or a Markdown file below the author's folder, without
/// `./`; `None` for everything else.
pub(super) fn relative_path(path: &str) -> Option<String> {
    let path = path.trim();
    let lower = path.to_ascii_lowercase();
    let extension = EXTENSIONS.iter().find(|it| lower.ends_with(**it))?;
    if path.len() > MAX_PATH_BYTES || path.starts_with('/') {
        return None;
    }
    let plain = |it: char| it.is_alphanumeric() || "_-./+ ()[],'&".contains(it);
    if !path.chars().all(plain) {
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| *part != ".").collect();
    if parts
        .iter()
        .any(|part| part.is_empty() || *part == ".." || part.trim() != *part)
    {
        return None;
    }
    let (file, folders) = parts.split_last()?;
    let stem = file.get(..file.len() - extension.len())?;
    if !stem.contains(char::is_alphanumeric) || folders.first().is_some_and(|it| is_host(it)) {
        return None;
    }
    Some(parts.join("/"))
}

fn is_host(folder: &str) -> bool {
    folder.rsplit_once('.').is_some_and(|(name, last)| {
        !name.is_empty() && DOMAINS.split(' ').any(|it| it.eq_ignore_ascii_case(last))
    })
}
