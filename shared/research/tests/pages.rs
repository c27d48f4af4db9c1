//! Responses as pages: what they are, what they say of themselves, and why some are none.
#![cfg(feature = "pages")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod cpu;

use std::time::Duration;

use nova_research::page::{
    Kind, MAX_PAGE_BYTES, Page, PageError, decode, main_content_of, markdown_of,
};
use nova_research::url::SourceUrl;
use url::Url;

fn url() -> Url {
    Url::parse("https://s.example/d/p").unwrap()
}

fn read(body: &[u8], content_type: &str) -> Result<Page, PageError> {
    Page::read(body, Some(content_type), &url())
}

fn html(body: &str) -> Result<Page, PageError> {
    read(body.as_bytes(), "text/html; charset=utf-8")
}

fn reason(body: &str) -> &'static str {
    html(body).map_or_else(|error| error.reason(), |_| "read")
}

/// So many words of text.
fn text(words: usize) -> String {
    "word and another, ".repeat(words / 3 + 1)
}

#[test]
fn ten_thousand_nested_elements_take_no_time() {
    let page = format!(
        "{}<p>long enough text</p>{}",
        "<div>".repeat(10_000),
        "</div>".repeat(10_000)
    );
    let (markdown, time) = cpu::time(|| markdown_of(&page, &url()).unwrap());
    assert_eq!(markdown, "long enough text");
    assert!(time < Duration::from_millis(200), "it took {time:?}");
    let (markdown, time) = cpu::time(|| main_content_of(&page, &url()).unwrap());
    assert!(markdown.contains("long enough text"), "{markdown}");
    assert!(time < Duration::from_millis(200), "it took {time:?}");
}

#[test]
fn words_within_too_many_levels_stay_apart() {
    let page = format!("{}<div>a</div><div>b</div>", "<div>".repeat(600));
    assert_eq!(markdown_of(&page, &url()).unwrap(), "a b");
    let unclosed = "<li><p>item ".repeat(2_000);
    let markdown = markdown_of(&format!("<ul>{unclosed}</ul>"), &url()).unwrap();
    assert_eq!(markdown.lines().filter(|it| *it == "- item").count(), 2_000);
}

/// Makes a page of some length.
type Maker = fn(usize) -> String;

/// Repeats a piece with the numbers from 0 in the place of `%`.
fn numbered(count: usize, piece: &str) -> String {
    let pieces: Vec<_> = (0..count)
        .map(|number| piece.replace('%', &number.to_string()))
        .collect();
    pieces.concat()
}

#[test]
fn the_time_is_linear_however_a_page_is_made() {
    let makers: [(&str, Maker); 20] = [
        ("open divs", |n| "<div>".repeat(n)),
        ("open formatting", |n| "<b>".repeat(n) + &"x<p>".repeat(n)),
        ("different formatting", |n| {
            numbered(n, "<p><b class=c%>x</p>")
        }),
        ("open links", |n| "<a href=/x><i></p>".repeat(n)),
        ("open tables", |n| "<table><tr><td>".repeat(n)),
        ("text in tables", |n| "<table>x<tr>y".repeat(n)),
        ("open lists", |n| "<ul><li>x".repeat(n)),
        ("open quotes", |n| "<blockquote>x<p>".repeat(n)),
        ("definitions", |n| "<dl><dt>a<dd>b".repeat(n)),
        ("attributes", |n| format!("<a{}>x", numbered(n * 4, " a%"))),
        ("attributes of an end", |n| {
            format!("x</a{}>x", numbered(n * 4, " a%"))
        }),
        ("tags that never end", |n| "<a b='".repeat(n)),
        ("values that never end", |n| "<a/b=x".repeat(n * 2)),
        ("tags in a script", |n| {
            "<script>".to_owned() + &"<a b='".repeat(n * 2)
        }),
        ("tags in CDATA", |n| {
            "<svg><![CDATA[".to_owned() + &"<a/b=x".repeat(n * 2)
        }),
        ("code", |n| {
            "<div>".to_owned() + &"<pre>x</pre><br>".repeat(n)
        }),
        ("notes", |n| {
            numbered(n, "<sup><a href=#n%>%</a></sup><p id=n%>x")
        }),
        ("permalinks", |n| {
            "<h1>".to_owned() + &"<a class=permalink href=#x>abc</a>".repeat(n)
        }),
        ("names", |n| {
            format!("<body {}>x", "class=a-b-c ".repeat(n)) + &"<body class=x>".repeat(n)
        }),
        ("white space", |n| {
            format!("<p>{}x", "&nbsp; \n".repeat(n * 4))
        }),
    ];
    for (name, maker) in &makers {
        let best = |n: usize| {
            let page = maker(n);
            (0..2)
                .map(|_| {
                    cpu::time(|| {
                        let _whole = markdown_of(&page, &url());
                        let _main = html(&page);
                    })
                    .1
                })
                .min()
                .unwrap()
        };
        let (short, long) = (best(2_500), best(20_000));
        assert!(
            long < short * 8 * 3 + Duration::from_millis(60),
            "{name}: {short:?} became {long:?} for eight times as much"
        );
        assert!(long < Duration::from_secs(4), "{name}: {long:?}");
    }
}

