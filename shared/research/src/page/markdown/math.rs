//! Formulas, as the TeX that most of them were made from.

use crate::page::dom::{Attr, Dom, NodeId, Tag};

/// A formula, if the element is one.
pub(super) fn formula(dom: &Dom, id: NodeId) -> Option<String> {
    let element = dom.element(id)?;
    match element.tag {
        Tag::Math => {
            let display = element.attr(Attr::Display) == Some("block");
            let annotation = dom.entered(id).find(|&it| {
                dom.tag(it) == Tag::Annotation
                    && dom
                        .attr(it, Attr::Encoding)
                        .is_some_and(|it| it.contains("tex"))
            });
            let tex = annotation
                .map(|it| dom.text_of(it))
                .or_else(|| element.attr(Attr::AltText).map(str::to_owned))
                .unwrap_or_else(|| dom.text_of(id));
            Some(delimited(&tex, display))
        }
        Tag::Script => {
            let kind = element.attr(Attr::Type)?.to_ascii_lowercase();
            kind.starts_with("math/tex")
                .then(|| delimited(&dom.text_of(id), kind.contains("display")))
        }
        Tag::Img => {
            let class = element.attr(Attr::Class)?;
            let tex = element.attr(Attr::Alt)?;
            let is_formula = class
                .split_ascii_whitespace()
                .any(|it| matches!(it, "tex" | "latex" | "math") || it.starts_with("mwe-math"));
            is_formula.then(|| delimited(tex, class.contains("display")))
        }
        // Sphinx, Jekyll, Pandoc: TeX between marks, for a script to find.
        _ => {
            let class = element.attr(Attr::Class)?;
            if !class.split_ascii_whitespace().any(|it| it == "math") {
                return None;
            }
            if dom.children(id).any(|it| dom.element(it).is_some()) {
                return None;
            }
            let text = dom.text_of(id);
            let text = text.trim();
            let inner = |open: &str, close: &str| {
                Some(text.strip_prefix(open)?.strip_suffix(close)?.to_owned())
            };
            if let Some(tex) = inner("\\(", "\\)") {
                return Some(delimited(&tex, false));
            }
            inner("\\[", "\\]")
                .or_else(|| inner("$$", "$$"))
                .map(|tex| delimited(&tex, true))
                .or_else(|| {
                    text.contains(['\\', '^', '_', '='])
                        .then(|| delimited(text, class.contains("display")))
                })
        }
    }
}

/// Its TeX between dollars, in one line. Braces that only say how large it is go.
fn delimited(tex: &str, display: bool) -> String {
    let tex = tex.split_whitespace().collect::<Vec<_>>().join(" ");
    let tex = tex
        .strip_prefix("{\\displaystyle ")
        .and_then(|it| it.strip_suffix('}'))
        .or_else(|| {
            tex.strip_prefix("{\\textstyle ")
                .and_then(|it| it.strip_suffix('}'))
        })
        .unwrap_or(&tex)
        .trim();
    // A dollar would end it, a backtick begin code, and no formula holds HTML.
    let tex = tex.trim_matches('$').replace('$', "\\$").replace('`', "'");
    let tex = escape_tags(&tex);
    match (tex.is_empty(), display) {
        (true, _) => String::new(),
        (false, true) => format!("$${tex}$$"),
        (false, false) => format!("${tex}$"),
    }
}

/// Parts `<` from what would make it a tag.
fn escape_tags(tex: &str) -> String {
    let mut out = String::with_capacity(tex.len());
    let mut characters = tex.chars().peekable();
    while let Some(character) = characters.next() {
        out.push(character);
        if character == '<'
            && characters
                .peek()
                .is_some_and(|it| it.is_ascii_alphabetic() || matches!(it, '/' | '!' | '?'))
        {
            out.push(' ');
        }
    }
    out
}
