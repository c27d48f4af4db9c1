//! Guidelines: what is accepted, what it is called, and which sources are found in it.

mod cpu;

use nova_research::guideline::{
    Extraction, Guideline, GuidelineError, MAX_GUIDELINE_BYTES, SkipReason, extract,
};
use nova_research::url::{Kind, SourceUrl};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn every_case_gives_its_expected_lists() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("cases/extraction.json")).unwrap();
    for case in cases {
        let extraction = extract(case["guideline"].as_str().unwrap());
        let found = serde_json::to_value(&extraction).unwrap();
        for (key, expected) in case["expected"].as_object().unwrap() {
            if key == "skipped" {
                assert_eq!(
                    &json!(told(&extraction)),
                    expected,
                    "{}: {}",
                    case["id"],
                    case["why"]
                );
            } else {
                assert_eq!(&found[key], expected, "{}: {}", case["id"], case["why"]);
            }
        }
    }
}

fn told(extraction: &Extraction) -> Vec<Value> {
    let told = extraction.skipped.iter();
    told.map(|it| json!({ "url": it.url, "reason": it.reason }))
        .collect()
}

fn urls(extraction: &Extraction) -> Vec<&str> {
    extraction
        .sources
        .iter()
        .map(|it| it.url.as_str())
        .collect()
}

fn skipped(extraction: &Extraction) -> Vec<(&str, SkipReason)> {
    extraction
        .skipped
        .iter()
        .map(|it| (it.url.as_str(), it.reason))
        .collect()
}

#[test]
fn a_url_ends_where_a_reader_sees_its_end() {
    for (text, expected) in [
        (
            "请看https://a.example/1。还有https://a.example/2，（https://a.example/3）「https://a.example/4」",
            "1 2 3 4",
        ),
        (
            "参考https://a.example/1了解 https://a.example/2ＡＢ https://a.example/3を",
            "1 2 3",
        ),
        (
            "“https://a.example/1” ‘https://a.example/2’ 'https://a.example/3' it's https://a.example/it's",
            "1 2 3 it's",
        ),
        (
            "(https://a.example/1_(b)) [https://a.example/2] {https://a.example/3} <https://a.example/4>",
            "1_(b) 2 3 4",
        ),
        (
            "**https://a.example/1**and ***https://a.example/2*** ~~https://a.example/3~~ __https://a.example/4__",
            "1 2 3 4",
        ),
        (
            "https://a.example/__init__.py https://a.example/a*b*c https://a.example/x\\_y",
            "__init__.py a*b*c x_y",
        ),
        (
            "https://a.example/1,https://a.example/2;https://a.example/3... https://a.example/4…",
            "1 2 3 4",
        ),
        (
            "&lt;https://a.example/1&gt; &quot;https://a.example/2&quot; https://a.example/3?a=1&amp;b=2 https://a.example/4&hl;",
            "1 2 3?a=1&b=2 4",
        ),
        (
            "[a](https://a.example/1(b(c)d)) \\[x](https://a.example/2) [b](<https://a.example/3>)",
            "1(b(c)d) 2 3",
        ),
        (
            "\\(https://a.example/1\\) \\[https://a.example/2\\] \\<https://a.example/3\\> https://a.example/4_\\(b\\)",
            "1 2 3 4_(b)",
        ),
        (
            "https://a.example/w/https://b.example/p",
            "w/https://b.example/p",
        ),
        (
            "json: \"https:\\/\\/x\" `\"https://a.example/1\"` https://a.example/2\u{200b}x",
            "1 2",
        ),
    ] {
        let expected: Vec<_> = expected
            .split(' ')
            .map(|it| format!("https://a.example/{it}"))
            .collect();
        assert_eq!(urls(&extract(text)), expected, "{text}");
    }
}

