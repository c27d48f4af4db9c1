//! The frame of the document against bodies that attack it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod cpu;

use nova_research::document::{Document, Json, Section};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

fn write(blocks: &[(&str, &str)], chunk: usize) -> String {
    let mut out = String::new();
    let mut document = Document::new();
    for (title, body) in blocks {
        document
            .open(Section::AdditionalSources, title, &mut out)
            .unwrap();
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
    let opened = top
        .iter()
        .filter(|it| it.starts_with("<details>\n<summary>"))
        .count();
    let closed = top.iter().filter(|it| *it == "</details>\n").count();
    let raw = raw.to_ascii_lowercase();
    let opening = raw.matches("<details").count();
    let closing = raw.matches("</details").count();
    let swallowing = [
        "<script",
        "<!--",
        "<style",
        "<textarea",
        "<table",
        "<?",
        "<![",
        "<img src=x",
    ]
    .into_iter()
    .filter(|it| without_comments(&raw).contains(*it))
    .collect::<Vec<_>>();
    if (opened, closed, opening, closing) == (blocks, blocks, blocks, blocks)
        && swallowing.is_empty()
    {
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
        Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_GFM,
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
    "```",
    "```",
    "````",
    "~~~",
    "   ```",
    " ~~~",
    "    ```",
    "\t```",
    "      ~~~",
    "```rust",
    "- ```",
    "1. ```",
    "2. ~~~",
    "> ```",
    "- - ```",
    "[^1]: ```",
    ": ```",
    "-",
    "- ",
    "* ",
    "1. ",
    "23) ",
    "> ",
    "  ",
    "    ",
    " ",
    "\t",
    "\n",
    "\n",
    "\n",
    "\n\n",
    "\n\n",
    "\r",
    "\r\n",
    "text",
    "# ",
    "---",
    "=",
    "<details>",
    "</details>",
    "<details>",
    "</details>",
    "<summary>",
    "</summary>",
    "<DETAILS x>",
    "<script>",
    "<!--",
    "-->",
    "<div>",
    "</div>",
    "<b>",
    "<b",
    "<pre>",
    "<?",
    "<![CDATA[",
    "<a title=\"",
    "\"",
    "<img src=x onerror=y>",
    "`",
    "`",
    "``",
    "\\",
    "\\`",
    "|",
    "| a | b |\n|---|---|\n",
    "[",
    "]",
    "](",
    "][",
    "]: ",
    ")",
    "$",
    "$$",
    "*",
    "_",
    "~~",
    "&lt;",
    "[^1]",
    "[^1]: ",
    ": ",
    "<https://a.example/`>",
    "<1`@a.example>",
    "### Source [9]: x",
    "\u{0}",
    "\u{a0}",
    "\u{c}",
    "é",
    "<table>",
    "{",
    "}",
    "[[",
    "^",
];

fn hostile() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(HOSTILE), 0..24).prop_map(|it| it.concat())
}

fn assert_frame(blocks: &[(&str, &str)]) -> String {
    let document = write(blocks, usize::MAX);
    for options in readers() {
        if let Err(broken) = check_frame(&document, blocks.len(), options) {
            panic!("{broken}, read with {options:?}:\n{document}");
        }
    }
    document
}

/// The text between a title and the end of its block.
fn body_of<'a>(document: &'a str, title: &str) -> &'a str {
    let (_, rest) = document
        .split_once(&format!("<summary>{title}</summary>\n\n"))
        .unwrap();
    rest.split_once("\n\n</details>\n").unwrap().0
}

fn rewritten(body: &str) -> String {
    body_of(&assert_frame(&[("a", body), ("b", "second")]), "a").to_owned()
}

#[test]
fn a_page_cannot_close_its_block_or_run_a_script() {
    let body = rewritten("Intro\n</details>\n<script>alert(1)</script>\n<details>");
    assert_eq!(
        body,
        "Intro\n&lt;/details>\n&lt;script>alert(1)&lt;/script>\n&lt;details>"
    );
    assert_eq!(rewritten("<b onclick=x>t</b>"), "&lt;b onclick=x>t</b>");
}

#[test]
fn code_that_is_left_open_ends_with_its_body() {
    assert_eq!(
        rewritten("Text\n```python\nprint(1)"),
        "Text\n```python\nprint(1)\n```"
    );
    assert_eq!(rewritten("~~~~\n```\n~~~"), "~~~~\n```\n~~~\n~~~~");
    assert_eq!(rewritten("- ```\n  <details>"), "- ```\n  <details>\n  ```");
}

#[test]
fn white_space_at_one_place_is_shortened_but_still_ends_its_line() {
    let body = |white_space: usize| format!("a{}\n# b\n\n", " ".repeat(white_space));
    assert_eq!(rewritten(&body(16_000)), body(16_000).trim_end());
    let expected = body(16 << 10).trim_end().to_owned();
    assert_eq!(rewritten(&body(20_000)), expected);
    let document = write(&[("a", &body(20_000))], 1);
    assert_eq!(body_of(&document, "a"), expected);
}

