//! Documents that users have, rebuilt byte for byte from the rows that they were made of.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod cpu;

use nova_research::document::{Document, Section, by_query};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Rows {
    answers: Vec<Answer>,
    scraped: Vec<Source>,
    code: Vec<Source>,
    videos: Vec<Source>,
    additional: Vec<Source>,
    counts: Value,
}

#[derive(Deserialize)]
struct Answer {
    number: u64,
    url: String,
    query: String,
    #[serde(rename = "answer")]
    text: String,
}

#[derive(Deserialize)]
struct Source {
    title: String,
    body: String,
}

/// Writes the document with bodies that arrive in chunks of so many bytes.
fn rebuild(rows: &Rows, chunk: usize) -> (String, Value) {
    let mut out = String::new();
    let mut document = Document::new();
    for (query, answers) in by_query(&rows.answers, |answer| answer.query.as_str()) {
        document
            .open(Section::ResearchResults, query, &mut out)
            .unwrap();
        for answer in answers {
            document.answer(answer.number, &answer.url, query, &mut out);
            for bytes in answer.text.as_bytes().chunks(chunk) {
                document.body_bytes(bytes, &mut out);
            }
        }
    }
    for (section, sources) in [
        (Section::ScrapedSources, &rows.scraped),
        (Section::CodeSources, &rows.code),
        (Section::VideoTranscripts, &rows.videos),
        (Section::AdditionalSources, &rows.additional),
    ] {
        for source in sources {
            document.open(section, &source.title, &mut out).unwrap();
            for bytes in source.body.as_bytes().chunks(chunk) {
                document.body_bytes(bytes, &mut out);
            }
        }
    }
    let counts = document.finish(&mut out);
    (out, serde_json::to_value(counts).unwrap())
}

fn check(name: &str, rows: &str, expected: &str) {
    let rows: Rows = serde_json::from_str(rows).unwrap();
    for chunk in [1, 7, 4096, usize::MAX] {
        let (document, counts) = rebuild(&rows, chunk);
        let line = document
            .lines()
            .zip(expected.lines())
            .position(|(ours, theirs)| ours != theirs);
        if let Some(line) = line {
            assert_eq!(
                document.lines().nth(line),
                expected.lines().nth(line),
                "{name}, line {}",
                line + 1
            );
        }
        assert!(
            document == expected,
            "{name} in chunks of {chunk} bytes: lines are equal, ends are not"
        );
        for (key, count) in rows.counts.as_object().unwrap() {
            assert_eq!(&counts[key], count, "{name}: {key}");
        }
    }
}

#[test]
fn documents_of_existing_users_are_rebuilt_byte_for_byte() {
    check(
        "demo",
        include_str!("fixtures/demo.rows.json"),
        include_str!("fixtures/demo.research.md"),
    );
    check(
        "folder",
        include_str!("fixtures/folder.rows.json"),
        include_str!("fixtures/folder.research.md"),
    );
    check(
        "patterns",
        include_str!("fixtures/patterns.rows.json"),
        include_str!("fixtures/patterns.research.md"),
    );
    check(
        "small",
        include_str!("fixtures/small.rows.json"),
        include_str!("fixtures/small.research.md"),
    );
}

#[test]
fn throughput_of_a_document() {
    let rows: Rows = serde_json::from_str(include_str!("fixtures/demo.rows.json")).unwrap();
    let ((document, _), time) = cpu::time(|| {
        (0..9).for_each(|_| drop(rebuild(&rows, 64 << 10)));
        rebuild(&rows, 64 << 10)
    });
    let bytes = 10 * u128::try_from(document.len()).unwrap();
    let rate = bytes * 1_000 / time.as_micros().max(1);
    println!(
        "writing {} bytes: {:?} of CPU time, {rate} kB/s",
        document.len(),
        time / 10
    );
    assert!(time.as_secs() < 30);
}