#[test]
fn links_are_found_wherever_markdown_has_them() {
    for (text, expected) in [
        (
            "- https://a.example/1\n  - [t](https://a.example/2 \"title\")\n\n> > https://a.example/3\n",
            "1 2 3",
        ),
        (
            "[a][r] [r] [R][]\n\n[r]: https://a.example/1\n[unused]: <https://a.example/2> 'x'\n",
            "1 2",
        ),
        ("Text[^1].\n\n[^1]: See https://a.example/1.\n", "1"),
        (
            "[![i](https://a.example/i.png)](https://a.example/1) [a [b] c](https://a.example/2)",
            "1 2",
        ),
        (
            "| a |\n|---|\n| https://a.example/1|\n| [l](https://a.example/2) |\n",
            "1 2",
        ),
        (
            "    https://a.example/1\n\n~~~text\nhttps://a.example/2\n~~~\n",
            "1 2",
        ),
        (
            "<div>https://a.example/1 <a\nhref='https://a.example/2'>two</a></div>",
            "1 2",
        ),
        (
            "See <iframe src=\"https://a.example/1\"></iframe> [r](//a.example/2)",
            "1 2",
        ),
        (
            "---\nsource: https://a.example/1\n---\n# T\nhttps://a.example/2",
            "1 2",
        ),
        ("www.a.example/1", ""),
    ] {
        let expected: Vec<_> = expected
            .split(' ')
            .filter(|it| !it.is_empty())
            .map(|it| format!("https://a.example/{it}"))
            .collect();
        let found = extract(text);
        let found: Vec<_> = urls(&found)
            .into_iter()
            .filter(|it| !it.contains("www."))
            .collect();
        assert_eq!(found, expected, "{text}");
    }
    assert_eq!(
        urls(&extract("(www.example.com/a), x@www.example.com")),
        ["https://www.example.com/a"]
    );
}

#[test]
fn what_is_left_out_is_told_with_the_reason() {
    let found = extract(
        "https://user:pw@example.com/x ftp://a.example [f](ftp://a.example/f) [m](mailto:a@b.example)\n\
         https://www.youtube.com/playlist?list=PL1 https://www.youtube.com/@channel\n\
         http://printer.local/ https://intranet/ http://2130706433/ http://0177.1/ http://[::ffff:10.0.0.1]/\n\
         <!-- https://a.example/c --> <script>get('https://a.example/s')</script>\n\
         https://a.example/1 http://A.example:80/1#x https://a.example/1\n",
    );
    assert_eq!(urls(&found), ["https://a.example/1"]);
    assert_eq!(
        skipped(&found),
        [
            (
                "https://user:pw@example.com/x",
                SkipReason::CredentialsInUrl
            ),
            ("ftp://a.example/f", SkipReason::UnsupportedScheme),
            (
                "https://www.youtube.com/playlist?list=PL1",
                SkipReason::YoutubeNotAVideo
            ),
            (
                "https://www.youtube.com/@channel",
                SkipReason::YoutubeNotAVideo
            ),
            ("http://printer.local/", SkipReason::PrivateAddress),
            ("https://intranet/", SkipReason::PrivateAddress),
            ("http://2130706433/", SkipReason::PrivateAddress),
            ("http://0177.1/", SkipReason::PrivateAddress),
            ("http://[::ffff:10.0.0.1]/", SkipReason::PrivateAddress),
            ("https://a.example/c", SkipReason::Comment),
            ("https://a.example/s", SkipReason::CodeBlock),
            ("http://A.example:80/1#x", SkipReason::Duplicate),
            ("https://a.example/1", SkipReason::Duplicate),
        ]
    );
}

#[test]
fn an_encrypted_address_is_preferred_in_the_place_of_the_first() {
    let found =
        extract("http://a.example/1 https://b.example [A](https://a.example/1) http://b.example");
    assert_eq!(urls(&found), ["https://a.example/1", "https://b.example"]);
    assert_eq!(found.sources[0].title.as_deref(), Some("A"));
}

#[test]
fn a_source_knows_its_title_its_section_and_its_line() {
    let found = extract(
        "https://a.example/0\n\n# One *two* `three`\n\n[The **title**](https://a.example/1)\n\nFour\n----\n\n\
         - <a href=\"https://a.example/2\">html</a>, [https://a.example/3](https://a.example/3) and notes.md\n",
    );
    let told: Vec<_> = found
        .sources
        .iter()
        .map(|it| (it.title.as_deref(), it.section.as_deref(), it.line))
        .collect();
    assert_eq!(
        told,
        [
            (None, None, 1),
            (Some("The title"), Some("One two three"), 5),
            (Some("html"), Some("Four"), 10),
            (None, Some("Four"), 10),
        ]
    );
    assert_eq!(
        (
            found.local_files[0].section.as_deref(),
            found.local_files[0].line
        ),
        (Some("Four"), 10)
    );
}

#[test]
fn very_long_urls_are_told_and_not_kept() {
    let found = extract(&format!(
        "https://a.example/{} https://a.example/b",
        "a".repeat(9000)
    ));
    assert_eq!(urls(&found), ["https://a.example/b"]);
    assert_eq!(found.skipped[0].reason, SkipReason::TooLong);
    assert!(found.skipped[0].url.chars().count() <= 201);
}

