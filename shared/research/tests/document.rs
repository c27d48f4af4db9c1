//! The frame of the document against bodies that attack it.

use nova_research::document::{Document, Section};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use proptest::prelude::*;

fn write(blocks: &[(&str, &str)], chunk: usize) -> String {
    let mut out = String::new();
    let mut document = Document::new();
    for (title, body) in blocks {
        document.open(Section::AdditionalSources, title, &mut out).unwrap();
        for bytes in body.as_bytes().chunks(chunk) {
            document.body_bytes(bytes, &mut out);
        }
    }
    document.finish(&mut out);
    out
}

/// What a reader of Markdown makes of a document: the HTML blocks at the top, and all raw HTML.
fn check_frame(markdown: &str, blocks: usize, options: Options) -> Result<(), String> {
    let mut depth = 0_usize;
    let mut top = Vec::new();
    let mut raw = String::new();
    let mut html: Option<String> = None;
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Start(Tag::HtmlBlock) => {
                depth += 1;
                html = Some(String::new());
            }
            Event::End(TagEnd::HtmlBlock) => {
                depth -= 1;
                let html = html.take().unwrap();
                if depth == 0 {
                    top.push(html);
                }
            }
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::Html(text) | Event::InlineHtml(text) => {
                raw.push_str(&text);
                raw.push('\n');
                if let Some(html) = &mut html {
                    html.push_str(&text);
                }
            }
            _ => {}
        }
    }
    let opened = top.iter().filter(|it| it.starts_with("<details>\n<summary>")).count();
    let closed = top.iter().filter(|it| *it == "</details>\n").count();
    let raw = raw.to_ascii_lowercase();
    let opening = raw.matches("<details").count();
    let closing = raw.matches("</details").count();
    let swallowing = ["<script", "<!--", "<style", "<textarea", "<table", "<?", "<![", "<img"]
        .into_iter()
        .filter(|it| without_comments(&raw).contains(*it))
        .collect::<Vec<_>>();
    if (opened, closed, opening, closing) == (blocks, blocks, blocks, blocks) && swallowing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "opened {opened}, closed {closed}, tags {opening} and {closing} for {blocks} blocks, {swallowing:?}"
    ))
}

/// The text without comments that end.
fn without_comments(html: &str) -> String {
    let mut parts = html.split("<!--");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| match part.split_once("-->") {
        Some((comment, rest)) if !comment.contains('<') => text + rest,
        _ => text + "<!--" + part,
    })
}

fn readers() -> [Options; 3] {
    [
        Options::empty(),
        Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS | Options::ENABLE_GFM,
        Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_HEADING_ATTRIBUTES
            | Options::ENABLE_MATH
            | Options::ENABLE_DEFINITION_LIST
            | Options::ENABLE_SUPERSCRIPT
            | Options::ENABLE_SUBSCRIPT
            | Options::ENABLE_WIKILINKS,
    ]
}

const HOSTILE: &[&str] = &[
    "```", "```", "````", "~~~", "   ```", " ~~~", "    ```", "\t```", "      ~~~", "```rust", "- ```", "1. ```", "2. ~~~", "> ```", "- - ```",
    "[^1]: ```", ": ```", "-", "- ", "* ", "1. ", "23) ", "> ", "  ", "    ", " ", "\t", "\n", "\n", "\n", "\n\n", "\n\n", "\r", "\r\n", "text", "# ", "---", "=",
    "<details>", "</details>", "<details>", "</details>", "<summary>", "</summary>", "<DETAILS x>", "<script>", "<!--", "-->", "<div>", "</div>", "<b>", "<b", "<pre>", "<?", "<![CDATA[",
    "<a title=\"", "\"", "<img src=x onerror=y>", "`", "`", "``", "\\", "\\`", "|", "| a | b |\n|---|---|\n", "[", "]", "](", "][", "]: ", ")", "$", "$$", "*", "_", "~~", "&lt;",
    "[^1]", "[^1]: ", ": ", "<https://a.example/`>", "<1`@a.example>", "### Source [9]: x", "\u{0}", "\u{a0}", "\u{c}", "é", "<table>", "{", "}", "[[", "^",
];

fn hostile() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(HOSTILE), 0..24).prop_map(|it| it.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_body_breaks_the_frame(body in hostile()) {
        let document = write(&[("a", &body), ("b", "second")], usize::MAX);
        for options in readers() {
            if let Err(broken) = check_frame(&document, 2, options) {
                return Err(TestCaseError::fail(format!("{broken} by {options:?}\n{document}\n{body:?}")));
            }
        }
        prop_assert_eq!(&document, &write(&[("a", &body), ("b", "second")], 1));
    }
}

#[test]
fn zz_dump() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut lines = String::new();
    for _ in 0..20_000 {
        let body = hostile().new_tree(&mut runner).unwrap().current();
        let doc = write(&[("a", &body), ("b", "second")], usize::MAX);
        lines.push_str(&serde_json::json!([body, doc]).to_string());
        lines.push('\n');
    }
    std::fs::write("/tmp/research_dump.jsonl", lines).unwrap();
}
