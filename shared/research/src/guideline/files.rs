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
    // Most paragraphs name no file, and looking at their dots is much faster than at all of them.
    if !has_extension(text) {
        return;
    }
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
                if let Some(path) = path {
                    found(after, path);
                }
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

/// Whether the end of a name stands anywhere in a text.
fn has_extension(text: &str) -> bool {
    text.match_indices('.').any(|(at, _)| {
        let end = text.as_bytes().get(at..).unwrap_or_default();
        EXTENSIONS.iter().any(|extension| {
            end.get(..extension.len())
                .is_some_and(|it| it.eq_ignore_ascii_case(extension.as_bytes()))
        })
    })
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

/// The name that fills a quotation, and where the quotation ends. A path that is not accepted is
/// passed over as a whole, like a token.
///
/// The search ends at the next quotation or line: no text is searched twice.
fn quoted(
    text: &str,
    start: usize,
    opening: char,
    closing: char,
) -> Option<(Option<String>, usize)> {
    let rest = text.get(start..)?;
    let length = rest.find(['\n', opening, closing])?;
    let (content, end) = rest.split_at_checked(length)?;
    if !end.starts_with(closing) {
        return None;
    }
    let path = relative_path(content);
    let is_refused = content.starts_with(['/', '.', '~']) || content.contains('\\');
    (path.is_some() || is_refused).then_some((path, start + length))
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
    !char.is_alphanumeric() && !r"_-./\:~@#+%$&?^".contains(char) || char == '\u{fffd}'
}

/// The file that a token of running text names.
fn token_path(token: &str) -> Option<String> {
    // A name with `@` is an address, of mail or of a repository.
    if token.len() > 2 * MAX_PATH_BYTES || !token.contains('.') || token.contains('@') {
        return None;
    }
    // Markdown's escapes: `my\_notes.md`.
    let name = token
        .replace(r"\_", "_")
        .replace(r"\-", "-")
        .replace(r"\.", ".");
    // An anchor behind it: `notes.md#top`.
    let name = name.split('#').next()?;
    let (first, rest) = name.split_once(':').unwrap_or((name, ""));
    if rest.is_empty() || first.len() == 1 {
        // A drive keeps its colon, and is refused for it.
        return relative_path(without_marks(name));
    }
    // A word before it or a line number behind it: `see:notes.md`, `main.py:42`.
    name.split(':')
        .find_map(|part| relative_path(without_marks(part)))
}

/// A name without the punctuation and the emphasis around it: `_notes.md_`, but `__init__.py`.
fn without_marks(name: &str) -> &str {
    let mut name = name
        .trim_end_matches(['.', ':', '?', '-'])
        .trim_start_matches(['-', '+']);
    for mark in ['_', '~'] {
        let marks = name.len() - name.trim_end_matches(mark).len();
        name = name.get(marks..name.len() - marks).unwrap_or_default();
    }
    name
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
