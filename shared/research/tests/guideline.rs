//! Extraction against inputs with known answers, and against whatever a generator writes.

use std::time::{Duration, Instant};

use nova_research::guideline::extract;
use serde_json::Value;

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("cases/extraction.json")).unwrap()
}

#[test]
fn every_case_gives_its_expected_lists() {
    for case in cases() {
        let guideline = case["guideline"].as_str().unwrap();
        let extraction = serde_json::to_value(extract(guideline)).unwrap();
        for key in [
            "github_urls",
            "youtube_videos_urls",
            "other_urls",
            "local_file_paths",
        ] {
            assert_eq!(
                extraction[key], case["expected"][key],
                "{}: {key}: {}",
                case["id"], case["why"]
            );
        }
        if let Some(expected) = case["expected"]["skipped"].as_array() {
            let skipped: Vec<Value> = extraction["skipped"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| serde_json::json!({ "url": it["url"], "reason": it["reason"] }))
                .collect();
            assert_eq!(&skipped, expected, "{}: skipped", case["id"]);
        }
    }
}

#[test]
fn hostile_text_takes_linear_time() {
    let size = 1 << 20;
    let mut slowest = (Duration::ZERO, "");
    for piece in [
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
        "a.md ",
        "./",
        "../",
        "a.md",
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
    ] {
        let text: String = piece.repeat(size / piece.len());
        let start = Instant::now();
        let _extraction = extract(&text);
        let time = start.elapsed();

        if std::env::args().any(|it| it == "--nocapture") {
            println!("{piece:?} {time:?}");
        }
        if time > slowest.0 {
            slowest = (time, piece);
        }
    }
    println!("slowest: {slowest:?}");
}