#[test]
fn a_page_with_more_elements_than_any_real_one_is_refused() {
    let page = format!("<p>{}", "x<br>".repeat(250_000));
    assert_eq!(html(&page), Err(PageError::TooLarge));
    let page = vec![b' '; MAX_PAGE_BYTES + 1];
    assert_eq!(read(&page, "text/html"), Err(PageError::TooLarge));
}

#[test]
fn the_encoding_is_what_the_bytes_the_server_or_the_page_say() {
    let russian = b"\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0! \xdd\xf2\xee \xf2\xe5\xea\xf1\xf2 \xed\xe0 \xf0\xf3\xf1\xf1\xea\xee\xec \xff\xe7\xfb\xea\xe5.";
    // No header, and the declaration after what the standard looks at.
    let mut page = b"<html><head><style>".to_vec();
    page.extend(" ".repeat(1500).bytes());
    page.extend(b"</style><meta charset=windows-1251></head><body><p>");
    page.extend(russian);
    assert!(decode(&page, None).contains("Привет, мир"));
    assert!(decode(russian, Some("text/html; charset=windows-1251")).contains("Привет"));
    assert!(
        decode(russian, None).contains("Привет"),
        "{}",
        decode(russian, None)
    );

    let mut marked = b"\xef\xbb\xbf".to_vec();
    marked.extend("caf\u{e9}".bytes());
    assert_eq!(
        decode(&marked, Some("text/html; charset=iso-8859-1")),
        "café"
    );
    assert_eq!(decode("café".as_bytes(), Some("text/html")), "café");
    assert_eq!(
        decode(
            b"caf\xe9 cr\xe8me",
            Some("text/html; charset=\"ISO-8859-1\"")
        ),
        "café crème"
    );
    assert!(
        decode(
            b"<?xml version='1.0' encoding='iso-8859-15'?><a>\xa4</a>",
            None
        )
        .contains('€')
    );
    let utf16: Vec<u8> = "Zoë <p>text"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(decode(&utf16, None), "Zoë <p>text");
    // It says UTF-8, and is Latin.
    assert!(
        decode(
            b"<meta charset=utf-8><p>d\xe9j\xe0 vu, tr\xe8s fran\xe7ais, la for\xeat, o\xf9",
            None
        )
        .contains("déjà vu")
    );
}

#[test]
fn a_page_says_what_it_is_called_who_wrote_it_and_when() {
    let page = html(&format!(
        r#"<html lang="en-us"><head><title>How it works | The Site</title>
        <meta property="og:site_name" content="The Site">
        <meta name="author" content="By Ada Lovelace">
        <meta property="article:published_time" content="2026-02-03T04:05:06Z">
        <link rel="canonical" href="https://www.s.example/d/p?id=7">
        <script type="application/ld+json">{{"@graph": [{{"@type": "NewsArticle",
            "headline": "How it works", "author": [{{"name": "Ada Lovelace"}}, {{"name": "C. Babbage"}}],
            "datePublished": "2026-02-01"}}]}}</script></head>
        <body><article><h1>How it works</h1><p>{}</p></article></body></html>"#,
        text(80)
    ))
    .unwrap();
    assert_eq!(page.kind, Kind::Html);
    let metadata = &page.metadata;
    assert_eq!(metadata.title.as_deref(), Some("How it works"));
    assert_eq!(metadata.author.as_deref(), Some("Ada Lovelace, C. Babbage"));
    assert_eq!(metadata.published.as_deref(), Some("2026-02-01"));
    assert_eq!(metadata.language.as_deref(), Some("en-US"));
    assert_eq!(
        metadata.canonical_url.as_deref(),
        Some("https://www.s.example/d/p?id=7")
    );
    assert!(
        page.markdown.starts_with("word and another"),
        "{}",
        page.markdown
    );
    let fetched = SourceUrl::parse("https://s.example/d/p?id=7&utm_source=x").unwrap();
    assert_eq!(
        page.identity(&fetched),
        SourceUrl::parse("https://www.s.example/d/p?id=7")
            .unwrap()
            .identity()
    );
}

