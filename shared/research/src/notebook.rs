//! Jupyter notebooks as Markdown.
//!
//! Text cells are kept as they are, code cells become code blocks in the language of the kernel,
//! and outputs follow their cell as blocks. Pictures become placeholders, `[image/png output]`:
//! their bytes are of no use to a reader of text. Colours of a terminal are taken out.
//!
//! ```
//! # fn main() -> Result<(), nova_research::notebook::NotebookError> {
//! let notebook = r##"{
//!   "metadata": {"kernelspec": {"language": "julia"}},
//!   "cells": [
//!     {"cell_type": "markdown", "source": ["# Title\n", "text"]},
//!     {"cell_type": "code", "source": "1 + 1", "outputs": [
//!       {"output_type": "execute_result", "data": {"text/plain": "2"}}]}
//!   ]
//! }"##;
//! assert_eq!(
//!     nova_research::notebook::read(notebook)?,
//!     "# Title\ntext\n\n```julia\n1 + 1\n```\n\nOutput:\n\n```\n2\n```"
//! );
//! # Ok(())
//! # }
//! ```

use nova_web::json::memory_of;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::fence::fenced;

/// Outputs longer than this are shortened: a log of a training run says the same for hours.
pub const MAX_OUTPUT_CHARACTERS: usize = 20_000;

/// As much memory as the values of a notebook may take, beside the letters of its strings: half a
/// million numbers of a plot, or seventy thousand objects.
pub const MAX_MEMORY_BYTES: usize = 48 << 20;

/// The file is no notebook.
#[derive(Debug, thiserror::Error)]
pub enum NotebookError {
    /// It is no JSON, or other JSON.
    #[error("this is not a notebook: {0}")]
    NotANotebook(#[from] serde_json::Error),
    /// It has no list of cells.
    #[error("the notebook has no cells")]
    NoCells,
    /// It would take more memory than [`MAX_MEMORY_BYTES`].
    #[error("the notebook has too many values; clear its outputs and save it again")]
    TooManyValues,
}

#[derive(Deserialize)]
struct Notebook {
    cells: Option<Vec<Cell>>,
    /// Up to format 3, cells were kept in sheets.
    #[serde(default)]
    worksheets: Vec<Worksheet>,
    #[serde(default)]
    metadata: Value,
}

#[derive(Deserialize)]
struct Worksheet {
    #[serde(default)]
    cells: Vec<Cell>,
}

#[derive(Deserialize)]
struct Cell {
    #[serde(default, rename = "cell_type")]
    kind: String,
    /// `input` in format 3.
    #[serde(default, alias = "input")]
    source: Value,
    #[serde(default)]
    outputs: Value,
    #[serde(default)]
    metadata: Value,
    #[serde(default)]
    level: Option<u8>,
    #[serde(default)]
    language: Option<String>,
}

/// Writes a notebook as Markdown.
pub fn read(json: &str) -> Result<String, NotebookError> {
    if memory_of(json.as_bytes()) > MAX_MEMORY_BYTES {
        return Err(NotebookError::TooManyValues);
    }
    let notebook: Notebook = serde_json::from_str(json.trim_start_matches('\u{feff}'))?;
    let language = language(&notebook.metadata);
    let cells = match notebook.cells {
        Some(cells) => cells,
        None if notebook.worksheets.is_empty() => return Err(NotebookError::NoCells),
        None => notebook
            .worksheets
            .into_iter()
            .flat_map(|it| it.cells)
            .collect(),
    };
    let mut out = Blocks::default();
    for cell in &cells {
        out.cell(cell, &language);
    }
    Ok(out.0)
}

/// The language that the notebook says its code is in; most say, and most of the others are old
/// ones in Python.
fn language(metadata: &Value) -> String {
    let named = metadata
        .pointer("/kernelspec/language")
        .or_else(|| metadata.pointer("/language_info/name"))
        .or_else(|| metadata.pointer("/kernelspec/name"))
        .and_then(Value::as_str)
        .unwrap_or("python")
        .trim()
        .to_ascii_lowercase();
    let plain = named
        .bytes()
        .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'#' | b'-' | b'_' | b'.'));
    match named.as_str() {
        "ipython" | "python2" | "python3" => "python".to_owned(),
        "ir" => "r".to_owned(),
        _ if !plain || named.is_empty() || named.len() > 30 => "python".to_owned(),
        _ => named,
    }
}

#[derive(Default)]
struct Blocks(String);

impl Blocks {
    fn push(&mut self, block: &str) {
        if block.is_empty() {
            return;
        }
        if !self.0.is_empty() {
            self.0.push_str("\n\n");
        }
        self.0.push_str(block);
    }

