//! Which files are taken, by their names, and how they are written down.

use crate::language;

/// How a file is written as Markdown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// As it is.
    Markdown,
    /// Cell by cell; see [`crate::notebook`].
    Notebook,
    /// Subtitles: as a transcript; see [`crate::captions::subtitles`].
    Subtitles,
    /// As one block of code in this language, named as fences name it.
    Code(&'static str),
}

/// What is taken besides the languages that are known: endings, and how a fence names them.
const TEXTS: &[(&str, &str)] = &[
    ("mdown", "markdown"),
    ("qmd", "markdown"),
    ("txt", "text"),
    ("text", "text"),
    ("log", "text"),
    ("adoc", "text"),
    ("org", "text"),
    ("properties", "ini"),
    ("bib", "bibtex"),
    ("tsv", "tsv"),
    ("srt", "srt"),
    ("vtt", "vtt"),
];

/// Files without an ending, by the whole of their names; of the languages' endings, too, some are
/// such names.
const NAMES: [&str; 8] = [
    "containerfile",
    "dockerfile",
    "gemfile",
    "jenkinsfile",
    "license",
    "makefile",
    "rakefile",
    "readme",
];

/// The kind of a file of this name, without folders; `None` for those that are not taken.
pub(super) fn kind(file: &str) -> Option<Kind> {
    let file = file.to_ascii_lowercase();
    let ending = match file.rsplit_once('.') {
        // `.py` alone is a hidden file without an ending.
        Some((stem, ending)) => Some(ending).filter(|_| !stem.is_empty())?,
        None => Some(file.as_str()).filter(|name| NAMES.contains(name))?,
    };
    let fence = match ending {
        "license" | "readme" => "text",
        "containerfile" => "dockerfile",
        ending => TEXTS
            .iter()
            .find(|(text, _)| *text == ending)
            .map_or_else(|| language::of_path(&file).fence, |(_, fence)| fence),
    };
    match (ending, fence) {
        (_, "") => None,
        ("ipynb", _) => Some(Kind::Notebook),
        ("srt" | "vtt", _) => Some(Kind::Subtitles),
        (_, "markdown") => Some(Kind::Markdown),
        (_, fence) => Some(Kind::Code(fence)),
    }
}

/// The endings that are taken, without their dots.
pub fn endings() -> impl Iterator<Item = &'static str> {
    let texts = TEXTS.iter().map(|(ending, _)| *ending);
    let known = language::extensions().filter(|it| !NAMES.contains(it));
    known.chain(texts)
}
