//! Files that are no web pages: text, code, JSON, Markdown, notebooks.

use url::Url;

use super::images::pictures_as_addresses;
use super::kind::extension;
use super::markdown::escaped_lines;
use super::{Kind, Metadata, Page, PageError};
use crate::fence::fenced;
use crate::notebook;

/// A notebook.
pub(super) fn notebook(text: &str) -> Result<Page, PageError> {
    let notebook = notebook::read(text).map_err(|error| PageError::Unreadable {
        what: "notebook",
        why: error.to_string(),
    })?;
    Ok(Page {
        kind: Kind::Notebook,
        metadata: Metadata {
            title: title_of(&notebook),
            ..Metadata::default()
        },
        markdown: notebook,
    })
}

/// JSON, in lines if it came in one.
pub(super) fn json(text: &str) -> Page {
    let text = clean(text);
    let text = text.trim();
    let lines = text.lines().count();
    let code = if text.len() > 200 && text.len() / lines.max(1) > 400 {
        indented(text)
    } else {
        text.to_owned()
    };
    Page {
        kind: Kind::Json,
        metadata: Metadata::default(),
        markdown: if code.is_empty() {
            code
        } else {
            fenced(&code, "json")
        },
    }
}

/// Markdown as it is, but for its pictures.
pub(super) fn markdown(text: &str, url: &Url) -> Page {
    let markdown = pictures_as_addresses(clean(text).trim(), url);
    Page {
        kind: Kind::Markdown,
        metadata: Metadata {
            title: title_of(&markdown),
            ..Metadata::default()
        },
        markdown,
    }
}

/// Text. Code and what is laid out with spaces is kept as it is; the rest becomes paragraphs.
pub(super) fn plain(text: &str, url: &Url) -> Page {
    let text = clean(text);
    let text = text.trim_end().trim_start_matches('\n');
    let language = language_of(&extension(url));
    let markdown = if text.trim().is_empty() {
        String::new()
    } else if language.is_some() || is_laid_out(text) {
        fenced(text, language.unwrap_or_default())
    } else {
        paragraphs(text)
    };
    Page {
        kind: Kind::Text,
        metadata: Metadata::default(),
        markdown,
    }
}

/// Paragraphs of text as Markdown.
pub(super) fn paragraphs(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    let mut paragraph = Vec::new();
    for line in text.lines().chain([""]) {
        let line = line.trim();
        if !line.is_empty() {
            paragraph.push(line);
        } else if !paragraph.is_empty() {
            if !out.is_empty() {
                out.push_str("\n\n");
            }
            out.push_str(&escaped_lines(&paragraph));
            paragraph.clear();
        }
    }
    out
}

fn clean(text: &str) -> String {
    text.trim_start_matches('\u{feff}')
        .replace("\r\n", "\n")
        .replace(['\r', '\u{c}'], "\n")
        .replace('\0', "")
}

/// Whether columns, drawings or indentation matter.
fn is_laid_out(text: &str) -> bool {
    let (mut lines, mut laid_out) = (0, 0);
    for line in text.lines().filter(|it| !it.trim().is_empty()) {
        lines += 1;
        let is_laid_out =
            line.starts_with([' ', '\t']) || line.trim().contains("   ") || line.contains('\t');
        laid_out += usize::from(is_laid_out);
    }
    laid_out * 5 > lines
}

/// The first heading of a Markdown document.
fn title_of(markdown: &str) -> Option<String> {
    markdown
        .lines()
        .take(50)
        .find_map(|it| it.strip_prefix("# "))
        .map(|it| it.trim().trim_end_matches('#').trim().to_owned())
        .filter(|it| !it.is_empty() && it.len() < 300)
}

/// The language of a file with this extension, if it is code or data.
fn language_of(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "py" | "pyi" => "python",
        "rs" => "rust",
        "js" | "mjs" | "cjs" => "javascript",
        "jsx" => "jsx",
        "ts" | "mts" => "typescript",
        "tsx" => "tsx",
        "go" => "go",
        "java" => "java",
        "kt" | "kts" => "kotlin",
        "swift" => "swift",
        "c" | "h" => "c",
        "cc" | "cpp" | "cxx" | "hpp" => "cpp",
        "cs" => "csharp",
        "rb" => "ruby",
        "php" => "php",
        "sh" | "bash" => "bash",
        "sql" => "sql",
        "r" => "r",
        "jl" => "julia",
        "lua" => "lua",
        "scala" => "scala",
        "hs" => "haskell",
        "ex" | "exs" => "elixir",
        "css" => "css",
        "yaml" | "yml" => "yaml",
        "toml" => "toml",
        "ini" | "cfg" => "ini",
        "xml" => "xml",
        "csv" => "csv",
        "tex" => "latex",
        "tf" => "hcl",
        "proto" => "protobuf",
        "dockerfile" => "dockerfile",
        "diff" | "patch" => "diff",
        _ => return None,
    })
}

/// JSON with a line for each value. It need not be valid, and its values stay as they are.
fn indented(json: &str) -> String {
    const DEEPEST: usize = 24;
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut escaped = false;
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        for _ in 0..depth.min(DEEPEST) {
            out.push_str("  ");
        }
    };
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if in_text {
            out.push(character);
            in_text = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            '"' => {
                in_text = true;
                out.push('"');
            }
            '{' | '[' => {
                out.push(character);
                while characters.next_if(|it| it.is_whitespace()).is_some() {}
                if let Some(close) = characters.next_if(|it| matches!(it, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(',');
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            it if it.is_whitespace() => {}
            it => out.push(it),
        }
    }
    out
}