#[test]
fn names_of_files_are_plain_relative_paths() {
    for (text, expected) in [
        (
            "a.py b.py, `python main.py --x data.md` (utils.py) [d](./n/demo.ipynb#x) [f](my%20file.md)",
            "a.py|b.py|main.py|data.md|utils.py|n/demo.ipynb|my file.md",
        ),
        (
            "\"my notes.md\" 'x y.ipynb' _n2.md_ **n3.md**. __init__.py README.MD",
            "my notes.md|x y.ipynb|n2.md|n3.md|__init__.py|README.MD",
        ),
        (
            "- p1.md\n* [ ] p2.md\n1. p3.md?\n> p4.md!\n| p5.md |\n|---|\n",
            "p1.md|p2.md|p3.md|p4.md|p5.md",
        ),
        (
            "请看notes.md和main.py。「笔记.md」 `说明.md` data.md；x.md",
            "notes.md|main.py|笔记.md|说明.md|data.md|x.md",
        ),
        (
            "./././ok.md a/./b.md main.py:42 see:p.md t.py::test x.md#top",
            "ok.md|a/b.md|main.py|p.md|t.py|x.md",
        ),
        (
            "../u.md a/../b.md /abs.md ~/h.py C:\\\\x\\\\y.py dir\\w.md a//b.md \"../x y.md\" [x](/y.md) [x](..%2fy.md)",
            "",
        ),
        (
            ".md .py x.mdx y.python z.md5 joe@site.md git@github.com:o/n.md <img onerror>.md",
            "",
        ),
        (
            "github.com/o/r/README.md https://x.example/z.md www.x.example/y.md",
            "",
        ),
        ("```python\nopen('data.py')\n```\n<!-- c.md -->", ""),
        (
            "```\nlist.md\n```\n<a href=\"h.md\">t</a> <p>p.md</p>",
            "list.md|h.md|p.md",
        ),
        ("a.py A.py a.py ./a.py", "a.py|A.py"),
    ] {
        let expected: Vec<_> = expected.split('|').filter(|it| !it.is_empty()).collect();
        assert_eq!(extract(text).local_file_paths, expected, "{text}");
    }
}

#[test]
fn extraction_is_read_back_from_what_was_stored_before_there_were_details() {
    let stored = json!({
        "github_urls": ["https://github.com/acme/widgets"],
        "youtube_videos_urls": [],
        "other_urls": ["https://example.com/page1"],
        "local_file_paths": ["code.py"],
    });
    let read: Extraction = serde_json::from_value(stored).unwrap();
    assert_eq!(read.local_file_paths, ["code.py"]);
    let again: Extraction =
        serde_json::from_value(serde_json::to_value(extract("https://a.example a.py")).unwrap())
            .unwrap();
    assert_eq!(again, extract("https://a.example a.py"));
}

#[test]
fn an_upload_is_refused_with_the_place_of_what_is_wrong() {
    assert_eq!(
        Guideline::parse(b"a\nb\xffc".as_slice()),
        Err(GuidelineError::NotUtf8 { offset: 3, line: 2 })
    );
    assert_eq!(
        Guideline::parse(b"a\n\nb\0".as_slice()),
        Err(GuidelineError::Nul { offset: 4, line: 3 })
    );
    for empty in ["", " \n\t", "\u{feff}", "\u{feff}\u{200b}\u{a0}"] {
        assert_eq!(
            Guideline::parse(empty),
            Err(GuidelineError::Empty),
            "{empty:?}"
        );
    }
    let largest = "a".repeat(MAX_GUIDELINE_BYTES);
    let size = largest.len() + 1;
    assert!(Guideline::parse(largest.clone()).is_ok());
    assert_eq!(
        Guideline::parse(largest + "a"),
        Err(GuidelineError::TooLarge { size })
    );
    assert_eq!(
        Guideline::parse("\u{feff}a\u{feff}").unwrap().as_str(),
        "a\u{feff}"
    );
}

