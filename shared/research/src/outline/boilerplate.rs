//! Headings under which an author speaks to the writer and not of the topic.

use crate::text::normal;

/// These are the whole heading.
#[rustfmt::skip]
const WHOLE: &[&str] = &[
    "anchoring", "article code", "article outline", "audience", "author", "authors", "bibliography", "call to action",
    "citations", "code", "context", "cta", "deadline", "deliverables", "estilo", "estructura", "fontes", "format",
    "formatting", "format und stil", "fuentes", "fuentes recomendadas", "further reading", "gliederung", "global context",
    "golden sources", "guidelines", "images", "instructions", "keywords", "length", "lesson code", "lesson outline",
    "lesson scope", "links", "literatur", "longitud", "longueur", "länge", "media", "metadata", "narrative flow", "notes",
    "other sources", "outline", "perspective", "plan", "point of view", "publico objetivo", "público objetivo",
    "public cible", "quellen", "références", "referencias", "referências", "references", "requirements", "resources",
    "seo", "source", "sources", "stil", "structure", "style", "style guide", "table of contents", "target audience",
    "theory practice ratio", "title", "titles", "todo", "tom", "ton", "tonalität", "tone", "tone of voice", "tono",
    "toc", "umfang", "voice", "word count", "writing style", "zielgruppe", "写作风格", "参考资料", "参考文献", "目标读者", "字数",
];

/// A heading with one of these is of that kind, whatever else is in it.
const PART: &[&str] = &[
    "anchoring the",
    "concepts introduced in previous",
    "concepts that will be introduced",
    "details about the course",
    "expected length",
    "global context of",
    "intended audience",
    "narrative flow of",
    "point of view",
    "practice ratio",
    "section length",
    "target audience",
    "theory practice",
    "transition to",
    "what i m planning to share",
    "what we are planning to share",
    "what we re planning to share",
    "why i think it s valuable",
    "why we think it s valuable",
    "word count",
];

/// Whether a heading, or the label of an item, is of that kind.
pub(super) fn is_heading(heading: &str) -> bool {
    let heading = normal(&heading.replace(['\'', '’'], " "));
    WHOLE.contains(&heading.as_str()) || PART.iter().any(|part| holds(&heading, part))
}

/// Whether an item of a list only says such a thing: "Section length: 400 words".
pub(super) fn is_item(item: &str) -> bool {
    item.split_once([':', '：'])
        .is_some_and(|(label, _)| is_heading(label))
}

/// Whether the words of `part` stand in `text` as words.
fn holds(text: &str, part: &str) -> bool {
    format!(" {text} ").contains(&format!(" {part} "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_the_writer_is_told_from_the_topic() {
        for heading in [
            "Expected Length",
            "Point of View",
            "Who Is the Intended Audience",
            "Golden Sources",
            "**Sources**",
            "Why I think it’s valuable",
            "Zielgruppe",
            "Theory / Practice ratio",
        ] {
            assert!(is_heading(heading), "{heading}");
        }
        for heading in [
            "Data sources for retrieval",
            "The length of contexts",
            "Audience segmentation with agents",
            "Structured outputs",
            "Code generation",
        ] {
            assert!(!is_heading(heading), "{heading}");
        }
        assert!(is_item("Section length: 400 words"));
        assert!(!is_item("Semantic memory: facts"));
    }
}
