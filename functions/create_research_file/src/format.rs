//! The formats of the file.

use nova_research::{
    document::{Counts, Document, Json, OutOfOrder, Section},
    references::References,
};
use serde::{Deserialize, Serialize};

/// What the file is written as.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// The document, for people and language models.
    #[default]
    Markdown,
    /// The same for programs.
    Json,
    /// Its references, for bibliographies.
    Bibtex,
}

impl Format {
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Json => "application/json",
            Self::Bibtex => "application/x-bibtex; charset=utf-8",
        }
    }

    pub(crate) const fn file_name(self) -> &'static str {
        match self {
            Self::Markdown => "research.md",
            Self::Json => "research.json",
            Self::Bibtex => "research.bib",
        }
    }
}

/// What the sources are bound into. Counts are the same in each format.
pub(crate) enum Binding {
    Markdown {
        document: Document,
        lists_references: bool,
    },
    Json(Json),
    /// The document is counted and not written.
    Bibtex(Document),
}

impl Binding {
    pub(crate) fn new(
        format: Format,
        lists_references: bool,
        none_passed: bool,
        ranked_because: Option<&str>,
    ) -> Self {
        let (mut document, mut json) = (Document::new(), Json::new());
        if none_passed {
            document.none_passed_selection();
            json.none_passed_selection();
        }
        if let Some(why) = ranked_because {
            document.ranked_because(why);
            json.ranked_because(why);
        }
        match format {
            Format::Markdown => Self::Markdown {
                document,
                lists_references,
            },
            Format::Json => Self::Json(json),
            Format::Bibtex => Self::Bibtex(document),
        }
    }

    /// Whether the texts of sources are part of the file.
    pub(crate) const fn holds_texts(&self) -> bool {
        !matches!(self, Self::Bibtex(_))
    }

    pub(crate) fn open(
        &mut self,
        section: Section,
        title: &str,
        out: &mut String,
    ) -> Result<(), OutOfOrder> {
        match self {
            Self::Markdown { document, .. } => document.open(section, title, out),
            Self::Json(document) => document.open(section, title, out),
            Self::Bibtex(document) => document.open(section, title, &mut String::new()),
        }
    }

    pub(crate) fn answer(&mut self, number: u64, url: &str, query: &str, out: &mut String) {
        match self {
            Self::Markdown { document, .. } => document.answer(number, url, query, out),
            Self::Json(document) => document.answer(number, url, out),
            Self::Bibtex(_) => {}
        }
    }

    pub(crate) fn body(&mut self, chunk: &[u8], out: &mut String) {
        match self {
            Self::Markdown { document, .. } => document.body_bytes(chunk, out),
            Self::Json(document) => document.body_bytes(chunk, out),
            Self::Bibtex(_) => {}
        }
    }

    pub(crate) fn finish(self, references: &References, out: &mut String) -> Counts {
        match self {
            Self::Markdown {
                document,
                lists_references,
            } => {
                let counts = document.finish(out);
                if lists_references {
                    out.push_str("\n\n## References\n\n");
                    out.push_str(&references.markdown());
                }
                counts
            }
            Self::Json(document) => document.finish(references.all(), out),
            Self::Bibtex(document) => {
                out.push_str(&references.bibtex());
                document.finish(&mut String::new())
            }
        }
    }
}
