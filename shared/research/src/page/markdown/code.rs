//! Code: its text, its language, and a fence that nothing in it can close.

use crate::fence::longest_run;
use crate::page::dom::{Attr, Data, Dom, NodeId, Step, Tag};

/// The text of a code block: line breaks as lines, without line numbers, copy buttons and links
/// to itself.
pub(super) fn text(dom: &Dom, root: NodeId) -> String {
    let mut text = String::new();
    let mut walk = dom.walk(root);
    while let Some(step) = walk.next() {
        match step {
            Step::Enter(id) => match dom.data(id) {
                Data::Text(piece) => push(&mut text, piece),
                Data::Element(element) => match element.tag {
                    Tag::Br => text.push('\n'),
                    _ if id != root && is_furniture(dom, id) => walk.pass_over(id),
                    tag if id != root && tag.is_block() => own_line(&mut text),
                    _ => {}
                },
                Data::Nothing => {}
            },
            // A cell of a table ends no line, but a row does.
            Step::Leave(id) if id != root => match dom.tag(id) {
                Tag::Td | Tag::Th => {}
                tag if tag.is_block() => own_line(&mut text),
                _ => {}
            },
            Step::Leave(_) => {}
        }
    }
    while text.ends_with(char::is_whitespace) {
        text.pop();
    }
    let blank: usize = text
        .split_inclusive('\n')
        .take_while(|it| it.trim().is_empty())
        .map(str::len)
        .sum();
    text.drain(..blank);
    text
}

fn push(text: &mut String, piece: &str) {
    for character in piece.chars() {
        match character {
            '\u{a0}' => text.push(' '),
            '\r' | '\u{0}' | '\u{200b}' | '\u{feff}' => {}
            it => text.push(it),
        }
    }
}

fn own_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

/// What stands beside the code and is none.
fn is_furniture(dom: &Dom, id: NodeId) -> bool {
    if matches!(
        dom.tag(id),
        Tag::Button | Tag::Script | Tag::Style | Tag::Svg
    ) {
        return true;
    }
    let classes = dom.attr(id, Attr::Class).unwrap_or_default();
    classes.split_ascii_whitespace().any(is_line_number)
}

/// Whether a class is that of line numbers, in one of the common highlighters.
pub(super) fn is_line_number(class: &str) -> bool {
    matches!(
        class,
        "linenos"
            | "lineno"
            | "linenodiv"
            | "line-number"
            | "line-numbers-rows"
            | "linenumber"
            | "line-no"
            | "ln-num"
            | "lnt"
            | "gutter"
            | "rouge-gutter"
            | "hljs-ln-numbers"
            | "blob-num"
            | "CodeMirror-linenumber"
            | "headerlink"
            | "copybutton"
            | "copybtn"
    )
}

/// Code within a line.
pub(super) fn span(text: &str, in_table: bool) -> String {
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return text;
    }
    if in_table {
        text = text.replace('|', "\\|");
    }
    let longest = longest_run(&text);
    let quotes = "`".repeat(if longest == 0 { 1 } else { longest + 1 });
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{quotes}{pad}{text}{pad}{quotes}")
}

/// The language of a code block: what it, the code in it or the boxes around it say.
pub(super) fn language(dom: &Dom, pre: NodeId) -> String {
    let inside = dom.children(pre).find(|&it| dom.tag(it) == Tag::Code);
    let around = dom.ancestors(pre).take(4);
    for id in inside.into_iter().chain(around) {
        if let Some(name) = [Attr::DataLang, Attr::DataLanguage]
            .into_iter()
            .find_map(|it| dom.attr(id, it))
            .and_then(named)
        {
            return name;
        }
        let classes = dom.attr(id, Attr::Class).unwrap_or_default();
        if let Some(name) = of_classes(classes) {
            return name;
        }
        // What is around more than this code says nothing about it.
        let mut blocks = dom
            .children(id)
            .take(64)
            .filter(|&it| dom.tag(it) == Tag::Pre);
        if id != pre && blocks.nth(1).is_some() {
            break;
        }
    }
    String::new()
}

fn of_classes(classes: &str) -> Option<String> {
    let mut rest = classes.split_ascii_whitespace();
    while let Some(class) = rest.next() {
        for prefix in [
            "language-",
            "lang-",
            "highlight-source-",
            "highlight-text-",
            "highlight-",
            "brush:",
            "src-",
        ] {
            let Some(name) = class.strip_prefix(prefix) else {
                continue;
            };
            if let Some(name) = named(name) {
                return Some(name);
            }
            if prefix == "brush:" && name.is_empty() {
                return rest.next().and_then(named);
            }
            if prefix == "language-" || prefix == "lang-" || prefix == "highlight-" {
                return None;
            }
        }
        match class {
            // Pandoc, highlight.js: the name stands beside.
            "sourceCode" | "hljs" => {
                if let Some(name) = rest
                    .clone()
                    .next()
                    .filter(|it| !it.contains('-'))
                    .and_then(named)
                {
                    return Some(name);
                }
            }
            // rustdoc marks its examples so, and what says `rust` is Rust.
            "rust" | "python" | "javascript" | "typescript" | "bash" | "json" | "java" | "cpp"
            | "yaml" | "toml" | "sql" | "go" | "ruby" | "php" | "css" | "html" | "xml"
            | "kotlin" | "swift" | "scala" => return named(class),
            _ => {}
        }
    }
    None
}

/// A name that can stand behind a fence; `None` for those that mean "no language".
fn named(name: &str) -> Option<String> {
    let name = name.trim_end_matches([';', ',']).to_ascii_lowercase();
    let plain = name
        .bytes()
        .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'#' | b'-' | b'_' | b'.'));
    if !plain || name.is_empty() || name.len() > 30 {
        return None;
    }
    Some(match name.as_str() {
        "none" | "default" | "text" | "txt" | "plain" | "plaintext" | "nohighlight"
        | "notranslate" | "no-highlight" | "undefined" | "unknown" | "sourcecode" => return None,
        "python3" | "ipython3" | "ipython" => "python".to_owned(),
        _ => name,
    })
}
