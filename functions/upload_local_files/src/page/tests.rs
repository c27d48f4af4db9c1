use time::macros::datetime;

use super::*;
use crate::files::{Kept, refused};
use nova_research::local_file::FileError;
use nova_runtime::Problem;

const ARTICLE: Uuid = Uuid::from_u128(7);

fn files(expected: &[&str], uploaded: &[&str]) -> Files {
    Files {
        title: "Stars".to_owned(),
        expected: expected.iter().map(|&it| it.to_owned()).collect(),
        uploaded: uploaded
            .iter()
            .map(|&name| UploadedFile {
                name: name.to_owned(),
                size: 12_345,
                updated_at: datetime!(2026-02-03 04:05:06 UTC),
            })
            .collect(),
    }
}

fn page(files: &Files) -> FilesPage<'_> {
    FilesPage {
        user: "alice",
        csrf_token: "a-token",
        article: ARTICLE,
        files,
    }
}

fn text(page: Page) -> String {
    String::from_utf8(page.render().into_body().to_vec()).unwrap()
}

fn is_shown(page: &str, id: &str) -> bool {
    let (_, from) = page.split_once(&format!(" id=\"{id}\"")).unwrap();
    !from.split_once('>').unwrap().0.ends_with(" hidden")
}

#[test]
fn each_file_stands_once_as_the_guideline_names_it_and_then_the_others() {
    let files = files(
        &["b.py", "code/a.py", "c.md"],
        &["other.md", "a.py", "b.py"],
    );
    let page = text(page(&files).list(None));
    let (_, list) = page.split_once("<ul class=\"rows\">").unwrap();
    let names: Vec<_> = list
        .split("<bdi class=\"name\">")
        .skip(1)
        .map(|it| it.split_once('<').unwrap().0)
        .filter(|name| !name.is_empty())
        .collect();
    assert_eq!(names, ["b.py", "a.py", "c.md", "other.md"]);
    assert_eq!(list.matches(">missing<").count(), 1);
    assert!(list.contains("for code/a.py · 12.1\u{a0}KiB · "), "{list}");
    assert!(list.contains("<time datetime=\"2026-02-03T04:05:06Z\">2026-02-03, 04:05 UTC</time>"));
    assert!(page.contains("2 of 3 files that the guideline names are here."));
}

#[test]
fn the_summary_counts_in_words_that_fit() {
    let summary = |expected: &[&str], uploaded: &[&str]| {
        let files = files(expected, uploaded);
        page(&files).summary()
    };
    assert_eq!(
        summary(&["a.md"], &[]),
        "The file that the guideline names is missing."
    );
    assert_eq!(
        summary(&["a.md"], &["a.md"]),
        "The file that the guideline names is here."
    );
    assert_eq!(
        summary(&["a.md", "b.md"], &["a.md", "b.md"]),
        "All 2 files that the guideline names are here."
    );
    assert_eq!(
        summary(&[], &["a.md"]),
        "The guideline names no files; one is here."
    );
}

#[test]
fn results_and_the_question_are_shown_where_there_are_some() {
    let files = files(&[], &["a.md"]);
    let page = page(&files);
    let shown = |page: &str| ["ask", "failure", "done"].map(|id| is_shown(page, id));

    let list = text(page.list(None));
    assert_eq!(shown(&list), [false, false, false]);
    let question = text(page.list(Some("a.md")));
    assert_eq!(shown(&question), [true, false, false]);
    assert!(question.contains("<title>Delete a file? · Nova</title>"));

    let outcome = |name: &str, kept| Outcome {
        filename: name.to_owned(),
        kept,
    };
    let mixed = [
        outcome(
            "a.md",
            Ok(Kept {
                size: 1,
                replaced: true,
                encoding: None,
            }),
        ),
        outcome(
            "c.md",
            Ok(Kept {
                size: 1,
                replaced: false,
                encoding: Some("windows-1252"),
            }),
        ),
        outcome("b.png", Err(refused(&FileError::UnknownKind))),
    ];
    let results = text(page.results(&mixed, None));
    assert_eq!(shown(&results), [false, true, true]);
    assert!(results.contains("<li><bdi>a.md</bdi> was replaced.</li>"));
    assert!(results.contains("<bdi>c.md</bdi> was uploaded. It was read as windows-1252: if"));
    assert!(results.contains("<li><bdi>b.png</bdi>: this type of file is not taken"));
    let broken_off = text(page.results(&[], Some(("At most 32 MiB.", "r-1"))));
    assert_eq!(shown(&broken_off), [false, true, false]);
    assert!(broken_off.contains("At most 32 MiB.") && broken_off.contains("r-1"));
}

#[test]
fn nothing_that_a_name_or_a_guideline_says_becomes_markup() {
    let evil = "'\"><script>alert(1)</script>.md";
    let mut files = files(
        &[evil, "x.md"],
        &[evil, "\"><img src=x onerror=alert(1)>.md"],
    );
    files.title = evil.to_owned();
    let page = FilesPage {
        user: evil,
        csrf_token: evil,
        ..page(&files)
    };
    let outcome = Outcome {
        filename: evil.to_owned(),
        kept: Err(Problem::bad_request(evil)),
    };
    for page in [
        text(page.list(Some(evil))),
        text(page.results(&[outcome], Some((evil, evil)))),
    ] {
        assert_eq!(page.matches("<script>").count(), 2, "only ours: {page}");
        assert_eq!(page.matches("<img").count(), 0, "{page}");
        assert!(!page.contains("'\">"), "{page}");
    }
}

#[test]
fn every_form_that_is_posted_carries_the_csrf_token() {
    let files = files(&[], &[]);
    let page = text(page(&files).list(None));
    let forms = page.matches("method=\"post\"").count();
    assert_eq!(forms, 3, "upload, delete and sign-out");
    let tokens = page
        .matches("name=\"csrf_token\" value=\"a-token\"")
        .count();
    assert_eq!(tokens, forms);
}

#[test]
fn sizes_are_said_to_three_figures_or_so() {
    assert_eq!(size(999), "999\u{a0}bytes");
    assert_eq!(size(1000), "1.0\u{a0}KiB");
    assert_eq!(size(1 << 20), "1.0\u{a0}MiB");
}