    fn cell(&mut self, cell: &Cell, language: &str) {
        let source = text(&cell.source);
        let source = source.trim_matches('\n').trim_end();
        match cell.kind.as_str() {
            "markdown" => self.push(&without_data(source)),
            "heading" => {
                let level = usize::from(cell.level.unwrap_or(1).clamp(1, 6));
                self.push(&format!(
                    "{} {}",
                    "#".repeat(level),
                    source.replace('\n', " ")
                ));
            }
            "raw" => {
                let format = cell
                    .metadata
                    .get("format")
                    .or_else(|| cell.metadata.get("raw_mimetype"))
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                if format == "text/markdown" {
                    self.push(&without_data(source));
                } else if !source.is_empty() {
                    self.push(&fenced(source, raw_language(format)));
                }
            }
            _ => {
                if !source.is_empty() {
                    let language = magic_language(source)
                        .or(cell.language.as_deref())
                        .or_else(|| {
                            cell.metadata
                                .pointer("/vscode/languageId")
                                .and_then(Value::as_str)
                        })
                        .unwrap_or(language);
                    self.push(&fenced(source, language));
                }
                if let Value::Array(outputs) = &cell.outputs {
                    self.outputs(outputs);
                }
            }
        }
    }

    fn outputs(&mut self, outputs: &[Value]) {
        let mut label = Some("Output:");
        let mut stream = String::new();
        for output in outputs {
            let kind = output.get("output_type").and_then(Value::as_str);
            // Pieces of a stream are one text, however they were cut.
            if kind == Some("stream") {
                stream.push_str(&text(output.get("text").unwrap_or(&Value::Null)));
                continue;
            }
            self.output(&std::mem::take(&mut stream), &mut label);
            if matches!(kind, Some("error" | "pyerr")) {
                label = label.map(|_| "Error:");
                self.output(&error_text(output), &mut label);
            } else {
                let bundle = output.get("data").and_then(Value::as_object);
                self.bundle(bundle.or_else(|| output.as_object()), &mut label);
            }
        }
        self.output(&stream, &mut label);
    }

    /// One result in several forms: the one that reads best as text.
    fn bundle(&mut self, bundle: Option<&Map<String, Value>>, label: &mut Option<&'static str>) {
        let Some(bundle) = bundle else { return };
        let form = |names: &[&str]| {
            names
                .iter()
                .find_map(|it| bundle.get(*it))
                .map(text)
                .filter(|it| !it.trim().is_empty())
        };
        for (kind, _) in bundle.iter().filter(|(kind, _)| is_picture(kind)) {
            self.label(label);
            self.push(&format!("[{} output]", picture(kind)));
        }
        let has_picture = bundle.keys().any(|it| is_picture(it));
        if let Some(markdown) = form(&["text/markdown"]) {
            self.label(label);
            self.push(&without_data(markdown.trim()));
        } else if let Some(latex) = form(&["text/latex", "latex"]) {
            self.label(label);
            self.push(latex.trim());
        } else if let Some(plain) = form(&["text/plain", "text"]) {
            // Beside a picture it only says that there is one: `<Figure size 640x480 with 1 Axes>`.
            if !(has_picture && plain.trim().starts_with('<') && plain.trim().ends_with('>')) {
                self.output(&plain, label);
            }
        } else if let Some(json) = bundle.get("application/json").filter(|it| !it.is_null()) {
            self.label(label);
            self.push(&fenced(&shortened(&json.to_string()), "json"));
        } else if let Some(html) = form(&["text/html", "html"]) {
            self.output(&without_tags(&html), label);
        } else if !has_picture && let Some(kind) = bundle.keys().find(|it| it.contains('/')) {
            self.label(label);
            self.push(&format!("[{} output]", picture(kind)));
        }
    }

    fn output(&mut self, output: &str, label: &mut Option<&'static str>) {
        let output = plain(output);
        let output = shortened(output.trim_matches('\n').trim_end());
        if output.trim().is_empty() {
            return;
        }
        self.label(label);
        self.push(&fenced(&output, ""));
    }

    /// Once for all outputs of a cell.
    fn label(&mut self, label: &mut Option<&'static str>) {
        if let Some(label) = label.take() {
            self.push(label);
        }
    }
}

/// The traceback of an error, with its last line if that is not in it.
fn error_text(output: &Value) -> String {
    let name = |it: &str| output.get(it).and_then(Value::as_str).unwrap_or_default();
    let short = format!("{}: {}", name("ename"), name("evalue"));
    let traceback = plain(&lines(output.get("traceback").unwrap_or(&Value::Null)));
    if traceback.contains(short.trim_matches([':', ' '])) {
        traceback
    } else {
        format!("{traceback}\n{short}")
    }
}