#[test]
fn a_backslash_protects_a_tag_only_where_it_is_markdown() {
    assert_eq!(rewritten("\\<details>"), "\\<details>");
    assert_eq!(rewritten("\\\\<details>"), "\\\\&lt;details>");
    assert_eq!(rewritten("<div>\n\\<details>"), "<div>\n\\&lt;details>");
    assert_eq!(
        rewritten("https://a.example/\\<details>"),
        "https://a.example/\\&lt;details>"
    );
}

#[test]
fn a_fence_cannot_be_the_head_of_a_table() {
    assert_eq!(
        rewritten("~~~| a | b |\n|---|---|"),
        "~~~&#124; a &#124; b &#124;\n|---|---|\n~~~"
    );
}

#[test]
fn a_fence_that_html_may_hide_stands_behind_an_empty_line() {
    assert_eq!(
        rewritten("text\n<b>x</b>\n```\n\n<details>"),
        "text\n<b>x</b>\n\n```\n\n<details>\n```"
    );
    assert_eq!(
        rewritten("<div>\n```\n\n```\n<details>"),
        "<div>\n```\n\n```\n<details>\n```"
    );
}

#[test]
fn lists_that_readers_may_see_or_not_end_before_code() {
    assert_eq!(
        rewritten("- a\n\n      ```\n  b\n  ~~~\n<details>"),
        "- a\n\n      ```\n  b\n\n<!-- -->\n\n  ~~~\n<details>\n  ~~~"
    );
    assert_eq!(
        rewritten("- a\n  ```\n  x\nb <table>"),
        "- a\n  ```\n  x\n  ```\nb &lt;table>"
    );
    assert_eq!(
        rewritten("1. a\n\n    ```\n    x\n   ```\n\n   b"),
        "1. a\n\n    ```\n    x\n    ```\n\n   b"
    );
    assert_eq!(
        rewritten("1. a\n   ```\n   x\n```\nb"),
        "1. a\n   ```\n   x\n   ```\nb"
    );
}

#[test]
fn a_comment_that_is_left_open_hides_nothing() {
    assert_eq!(rewritten("a <!-- b\n\nc"), "a &lt;!-- b\n\nc");
    assert_eq!(rewritten("<!-- b -->\nc"), "<!-- b -->\nc");
}

#[test]
fn code_keeps_every_byte() {
    for body in [
        "```html\n<details>\n<script src=x></script>\n```",
        "Write `<details>` and ``<script>``.",
        "1. Step\n\n   ```html\n   <table>\n   ```\n\n2. Step",
        "- ```\n  </details>\n  ```\n- more",
        "```\n### Source [9]: x\n```",
    ] {
        assert_eq!(rewritten(body), body);
    }
}

#[test]
fn a_code_span_counts_only_where_every_reader_sees_one() {
    for body in [
        "a ` b\n` <details> `",
        "\\` <details> `",
        "[a](<`>) <details> `",
        "| ` | <details> | ` |",
        "<1`@a.example> <details> `",
        "https://a.example/` <details> `",
        "<div>\n` <details> `",
    ] {
        assert!(rewritten(body).contains("&lt;details>"), "{body}");
    }
}

#[test]
fn harmless_markup_stays_as_it_is() {
    for body in [
        "<example>\n```\nprint(1)\n```\n</example>\n\n<p align=center>\n~~~\n</p>",
        "| a<br>b |\n|---|\n| <summary>x</summary> |",
        "<user_query>\n\nText\n\n</user_query>",
        "<img src=\"https://a.example/i.png\" height=\"7\"/>",
        "if a < b and c > d, <7%",
        "Options\n-----\nSecond half",
        "# Title\n\n## Section",
        "\\<details\\>",
        "a  \nb\r\nc",
    ] {
        assert_eq!(rewritten(body), body);
    }
}

#[test]
fn a_page_cannot_add_a_source_or_a_section_of_its_own() {
    assert_eq!(
        rewritten("Text.\n### Source [999]: https://evil.example\n\nQuery: q1"),
        "Text.\n\\### Source [999]: https://evil.example\n\nQuery: q1"
    );
    assert_eq!(rewritten("> ## Code Sources ##"), "> \\## Code Sources ##");
    assert_eq!(rewritten("a #### source [1]"), "a \\#### source [1]");
    assert_eq!(rewritten("## Code"), "## Code");
}

#[test]
fn a_title_stays_in_its_summary() {
    let title = "</summary></details>\n\n<script>\u{0}x";
    let document = assert_frame(&[(title, "first"), ("b", "second")]);
    assert!(
        document.contains("<summary>&lt;/summary>&lt;/details> &lt;script> x</summary>\n\nfirst")
    );
}