#[test]
fn no_page_passes_for_one_of_another_site() {
    for canonical in [
        "https://other.example/d/p",
        "https://s.example/",
        "javascript:x",
        "http://127.0.0.1/",
    ] {
        let page = html(&format!(
            "<link rel=canonical href='{canonical}'><p>{}",
            text(60)
        ))
        .unwrap();
        assert_eq!(page.metadata.canonical_url, None, "{canonical}");
    }
}

#[test]
fn a_page_without_text_is_a_failure_with_its_reason() {
    let nav = "<nav><a href=/a>One</a> <a href=/b>Two</a></nav>";
    let footer = "<footer>All rights reserved, and much more about us and our partners.</footer>";
    assert_eq!(
        reason(&format!("{nav}<p>{}</p>{footer}", text(12))),
        "no_content"
    );
    assert_eq!(reason(""), "no_content");
    assert_eq!(
        reason("<div id=root></div><script src=/app.js></script>"),
        "needs_javascript"
    );
    assert_eq!(
        reason(
            "<noscript>You need to enable JavaScript to run this app.</noscript><div id=x></div>"
        ),
        "needs_javascript"
    );
    assert_eq!(
        reason(
            "<title>Just a moment...</title><h1>example.com</h1><p>Checking your browser before accessing."
        ),
        "blocked_by_site"
    );
    assert_eq!(
        reason("<title>Shop</title><div class=g-recaptcha></div><p>Please prove it."),
        "blocked_by_site"
    );
    assert_eq!(
        reason(
            "<title>Before you continue to Video</title><p>Before you continue to Video we use cookies and data to deliver services."
        ),
        "blocked_by_site"
    );
    assert_eq!(
        reason(&format!(
            "<title>Page not found - Site</title><h1>Oops</h1><p>{}",
            text(70)
        )),
        "error_page"
    );
    assert_eq!(
        reason(&format!("<title>Site</title><h1>404</h1><p>{}", text(70))),
        "error_page"
    );
    assert_eq!(
        reason(&format!(
            "<title>Seite nicht gefunden</title><p>{}",
            text(70)
        )),
        "error_page"
    );
    assert_eq!(
        reason(&format!(
            "<title>News</title><article><p>{}</p><div>Subscribe to continue reading. Already a subscriber? Log in.</div></article>",
            text(90)
        )),
        "paywalled"
    );
    assert_eq!(
        reason(&format!(
            "<script type=application/ld+json>{{\"@type\":\"NewsArticle\",\"isAccessibleForFree\":\"False\"}}</script><article><p>{}</p></article>",
            text(80)
        )),
        "paywalled"
    );
}

#[test]
fn a_long_text_about_walls_and_errors_is_a_text() {
    for title in [
        "404",
        "How to design a page not found",
        "Just a moment in captcha history",
    ] {
        let page = format!(
            "<title>{title}</title><article><h1>{title}</h1><p>Are you a robot? Subscribe to continue reading. {}</p></article>",
            text(600)
        );
        assert_eq!(reason(&page), "read", "{title}");
    }
    assert_eq!(
        reason(&format!(
            "<title>Found 404 kinds of beetles</title><p>{}",
            text(90)
        )),
        "read"
    );
}