/// Text that is one string or a list of lines that end as they do.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace("\r\n", "\n"),
        Value::Array(lines) => {
            let joined: String = lines.iter().filter_map(Value::as_str).collect();
            joined.replace("\r\n", "\n")
        }
        _ => String::new(),
    }
}

/// Lines that do not end themselves.
fn lines(value: &Value) -> String {
    match value {
        Value::Array(lines) => {
            let lines: Vec<_> = lines.iter().filter_map(Value::as_str).collect();
            lines.join("\n")
        }
        other => text(other),
    }
}

fn is_picture(kind: &str) -> bool {
    kind.starts_with("image/")
        || matches!(kind, "png" | "jpeg" | "svg")
        || kind == "application/pdf"
}

/// The kind of a picture, without anything that is not part of a name.
fn picture(kind: &str) -> String {
    let kind: String = kind
        .chars()
        .filter(|it| it.is_ascii_alphanumeric() || matches!(it, '/' | '+' | '-' | '.'))
        .take(60)
        .collect();
    match kind.as_str() {
        "png" | "jpeg" => format!("image/{kind}"),
        "svg" => "image/svg+xml".to_owned(),
        _ => kind,
    }
}

/// Text without what colours a terminal, and with what it drew over taken away.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut line = 0;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => escape_sequence(&mut characters),
            // A bar of progress writes its line again and again.
            '\r' if characters.peek().is_some_and(|it| *it != '\n') => out.truncate(line),
            '\r' => {}
            '\u{8}' if out.len() > line => {
                out.pop();
            }
            '\n' => {
                out.push('\n');
                line = out.len();
            }
            '\t' => out.push('\t'),
            it if it.is_control() => {}
            it => out.push(it),
        }
    }
    out
}

/// Reads past a command to the terminal.
fn escape_sequence(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let mut until = |ends: fn(&char) -> bool| {
        while characters.next_if(|it| !ends(it)).is_some() {}
        characters.next()
    };
    match until(|_| true) {
        // A command in brackets ends at a letter, one with a text at a bell or another escape.
        Some('[') => drop(until(|it| matches!(it, '@'..='~'))),
        Some(']') if until(|it| matches!(it, '\u{7}' | '\u{1b}')) == Some('\u{1b}') => {
            until(|_| true);
        }
        _ => {}
    }
}

fn shortened(text: &str) -> String {
    let length = text.chars().count();
    if length <= MAX_OUTPUT_CHARACTERS {
        return text.to_owned();
    }
    let half = MAX_OUTPUT_CHARACTERS / 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(length - half).collect();
    format!(
        "{head}\n[… {} characters left out …]\n{tail}",
        length - 2 * half
    )
}

/// A picture that stands in the text as its bytes is told and not kept.
fn without_data(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some(at) = rest.find("data:") {
        let (before, data) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let end = data
            .find(|it: char| it.is_whitespace() || matches!(it, ')' | '"' | '\'' | '>' | '`'))
            .unwrap_or(data.len());
        let (url, after) = data.split_at_checked(end).unwrap_or((data, ""));
        let is_data = url
            .get(..200.min(url.len()))
            .unwrap_or(url)
            .contains(";base64,");
        out.push_str(before);
        if is_data {
            let kind: &str = url
                .get("data:".len()..)
                .and_then(|it| it.split(';').next())
                .unwrap_or_default();
            out.push_str(&picture(kind).replace('/', "-"));
            out.push_str("-left-out");
        } else {
            out.push_str(url);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The words of some HTML, for want of anything better.
fn without_tags(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut in_tag = false;
    for character in html.chars() {
        match character {
            '<' => {
                in_tag = true;
                out.push(' ');
            }
            '>' if in_tag => in_tag = false,
            _ if in_tag => {}
            it => out.push(it),
        }
    }
    crate::entity::decode(&out)
        .lines()
        .map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn raw_language(format: &str) -> &str {
    match format {
        "text/html" => "html",
        "text/latex" | "latex" => "latex",
        "text/restructuredtext" | "rst" => "rst",
        "text/x-python" | "python" => "python",
        _ => "",
    }
}

/// The language that `%%bash` and its like say.
fn magic_language(source: &str) -> Option<&'static str> {
    let magic = source.strip_prefix("%%")?;
    let name = magic.split_whitespace().next()?;
    Some(match name {
        "bash" | "sh" | "script" => "bash",
        "html" | "HTML" => "html",
        "javascript" | "js" => "javascript",
        "latex" => "latex",
        "sql" | "bigquery" => "sql",
        "R" => "r",
        "ruby" => "ruby",
        "perl" => "perl",
        "markdown" => "markdown",
        _ => return None,
    })
}