#[test]
fn the_title_is_the_first_heading_or_the_first_line() {
    for (text, title) in [
        ("# One", "One"),
        (
            "text\n\n### A *b* [c](d) `e` ~~f~~ <i>g</i> ![h](i) &amp; \\* #\n# Two",
            "A b c e f g h & *",
        ),
        ("One\ntwo\n===\n", "One two"),
        ("#\n\n## \n\n# Third", "Third"),
        ("```\n# no\n```\n> # Quoted", "Quoted"),
        ("\n\n- First **line**\n- second", "First line"),
        ("one\ntwo", "one"),
        ("---\n\n***", "Untitled"),
    ] {
        assert_eq!(Guideline::parse(text).unwrap().title(), title, "{text:?}");
    }
    let long = Guideline::parse(format!("# {}", "wörter ".repeat(100)))
        .unwrap()
        .title();
    assert!(
        long.chars().count() <= 200 && long.ends_with("wörter…") || long.ends_with('…'),
        "{long}"
    );
}

/// Pieces of hostile text; each is repeated.
const HOSTILE: &[&str] = &[
    "[",
    "]",
    "(",
    ")",
    "`",
    "http://",
    "https://a.b ",
    "https://a.example/x,",
    "www.",
    "<",
    "<a ",
    "<a href=\"",
    "<!--",
    "<script>",
    "![",
    "](",
    "[a](",
    "*",
    "_",
    "**a ",
    "> ",
    "- ",
    "\\",
    "&",
    "&amp;",
    "\"",
    "'a",
    "“",
    "“「",
    "a.md ",
    "./",
    "../",
    "a.md",
    "a:",
    "|",
    "|a",
    "\n|",
    "# ",
    "#\n",
    "~~~\n",
    "```\n",
    "[a]: b\n",
    "[a]:",
    "[^a]: ",
    "[^a]",
    "://",
    "http://[",
    "*http://a*",
    "*http://a**",
    "_http://a_b",
    "http://a&a",
    "\u{3000}",
    "中",
    "http://中",
    "a\n-\n",
    "$",
    "<b>",
    "</a>",
    "<?",
    "<!a",
    "<![CDATA[",
    "1. ",
    "\t",
    " ",
    "  \n",
    "\n",
    "a`",
    "``a`",
    "![a](b",
    "<https://",
    "[[a]",
    "[a][",
    "#[",
    "---\n",
    "\r",
];

#[test]
fn hostile_text_takes_linear_time() {
    for piece in HOSTILE {
        let text = piece.repeat((256 << 10) / piece.len());
        let (_, time) = cpu::time(|| {
            (
                extract(&text),
                Guideline::parse(text.clone()).map(|it| it.title()),
            )
        });
        assert!(
            time.as_millis() < 1500,
            "256 KiB of {piece:?} took {time:?}"
        );
    }
}

#[test]
fn throughput_of_guidelines_of_two_sizes() {
    let block = "## Section\n\nRead [the paper](https://arxiv.org/abs/1706.03762) and **https://example.com/p?id=7**,\n\
                 then `notes.md`, https://github.com/o/r/blob/main/a.py#L1-L9 and some more words that are no source.\n\n\
                 - item with https://youtu.be/dQw4w9WgXcQ\n\n```python\nrequests.get(\"http://localhost:8000\")\n```\n\n";
    for (size, times) in [(10_000, 100), (1 << 20, 1)] {
        let text = block.repeat(size / block.len() + 1);
        let (sources, time) = cpu::time(|| {
            (0..times)
                .map(|_| extract(&text).sources.len())
                .sum::<usize>()
        });
        assert_eq!(sources, 4 * times);
        let bytes = u128::try_from(text.len() * times).unwrap();
        let rate = bytes * 1_000 / time.as_micros().max(1);
        let each = time / u32::try_from(times).unwrap();
        println!(
            "extracting {} bytes: {each:?} of CPU time, {rate} kB/s",
            text.len()
        );
    }
}

fn url() -> impl Strategy<Value = String> {
    let host = "[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?\\.(example|co\\.uk|dev)(:8[0-9]{3})?";
    let path = "(/[a-zA-Z0-9_.-]{0,6}[a-zA-Z0-9]){0,3}(/a_\\(b\\)c)?(\\?[a-z]=[a-z0-9]{1,4}(&[a-z]=[a-z0-9]{1,3})?)?";
    (host, path).prop_map(|(host, path)| format!("https://{host}{path}"))
}