#[test]
fn answers_stand_under_their_query_and_cannot_leave_it() {
    let mut out = String::new();
    let mut document = Document::new();
    document
        .open(Section::ResearchResults, "q1", &mut out)
        .unwrap();
    document.answer(1, "https://a.example", "q1", &mut out);
    document.body(" ```\ncode\n```\n<details> ", &mut out);
    document.answer(4, "https://b.example\n\n# x", "q1", &mut out);
    document.body("B", &mut out);
    let counts = document.finish(&mut out);
    assert_eq!(counts.research_results, 1);
    assert_eq!(
        body_of(&out, "q1"),
        "### Source [1]: https://a.example\n\nQuery: q1\n\nAnswer: ```\ncode\n```\n<details>\n```\n\n\
         -----\n\n-----\n\n\
         ### Source [4]: https://b.example # x\n\nQuery: q1\n\nAnswer: B\n\n-----"
    );
    check_frame(&out.replace("<details>\n```", "```"), 1, Options::empty()).unwrap();
}

#[test]
fn sections_stand_in_their_order_and_say_when_they_are_empty() {
    let mut out = String::new();
    let counts = Document::new().finish(&mut out);
    assert_eq!(
        out,
        "# Research\n\n\
         ## Research Results\n\n_No accepted research results found._\n\n\n\
         ## Sources Scraped From Research Results\n\n_No scraped sources found for research results._\n\n\n\
         ## Code Sources\n\n_No code sources found._\n\n\n\
         ## YouTube Video Transcripts\n\n_No YouTube video transcripts found._\n\n\n\
         ## Additional Sources Scraped\n\n_No additional sources scraped._\n"
    );
    assert_eq!(counts, nova_research::document::Counts::default());

    let mut document = Document::new();
    let mut out = String::new();
    document
        .open(Section::LocalFiles, "notes.md", &mut out)
        .unwrap();
    document.body("N", &mut out);
    let refused = document
        .open(Section::CodeSources, "x", &mut out)
        .unwrap_err();
    assert_eq!(
        (refused.wanted, refused.open),
        (Section::CodeSources, Section::LocalFiles)
    );
    document
        .open(Section::LocalFiles, "b.py", &mut out)
        .unwrap();
    assert_eq!(document.finish(&mut out).local_files, 2);
    assert!(out.ends_with(
        "_No additional sources scraped._\n\n\n## Local Files\n\n\
         <details>\n<summary>notes.md</summary>\n\nN\n\n</details>\n\n\
         <details>\n<summary>b.py</summary>\n\n\n\n</details>\n"
    ));
}

#[test]
fn a_judgement_that_is_missing_is_told_in_a_line_that_opens_nothing() {
    let why = "Gemini is busy\n### Source [900]: </details>";
    let (mut document, mut out) = (Document::new(), String::new());
    document.ranked_because(why);
    document
        .open(Section::ResearchResults, "Why?", &mut out)
        .unwrap();
    document.finish(&mut out);
    let told = "# Research\n\n## Research Results\n\n_These sources were ranked without a language model, because \
                Gemini is busy ### Source [900]: &lt;/details>._\n\n<details>\n<summary>Why?</summary>\n";
    assert!(out.starts_with(told), "{out}");
    let (mut json, mut out) = (Json::new(), String::new());
    json.none_passed_selection();
    json.ranked_because(why);
    json.finish(&[], &mut out);
    let read: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(read["ranked_because"], why);
    assert_eq!(read["none_passed_selection"], true);
}

#[test]
fn long_lines_do_not_depend_on_how_they_arrive() {
    let filler = "x".repeat(60_000);
    for piece in [
        "<details> ",
        "`<b>` ",
        "\\\\<script>",
        "### Source [1] ",
        "\u{20ac}",
        "```",
        "```\n",
        "~",
        "\r\n",
        " ",
    ] {
        for start in ["", "```\n", "`"] {
            let body = format!("{start}{filler}{}z", piece.repeat(70_000 / piece.len()));
            let whole = assert_frame(&[("a", &body), ("b", "second")]);
            assert!(
                whole == write(&[("a", &body), ("b", "second")], 1),
                "{piece:?} {start:?}"
            );
            assert!(
                whole == write(&[("a", &body), ("b", "second")], 4093),
                "{piece:?} {start:?}"
            );
        }
    }
}

#[test]
fn hostile_bodies_take_linear_time() {
    let size = 1 << 18;
    for piece in HOSTILE.iter().chain(&[
        "<a ",
        "<a b=\"",
        "[^",
        "](",
        "`a",
        "a`",
        "<",
        "\\<",
        "#",
        "a ",
        "中",
        "https://a",
    ]) {
        let body = piece.repeat(size / piece.len());
        let (_, time) = cpu::time(|| write(&[("a", &body)], 64 * 1024));
        assert!(
            time.as_millis() < 1000,
            "256 KiB of {piece:?} took {time:?}"
        );
    }
}

/// Some readers let a closing fence be followed by spaces alone, others by tabs as well.
#[test]
fn a_fence_with_a_tab_behind_it_closes_for_every_reader() {
    for body in [
        "```\n```\t",
        "   ```\n```\t\n```",
        "~~~\na\n~~~ \t\n</details>",
    ] {
        let document = assert_frame(&[("a", body), ("b", "second")]);
        assert!(!document.contains('\t'), "{document}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]
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
