//! Whatever a page is made of, it is read without a panic and gives Markdown that is only that.
#![cfg(feature = "pages")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use nova_research::page::blocks::Blocks;
use nova_research::page::{Page, decode, main_content_of, markdown_of};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser};
use url::Url;

fn url() -> Url {
    Url::parse("https://s.example/d/p").unwrap()
}

/// Pieces that mean something to HTML or to Markdown.
fn piece() -> impl Strategy<Value = String> {
    let tags = prop::sample::select(vec![
        "a",
        "b",
        "i",
        "p",
        "div",
        "span",
        "pre",
        "code",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "table",
        "tr",
        "td",
        "th",
        "thead",
        "caption",
        "blockquote",
        "h1",
        "h2",
        "h3",
        "br",
        "hr",
        "img",
        "sup",
        "sub",
        "em",
        "strong",
        "script",
        "style",
        "template",
        "noscript",
        "svg",
        "math",
        "annotation",
        "details",
        "summary",
        "form",
        "select",
        "option",
        "button",
        "input",
        "iframe",
        "article",
        "main",
        "nav",
        "footer",
        "title",
        "body",
        "html",
        "head",
        "base",
        "textarea",
        "del",
        "kbd",
        "figure",
        "figcaption",
        "video",
    ]);
    let attributes = prop::sample::select(vec![
        "",
        " href=/x",
        " href='#n1'",
        " href=\"javascript:x\"",
        " id=n1",
        " class=math",
        " class=footnote",
        " class='linenos'",
        " class=language-rust",
        " src=a.png alt='a]b*'",
        " alt='</details>'",
        " hidden",
        " type=math/tex",
        " type=application/ld+json",
        " encoding=application/x-tex",
        " colspan=9",
        " start=7",
        " href='/a b(c)<d>'",
        " title='<script>'",
        " alttext='</script> $'",
        " href=\"/`|\\\"",
    ]);
    let text = prop::sample::select(vec![
        "word",
        " ",
        "\n",
        "<",
        ">",
        "&lt;/details&gt;",
        "&lt;script&gt;",
        "*",
        "_",
        "`",
        "```",
        "~~~",
        "[x](y)",
        "![",
        "]",
        "\\",
        "|",
        "# ",
        "- ",
        "1. ",
        "> ",
        "---",
        "&amp;lt;script&amp;gt;",
        "&#0;",
        "\u{0}",
        "é",
        "日本",
        "$",
        "\\(",
        "\\)",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?x",
        "</",
        "&",
        "&#x3c;script>",
        "!",
        "  ",
        "\u{ad}",
        "{\"a\":",
    ]);
    prop_oneof![
        4 => (tags.clone(), attributes).prop_map(|(tag, attribute)| format!("<{tag}{attribute}>")),
        2 => tags.prop_map(|tag| format!("</{tag}>")),
        4 => text.prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ]
}

fn page() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..60).prop_map(|it| it.concat())
}

/// The HTML that a Markdown parser finds in Markdown.
fn html_in(markdown: &str) -> Vec<String> {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
    Parser::new_ext(markdown, options)
        .filter_map(|event| match event {
            Event::Html(html) | Event::InlineHtml(html) => Some(html.to_string()),
            _ => None,
        })
        .filter(|it| it.trim() != "<br>")
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_page_gives_html_or_panics(html in page()) {
        let whole = markdown_of(&html, &url()).unwrap();
        prop_assert_eq!(html_in(&whole), Vec::<String>::new(), "in {}", whole);
        let main = main_content_of(&html, &url()).unwrap();
        prop_assert_eq!(html_in(&main), Vec::<String>::new(), "in {}", main);
        let _judged = Page::read(html.as_bytes(), Some("text/html"), &url());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in prop::option::of("[a-z]{4}/[a-z+]{3,8}")) {
        let _text = decode(&bytes, kind.as_deref());
        let _page = Page::read(&bytes, kind.as_deref(), &url());
        for kind in ["text/html", "text/plain", "application/json", "application/rss+xml", "application/x-ipynb+json", "text/markdown"] {
            let _page = Page::read(&bytes, Some(kind), &url());
        }
    }

    #[test]
    fn no_feed_panics(xml in page()) {
        let feed = format!("<rss><channel><item><title>{xml}</title><description>{xml}</description></item>");
        if let Ok(page) = Page::read(feed.as_bytes(), Some("application/rss+xml"), &url()) {
            prop_assert_eq!(html_in(&page.markdown), Vec::<String>::new(), "in {}", page.markdown);
        }
    }

    #[test]
    fn text_comes_back_as_it_was(words in prop::collection::vec("[!-~é日]{1,8}", 1..20)) {
        let text = words.join(" ");
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
        let markdown = markdown_of(&format!("<p>{escaped}</p>"), &url()).unwrap();
        let mut read = String::new();
        for event in Parser::new_ext(&markdown, Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES) {
            match event {
                Event::Text(it) => read.push_str(&it),
                Event::Start(_) | Event::End(_) => {}
                other => prop_assert!(false, "{:?} in {}", other, markdown),
            }
        }
        prop_assert_eq!(read, text, "from {}", markdown);
    }

    #[test]
    fn blocks_hold_all_of_a_text_and_lose_what_is_dropped(html in page(), dropped in prop::collection::vec(0_usize..12, 0..6)) {
        let markdown = markdown_of(&html, &url()).unwrap();
        let blocks = Blocks::of(&markdown);
        prop_assert_eq!(blocks.without([]).split_whitespace().collect::<String>(), markdown.split_whitespace().collect::<String>());
        let left = blocks.without(dropped.iter().copied());
        let expected: Vec<_> = blocks.iter().enumerate().filter(|(number, _)| !dropped.contains(&(number + 1))).map(|(_, it)| it).collect();
        prop_assert_eq!(left, expected.join("\n\n"));
    }
}

#[test]
fn fences_and_tables_are_whole_blocks_and_lists_are_not_torn() {
    let markdown = "# A\n\npara\nmore\n\n```md\n# no\n\ntext\n```\n\n| a |\n| --- |\n| b |\n\n- item\n\n  second\n- next\n\n1. x\n\n   ```\n   a\n\n   b\n   ```\n\nend";
    let blocks = Blocks::of(markdown);
    let all: Vec<_> = blocks.iter().collect();
    assert_eq!(
        all,
        [
            "# A",
            "para\nmore",
            "```md\n# no\n\ntext\n```",
            "| a |\n| --- |\n| b |",
            "- item\n\n  second\n- next",
            "1. x\n\n   ```\n   a\n\n   b\n   ```",
            "end"
        ]
    );
    assert_eq!(blocks.get(1), Some("# A"));
    assert_eq!((blocks.get(0), blocks.get(8)), (None, None));
    assert_eq!(blocks.without([1, 2, 3, 4, 5, 6, 7]), "");
    assert!(Blocks::of("\n \n").is_empty());
}