/// Ways to write a URL; `№` is its number, for labels.
const CONTEXTS: &[&str] = &[
    "{}",
    "See {}.",
    "({})",
    "**{}**",
    "`{}`",
    "[t]({})",
    "[t](<{}> \"x\")",
    "<{}>",
    "\"{}\"",
    "“{}”",
    "'{}'",
    "> {}",
    "- {}",
    "1. {}",
    "# {}",
    "{}\n===",
    "| a |\n|---|\n| {} |",
    "```\n{}\n```",
    "    {}",
    "请看{}。",
    "（{}）",
    "{}, and",
    "{}; or",
    "{}!",
    "{}?",
    "{}:",
    "<a href=\"{}\">t</a>",
    "<div>\n<a class=x href='{}'>t</a>\n</div>",
    "<p>{}</p>",
    "[t][r№]\n\n[r№]: {}",
    "[unused№]: {}",
    "Note[^№].\n\n[^№]: {}",
    "![a](x.png) {}",
    "**[t]({})**",
    "- a\n  - b\n\n    > {}",
    "[a [b] c]({})",
    "[![a](x.png)]({})",
    "~~{}~~",
    "*{}*",
];

/// A guideline in which each URL stands in its context; the labels have a prefix.
fn markdown(prefix: &str, written: &[(String, &str)]) -> String {
    let blocks = written.iter().enumerate().map(|(number, (url, context))| {
        let labelled = context.replace('№', &format!("{prefix}{number}"));
        labelled.replacen("{}", url, 1) + "\n\n<!-- -->\n\n"
    });
    blocks.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn urls_are_found_once_and_in_order_however_they_are_written(
        written in proptest::collection::vec((url(), proptest::sample::select(CONTEXTS)), 0..12),
    ) {
        let mut expected: Vec<SourceUrl> = Vec::new();
        for (url, _) in &written {
            let url = SourceUrl::parse(url).unwrap();
            if expected.iter().all(|it| it.identity() != url.identity()) {
                expected.push(url);
            }
        }
        let markdown = markdown("", &written);
        let found = extract(&markdown);
        let expected: Vec<_> = expected.iter().map(SourceUrl::as_str).collect();
        prop_assert_eq!(urls(&found), expected, "{}", markdown);
    }

    #[test]
    fn any_text_gives_consistent_lists(
        text in proptest::collection::vec(prop_oneof![
            proptest::sample::select(HOSTILE).prop_map(str::to_owned),
            url(),
            any::<char>().prop_map(String::from),
            Just("notes.md".to_owned()),
        ], 0..40).prop_map(|it| it.concat()),
    ) {
        let found = extract(&text);
        let lists = [(Kind::Github, &found.github_urls), (Kind::Youtube, &found.youtube_videos_urls), (Kind::Web, &found.other_urls)];
        for (kind, list) in lists {
            let of_kind: Vec<_> = found.sources.iter().filter(|it| it.kind == kind).map(|it| &it.url).collect();
            prop_assert_eq!(of_kind, list.iter().collect::<Vec<_>>());
        }
        let mut identities: Vec<_> = found.sources.iter().map(|it| &it.identity).collect();
        identities.sort_unstable();
        identities.dedup();
        prop_assert_eq!(identities.len(), found.sources.len());
        for source in &found.sources {
            let again = SourceUrl::parse(&source.url).unwrap();
            prop_assert_eq!((again.as_str(), again.identity(), again.kind()), (&*source.url, &*source.identity, source.kind));
        }
        prop_assert!(found.sources.is_sorted_by_key(|it| it.line));
        for path in &found.local_file_paths {
            prop_assert!(!path.starts_with(['/', '~', '.', '\\']) || path.starts_with('.') && !path.starts_with("./") && !path.starts_with("../"), "{}", path);
            prop_assert!(path.split('/').all(|it| !it.is_empty() && it != ".."), "{}", path);
        }
        drop(Guideline::parse(text).map(|it| it.title()));
    }

    #[test]
    fn two_guidelines_name_together_what_each_names(
        first in proptest::collection::vec((url(), proptest::sample::select(CONTEXTS)), 0..5),
        second in proptest::collection::vec((url(), proptest::sample::select(CONTEXTS)), 0..5),
    ) {
        let (first, second) = (markdown("a", &first), markdown("b", &second));
        let (one, two) = (extract(&first), extract(&second));
        let mut expected = one.sources.iter().map(|it| &it.identity).collect::<Vec<_>>();
        for source in &two.sources {
            if !expected.contains(&&source.identity) {
                expected.push(&source.identity);
            }
        }
        let both = extract(&(first.clone() + &second));
        prop_assert_eq!(both.sources.iter().map(|it| &it.identity).collect::<Vec<_>>(), expected);
    }
}
