//! Uploaded files: their names, their kinds, what becomes of them, and which the guideline means.
#![cfg(feature = "local-files")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeSet;

use nova_research::local_file::{
    Expected, FileError, FileName, Kind, MAX_FILE_BYTES, MAX_FILES, MAX_NAME_BYTES,
    MAX_TOTAL_BYTES, NameError, check_room, compare, endings, position, read,
};
use serde_json::Value;

fn name(given: &str) -> FileName {
    FileName::parse(given).unwrap()
}

fn markdown(file: &str, content: impl Into<Vec<u8>>) -> String {
    read(&name(file), content.into()).unwrap().markdown
}

fn refused(file: &str, content: impl Into<Vec<u8>>) -> FileError {
    read(&name(file), content.into()).unwrap_err()
}

#[test]
fn the_cases_of_names_come_out_as_expected() {
    let cases: Value = serde_json::from_str(include_str!("cases/local_files.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let uploads = case["uploads"].as_array().unwrap();
        let stored: Vec<_> = uploads
            .iter()
            .map(|it| name(it.as_str().unwrap()).as_str().to_owned())
            .collect();
        assert_eq!(serde_json::json!(stored), case["stored"], "{}", case["id"]);
    }
}

#[test]
fn a_name_is_kept_exactly() {
    for kept in [
        "notes.md",
        "a/b.md",
        "a_b.md",
        "My notes (final), v2.md",
        "<img src=x onerror=alert(1)>.md",
        "\"quoted\" & 'so'.py",
        "日本語/メモ.md",
        "می\u{200c}خواهم.md",
        "👩\u{200d}🔬.md",
        ".github/workflows/ci.yml",
        "a..b.md",
        "~draft.md",
        "100%.md",
    ] {
        assert_eq!(name(kept).as_str(), kept);
    }
    assert_eq!(name("./code/./memory.py").as_str(), "code/memory.py");
    assert_eq!(
        name("cafe\u{301}.md"),
        name("café.md"),
        "one name in two spellings"
    );
    assert_ne!(name("Notes.md"), name("notes.md"));
    let longest = format!("{}.md", "x".repeat(MAX_NAME_BYTES - 3));
    assert_eq!(name(&longest).as_str(), longest);
}

#[test]
fn a_name_that_plays_tricks_is_refused_with_the_reason() {
    let refused = |given: &str| FileName::parse(given).unwrap_err();
    for (given, error) in [
        ("", NameError::Empty),
        (" ", NameError::Empty),
        ("./", NameError::EmptyPart),
        (".", NameError::Empty),
        ("../../etc/secret.md", NameError::Climbs),
        ("a/../b.md", NameError::Climbs),
        ("/etc/passwd.md", NameError::NotRelative),
        ("~/.ssh/x.py", NameError::NotRelative),
        ("C:x.py", NameError::NotRelative),
        ("C:\\x\\y.py", NameError::Backslash),
        ("a\\b.md", NameError::Backslash),
        ("a//b.md", NameError::EmptyPart),
        ("a/", NameError::EmptyPart),
        ("a /b.md", NameError::Edge),
        ("notes.md ", NameError::Edge),
        ("a\nb.md", NameError::Invisible { code: 10 }),
        ("a\0.md", NameError::Invisible { code: 0 }),
        ("\u{feff}a.md", NameError::Invisible { code: 0xFEFF }),
        ("gpj.\u{202e}dm.md", NameError::Invisible { code: 0x202E }),
        ("a\u{fffd}.md", NameError::Invisible { code: 0xFFFD }),
    ] {
        assert_eq!(refused(given), error, "{given:?}");
    }
    let long = format!("{}.md", "x".repeat(MAX_NAME_BYTES - 2));
    assert_eq!(refused(&long), NameError::TooLong);
    assert_eq!(refused(&"\u{301}".repeat(1 << 20)), NameError::TooLong);
    let said = refused("gpj.\u{202e}dm.md").to_string();
    assert_eq!(said, "its name contains the invisible character U+202E");
}

#[test]
fn the_ending_decides_how_a_file_is_written() {
    for (file, kind) in [
        ("a.py", Some(Kind::Code("python"))),
        ("deep/A.PY", Some(Kind::Code("python"))),
        ("a.ipynb", Some(Kind::Notebook)),
        ("README.md", Some(Kind::Markdown)),
        ("types.d.ts", Some(Kind::Code("typescript"))),
        ("talk.vtt", Some(Kind::Subtitles)),
        ("talk.SRT", Some(Kind::Subtitles)),
        ("docker/Dockerfile", Some(Kind::Code("dockerfile"))),
        ("notes.org", Some(Kind::Code("text"))),
        ("LICENSE", Some(Kind::Code("text"))),
        ("photo.png", None),
        (".py", None),
        (".env", None),
        ("py", None),
        ("a.license.bin", None),
        ("archive.tar.gz", None),
        ("a.py.exe", None),
    ] {
        assert_eq!(name(file).kind(), kind, "{file}");
    }
    let all: Vec<_> = endings().collect();
    let different: BTreeSet<_> = all.iter().collect();
    assert_eq!(all.len(), different.len(), "an ending has one kind");
    for needed in
        "py ipynb md txt rst json yaml toml csv js ts java go rs c cpp sh sql html css srt vtt"
            .split(' ')
    {
        assert!(all.contains(&needed), "{needed}");
    }
}

#[test]
fn subtitles_are_a_transcript_and_what_is_called_so_and_has_none_is_told() {
    let file = "1\n00:00:01,000 --> 00:00:02,500\n<i>Hello,</i>\n\n2\n00:00:40,000 --> 00:00:41,000\n&lt;/details&gt;\n";
    assert_eq!(
        markdown("talk.srt", file),
        "[00:01] Hello,\n\n[00:40] \\</details>\n"
    );
    let error = read(&name("talk.vtt"), b"WEBVTT\n\nHello.\n".to_vec()).unwrap_err();
    assert!(matches!(error, FileError::NoSubtitles), "{error}");
    assert!(error.to_string().contains("call it .txt"), "{error}");
}

#[test]
fn code_is_a_block_that_nothing_in_it_closes() {
    assert_eq!(markdown("a.py", "x = 1\n"), "```python\nx = 1\n```\n");
    assert_eq!(markdown("a.txt", "one\r\n\r\n"), "```text\none\n```\n");
    assert_eq!(
        markdown("a.js", "s = '`````'\n# no heading"),
        "``````javascript\ns = '`````'\n# no heading\n``````\n"
    );
    assert_eq!(
        markdown("a.md", "# Notes\n\n```\ncode\n```\n"),
        "# Notes\n\n```\ncode\n```\n"
    );
}

#[test]
fn a_notebook_is_written_with_its_outputs_and_without_pictures_and_colours() {
    let notebook = serde_json::json!({
        "metadata": {"kernelspec": {"language": "python"}},
        "cells": [
            {"cell_type": "markdown", "source": "# Title"},
            {"cell_type": "code", "source": "plot()", "outputs": [
                {"output_type": "stream", "text": "\u{1b}[31mred\u{1b}[0m\n"},
                {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo="}}]}
        ]
    });
    assert_eq!(
        markdown("a.ipynb", notebook.to_string()),
        "# Title\n\n```python\nplot()\n```\n\nOutput:\n\n```\nred\n```\n\n[image/png output]\n"
    );
    let broken = refused("a.ipynb", "{\"cells\": [");
    assert!(
        broken.to_string().starts_with("this is not a notebook"),
        "{broken}"
    );
    let nothing = refused("a.ipynb", "{\"cells\": []}");
    assert!(matches!(nothing, FileError::Empty), "{nothing}");
}

#[test]
fn text_is_read_in_whatever_it_was_written_and_that_is_told() {
    let utf16 = |text: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    };
    let marked = "\u{feff}n\u{e9} 🙂\n";
    for (content, text, encoding) in [
        ("\u{feff}né".into(), "né", "UTF-8"),
        (utf16(marked, u16::to_le_bytes), "né 🙂\n", "UTF-16LE"),
        (utf16(marked, u16::to_be_bytes), "né 🙂\n", "UTF-16BE"),
        (
            b"caf\xe9 cr\xe8me br\xfbl\xe9e \x80 5, \x93so\x94".to_vec(),
            "café crème brûlée € 5, “so”",
            "windows-1252",
        ),
        (
            b"\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0. \xdd\xf2\xee \xf2\xe5\xea\xf1\xf2.".to_vec(),
            "Привет, мир. Это текст.",
            "windows-1251",
        ),
    ] {
        let file = read(&name("a.md"), content).unwrap();
        assert_eq!((file.markdown.as_str(), file.encoding), (text, encoding));
    }
    for (file, content, said) in [
        (
            "a.md",
            &b"\xff\xfea\0b"[..],
            "it cannot be read as UTF-16LE",
        ),
        (
            "a.md",
            b"\xff\xfe\x00\xd8a\0",
            "it cannot be read as UTF-16LE",
        ),
        ("a.md", b"\xff\xfea\0\n\0\0\0", "NUL character in line 2"),
        ("a.md", b"a\0b\0", "NUL character in line 1"),
        ("a.py", b"a\n\xe9\0", "NUL character in line 2"),
        ("a.py", b"\x7fELF\x02\x01\x01\xe9\xff\x90", "it is no text"),
        (
            "a.ipynb",
            b"{\n\"caf\xe9\": 1}",
            "it is not UTF-8: byte 6, in line 2",
        ),
        ("a.md", b"", "it is empty"),
        ("a.md", b" \n\xef\xbb\xbf", "it is empty"),
    ] {
        let error = refused(file, content).to_string();
        assert!(error.contains(said), "{error:?} does not say {said:?}");
    }
}

#[test]
fn a_file_is_no_larger_than_the_limit() {
    let largest = markdown("a.md", vec![b'x'; MAX_FILE_BYTES]);
    assert_eq!(largest.len(), MAX_FILE_BYTES);
    let larger = refused("a.md", vec![b'x'; MAX_FILE_BYTES + 1]);
    assert_eq!(larger.to_string(), "it is larger than 8 MiB");
    assert!(matches!(
        refused("a.png", vec![b'x'; MAX_FILE_BYTES + 1]),
        FileError::UnknownKind
    ));
}

#[test]
fn an_article_has_so_many_files_and_no_more() {
    let names: Vec<String> = (0..MAX_FILES).map(|n| format!("{n}.md")).collect();
    let there =
        |count: usize, size: u64| names.iter().take(count).map(move |it| (it.as_str(), size));
    let room = |count, size, file: &str, own| check_room(there(count, size), &name(file), own);
    assert!(room(MAX_FILES - 1, 1, "new.md", 1).is_ok());
    assert!(matches!(
        room(MAX_FILES, 1, "new.md", 1),
        Err(FileError::TooMany)
    ));
    assert!(
        room(MAX_FILES, 1, "7.md", 1).is_ok(),
        "one that is replaced takes no room"
    );
    let half = MAX_TOTAL_BYTES / 2;
    assert!(room(1, half, "new.md", half).is_ok());
    assert!(matches!(
        room(1, half, "new.md", half + 1),
        Err(FileError::TotalTooLarge)
    ));
    assert!(room(1, half, "0.md", MAX_TOTAL_BYTES).is_ok());
}

fn found(paths: &[&str], uploaded: &[&str]) -> Vec<Option<String>> {
    let paths: Vec<String> = paths.iter().map(|&it| it.to_owned()).collect();
    let rows: Vec<Expected> = compare(&paths, uploaded.iter().copied());
    assert!(rows.iter().map(|row| &row.path).eq(&paths));
    rows.into_iter().map(|row| row.uploaded_as).collect()
}

#[test]
fn a_file_is_the_one_that_is_named_if_the_path_or_its_only_end_is_the_same() {
    let some = |name: &str| Some(name.to_owned());
    let found = |paths: &[&str], uploaded: &[&str]| found(paths, uploaded);
    assert_eq!(
        found(&["code/memory.py"], &["code/memory.py"]),
        [some("code/memory.py")]
    );
    assert_eq!(
        found(&["code/memory.py"], &["memory.py"]),
        [some("memory.py")]
    );
    assert_eq!(
        found(&["memory.py"], &["code/memory.py"]),
        [some("code/memory.py")]
    );
    assert_eq!(
        found(&["code/memory.py"], &["my/code/memory.py"]),
        [some("my/code/memory.py")]
    );
    // Another folder is another file, another ending too, and half a name is no end.
    assert_eq!(found(&["a/x.py"], &["b/x.py", "x.md", "ax.py"]), [None]);
    assert_eq!(found(&["x.py"], &["ax.py"]), [None]);
    // It could be either.
    assert_eq!(found(&["a/x.py", "b/x.py"], &["x.py"]), [None, None]);
    assert_eq!(found(&["x.py"], &["a/x.py", "b/x.py"]), [None]);
    // Once one of them is here by its path, it can only be the other.
    assert_eq!(
        found(&["a/x.py", "b/x.py"], &["a/x.py", "x.py"]),
        [some("a/x.py"), some("x.py")]
    );
    assert_eq!(found(&["a/x.py", "x.py"], &["x.py"]), [None, some("x.py")]);
    assert_eq!(found(&["cafe\u{301}.md"], &["café.md"]), [some("café.md")]);
}

#[test]
fn files_stand_as_the_guideline_names_them_and_others_after() {
    let paths = ["b.py", "code/a.py", "x/c.py", "y/c.py"].map(str::to_owned);
    let place = |file: &str| position(&paths, &name(file));
    assert_eq!(["b.py", "a.py", "y/c.py"].map(place), [0, 1, 3]);
    assert!(place("c.py") > place("y/c.py"), "it could be either");
    assert_eq!(place("c.py"), place("other.md"));
}