#[test]
fn bytes_are_what_they_are_whatever_the_server_says() {
    let unsupported = |body: &[u8], content_type: &str| {
        matches!(
            read(body, content_type),
            Err(PageError::UnsupportedType { .. })
        )
    };
    assert!(unsupported(b"\x89PNG\r\n\x1a\n", "text/html"));
    assert!(unsupported(b"PK\x03\x04rest", "application/octet-stream"));
    assert!(unsupported(b"whatever", "image/svg+xml"));
    assert!(unsupported(b"whatever", "application/vnd.ms-excel"));

    let json = read(br#"{"a":[1,2]}"#, "application/json").unwrap();
    assert_eq!(
        (json.kind, json.markdown.as_str()),
        (Kind::Json, "```json\n{\"a\":[1,2]}\n```")
    );
    let long = format!("{{\"a\":[{}]}}", "1,".repeat(300));
    assert!(
        read(long.as_bytes(), "application/json")
            .unwrap()
            .markdown
            .lines()
            .count()
            > 300
    );

    let markdown = read(b"\xef\xbb\xbf# Title\r\n\r\ntext\n", "text/markdown").unwrap();
    assert_eq!(markdown.kind, Kind::Markdown);
    assert_eq!(markdown.metadata.title.as_deref(), Some("Title"));
    assert_eq!(markdown.markdown, "# Title\n\ntext");

    let plain = read(b"First *line*\nsecond\n\n# third", "text/plain").unwrap();
    assert_eq!(plain.markdown, "First \\*line\\*  \nsecond\n\n\\# third");
    let drawn = read(b"+---+\n|   a   |\n+---+\n  ```\n", "text/plain").unwrap();
    assert!(
        drawn.markdown.starts_with("````\n+---+"),
        "{}",
        drawn.markdown
    );
    let code = Url::parse("https://s.example/a.rs").unwrap();
    let code = Page::read(b"fn main() {}\n", Some("text/plain"), &code).unwrap();
    assert_eq!(code.markdown, "```rust\nfn main() {}\n```");

    let notebook = Url::parse("https://s.example/a.ipynb").unwrap();
    let body = br#"{"cells":[{"cell_type":"markdown","source":"Hello"}],"metadata":{}}"#;
    let notebook = Page::read(body, Some("text/plain"), &notebook).unwrap();
    assert_eq!(
        (notebook.kind, notebook.markdown.as_str()),
        (Kind::Notebook, "Hello")
    );

    let page = format!("<!DOCTYPE html><p>{}", text(60));
    assert_eq!(
        Page::read(page.as_bytes(), None, &url()).unwrap().kind,
        Kind::Html
    );
    assert_eq!(
        read(b"", "text/plain"),
        Err(PageError::NoContent { words: 0 })
    );
}

#[test]
fn a_feed_is_its_entries() {
    let rss = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>Blog</title><language>en</language>
        <item><title>One &amp; only</title><link>/one</link><pubDate>Sun, 01 Mar 2026 10:00:00 GMT</pubDate>
          <description><![CDATA[<p>Hello <b>there</b>, see <a href="/x">x</a></p>]]></description></item>
        <item><title>Two</title><description>&lt;p&gt;Text &amp;lt;script&amp;gt;&lt;/p&gt;</description></item>
        </channel></rss>"#;
    let page = read(rss.as_bytes(), "application/xml").unwrap();
    assert_eq!(page.kind, Kind::Feed);
    assert_eq!(page.metadata.title.as_deref(), Some("Blog"));
    assert_eq!(
        page.markdown,
        "## [One & only](https://s.example/one)\n\n2026-03-01\n\nHello **there**, see \
         [x](https://s.example/x)\n\n## Two\n\nText \\<script>"
    );
    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title>
        <entry><title type="html">T</title><link rel="self" href="/self"/><link href="/e"/>
          <author><name>Ada</name></author><published>2026-01-02T00:00:00Z</published>
          <content type="html">&lt;p&gt;Body&lt;/p&gt;</content></entry></feed>"#;
    let page = read(atom.as_bytes(), "application/atom+xml").unwrap();
    assert_eq!(
        page.markdown,
        "## [T](https://s.example/e)\n\n2026-01-02, Ada\n\nBody"
    );
}

#[test]
fn the_text_of_structured_data_stands_in_for_a_page_that_scripts_would_fill() {
    let body = "A long sentence of the article, which no element of the page holds. ".repeat(20);
    let page = html(&format!(
        "<script type=application/ld+json>{{\"@type\":\"NewsArticle\",\"articleBody\":\"{body}\"}}</script><div id=root></div><script src=/a.js></script>"
    ))
    .unwrap();
    assert!(page.markdown.starts_with("A long sentence of the article"));
}
