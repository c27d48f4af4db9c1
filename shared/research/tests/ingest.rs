//! Repositories as Markdown.
#![cfg(feature = "ingest")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod archives;

use std::collections::BTreeMap;
use std::io::{self, Read};

use archives::{COMMIT, Raw, archive, gzip, tar};
use nova_research::ingest::{self, Digest, IngestError, Limits, Lines, Location, Place, Request};
use nova_research::url::CodeSite;
use proptest::prelude::*;
use serde_json::Value;
use tar::EntryType;

fn request() -> Request {
    Request::new("https://github.com/acme/widgets", "acme/widgets")
}

fn digest<P: AsRef<str>, B: AsRef<[u8]>>(files: &[(P, B)]) -> Digest {
    ingest::archive(&*archive(files), &request()).unwrap()
}

/// A file of a case: its text, bytes in base64, or something that is repeated.
fn bytes(file: &Value) -> Vec<u8> {
    let text = |name: &str| file[name].as_str().unwrap_or_default().to_owned();
    if let Some(text) = file.as_str() {
        return text.as_bytes().to_vec();
    }
    if !file["b64"].is_null() {
        return base64(&text("b64"));
    }
    let times = usize::try_from(file["times"].as_u64().unwrap()).unwrap();
    let middle = text("repeat").repeat(times);
    format!("{}{middle}{}", text("prefix"), text("suffix")).into_bytes()
}

fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes().filter(|it| *it != b'=') {
        let value = LETTERS.iter().position(|it| *it == byte).unwrap();
        bits = bits << 6 | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    out
}

#[test]
fn the_cases_of_repositories_come_out_as_expected() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("cases/ingest.json")).unwrap();
    assert!(cases.len() >= 9, "only {} cases", cases.len());
    for case in &cases {
        let files: Vec<(String, Vec<u8>)> = case["files"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(path, file)| (path.clone(), bytes(file)))
            .collect();
        let markdown = digest(&files).markdown;
        let (head, content) = markdown.split_once("## Extracted content").unwrap();
        let expected = |name: &str| -> Vec<String> {
            serde_json::from_value(case["expected"][name].clone()).unwrap_or_default()
        };
        let id = &case["id"];
        for piece in expected("tree_contains") {
            assert!(head.contains(&piece), "{id}: {piece:?} in {head}");
        }
        for piece in expected("content_contains") {
            assert!(
                content.contains(&piece),
                "{id}: {piece:?} in {content:.2000}"
            );
        }
        for piece in expected("not_contains") {
            assert!(
                !markdown.contains(&piece),
                "{id}: no {piece:?} in {markdown:.2000}"
            );
        }
        if case["expected"]["tree_fence_has_own_line"] == true {
            assert!(
                head.contains("\n```text\nDirectory structure:\n└── widgets/\n"),
                "{head}"
            );
        }
        if let Some(language) = case["expected"]["file_fence_language"].as_str() {
            assert!(
                content.contains(&format!("\n```{language}\n")),
                "{id}: {content}"
            );
        }
    }
}

#[test]
fn a_repository_has_the_layout_that_research_files_are_known_for() {
    let files = [
        ("README.md", "# Widgets\n\n```sh\nmake\n```\n"),
        (
            "LICENSE",
            "MIT License\n\nPermission is hereby granted, free of charge, to any person\n",
        ),
        ("Cargo.lock", "version = 4\n"),
        ("src/lib.rs", "//! Widgets.\n"),
        ("logo.png", "\u{89}PNG"),
    ];
    let digest = digest(&files);
    assert_eq!(
        digest.markdown,
        format!(
            "\
# Repository analysis for https://github.com/acme/widgets

## Summary

- Repository: acme/widgets
- Commit: {COMMIT}
- Licence: MIT
- Languages: Rust 100 %
- Files: 5 (129 B), 3 included, 2 only named
- Estimated tokens: 207

## File tree

```text
Directory structure:
└── widgets/
    ├── README.md (26 B)
    ├── Cargo.lock (12 B) [lock]
    ├── LICENSE (73 B)
    ├── logo.png (5 B) [binary]
    └── src/
        └── lib.rs (13 B)
```

## Extracted content

### `README.md`

````markdown
# Widgets

```sh
make
```
````

### `src/lib.rs`

```rust
//! Widgets.
```

### `LICENSE`

```
MIT License

Permission is hereby granted, free of charge, to any person
```
"
        )
    );
    assert_eq!((digest.files, digest.included), (5, 3));
    assert_eq!(digest.commit.as_deref(), Some(COMMIT));
}

#[test]
fn no_large_file_pushes_out_the_others_and_what_is_missing_is_said() {
    let huge = "let it = 1; // a line of a file that somebody keeps adding to\n".repeat(20_000);
    let mut files: Vec<(String, String)> = (0..300)
        .map(|it| {
            (
                format!("src/part_{it:03}.rs"),
                format!("fn part_{it}() {{}}\n").repeat(200),
            )
        })
        .collect();
    files.push(("src/huge.rs".into(), huge));
    files.push(("README.md".into(), "# Widgets\n".into()));
    let digest = digest(&files);
    assert!(
        (45_000..=60_000).contains(&digest.tokens),
        "{}",
        digest.tokens
    );
    for piece in [
        "### `README.md`\n",
        "### `src/part_000.rs`",
        "[left out]",
        "huge.rs (1.2 MB) [too large]",
        "left out for lack of room",
    ] {
        assert!(digest.markdown.contains(piece), "{piece}");
    }
    assert!(
        digest.markdown.contains(" of 200 lines)\n"),
        "what is cut says so"
    );
    assert!(digest.included > 50);
}

#[test]
fn what_the_url_names_comes_first_and_the_rest_is_not_there() {
    let mut files: Vec<(String, String)> = (0..50)
        .map(|it| (format!("packages/other/{it}.ts"), "export {}\n".repeat(500)))
        .collect();
    files.push(("README.md".into(), "# All\n".into()));
    files.push(("package.json".into(), "{}\n".into()));
    files.push((
        "packages/core/src/a.ts".into(),
        "export const a = 1\n".into(),
    ));
    files.push(("packages/core/README.md".into(), "# Core\n".into()));
    files.push(("packages/core2/b.ts".into(), "export const b = 2\n".into()));
    let request = Request {
        path: "packages/core".into(),
        reference: Some("main".into()),
        ..request()
    };
    let digest = ingest::archive(&*archive(&files), &request).unwrap();
    for piece in [
        "# Core",
        "# All",
        "const a = 1",
        "- Path: packages/core\n",
        "(main)",
    ] {
        assert!(
            digest.markdown.contains(piece),
            "{piece}: {}",
            digest.markdown
        );
    }
    assert!(!digest.markdown.contains("core2") && !digest.markdown.contains("other"));
    assert_eq!(digest.files, 2);

    let missing = Request {
        path: "packages/cor".into(),
        ..request
    };
    let error = ingest::archive(&*archive(&files), &missing).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no packages/cor in the repository"
    );
}

#[test]
fn lines_that_the_url_names_are_shown_and_a_short_file_whole() {
    let lines: Vec<String> = (1..=300).map(|it| format!("line {it}\n")).collect();
    let text = lines.concat();
    let mut request = Request {
        path: "a.txt".into(),
        lines: Some(Lines {
            first: 10,
            last: 12,
        }),
        ..request()
    };
    let read = |text: &str, request: &Request| {
        ingest::files([("a.txt", text.as_bytes())], request)
            .unwrap()
            .markdown
    };
    let markdown = read(&text, &request);
    assert!(
        markdown
            .contains("### `a.txt` (lines 10–12 of 300)\n\n```\nline 10\nline 11\nline 12\n```\n")
    );
    assert!(markdown.contains("### `a.txt`\n\n```\nline 1\n"));

    let long = text.repeat(100);
    request.lines = Some(Lines {
        first: 29_999,
        last: 40_000,
    });
    let markdown = read(&long, &request);
    assert!(markdown.contains("(lines 29999–40000 of 30000)\n\n```\nline 299\nline 300\n```\n"));
    assert!(
        markdown.contains("a.txt (259.2 KB) [lines 29999–40000]") && !markdown.contains("line 150")
    );
}

#[test]
fn submodules_links_and_special_files_are_named() {
    let modules = "[submodule \"x\"]\n\tpath = libs/x\n\turl = https://github.com/acme/x\n";
    let entries = [
        Raw::file("top/.gitmodules", modules.as_bytes()),
        Raw::file("top/a.py", b"print(1)\n"),
        Raw::other(EntryType::Symlink, "top/passwd", "../../etc/passwd"),
        Raw::other(EntryType::Link, "top/hard", "top/a.py"),
        Raw::other(EntryType::Char, "top/dev", ""),
        Raw::other(EntryType::Directory, "top/libs/x/", ""),
    ];
    let markdown = ingest::archive(&*tar(&entries), &request())
        .unwrap()
        .markdown;
    for line in [
        "├── passwd -> ../../etc/passwd\n",
        "├── hard -> top/a.py\n",
        "├── dev [special file]\n",
        "x [submodule: https://github.com/acme/x]\n",
    ] {
        assert!(markdown.contains(line), "{line} in {markdown}");
    }
}

#[test]
fn names_that_lead_elsewhere_or_are_none_are_left_out_and_counted() {
    let entries = [
        Raw::file("top/a.py", b"first\n"),
        Raw::file("top/a.py", b"second\n"),
        Raw::file("/etc/passwd", b"absolute\n"),
        Raw::file("top/../../b.py", b"dots\n"),
        Raw::file("top//c.py", b"slashes\n"),
        Raw::file("top/new\nline.py", b"control\n"),
        Raw {
            path: b"top/caf\xe9.py",
            ..Raw::file("", b"latin\n")
        },
        Raw::file("alone.py", b"outside\n"),
    ];
    let digest = ingest::archive(&*gzip(&tar(&entries)), &request()).unwrap();
    assert_eq!(digest.files, 1);
    assert!(digest.markdown.contains("first") && !digest.markdown.contains("second"));
    assert!(
        digest.markdown.contains("- Not read: 7 files"),
        "{}",
        digest.markdown
    );
    for word in ["absolute", "dots", "slashes", "control", "latin", "outside"] {
        assert!(!digest.markdown.contains(word), "{word}");
    }
}

#[test]
fn a_name_in_the_tree_stays_on_its_line_and_looks_like_itself() {
    let digest = digest(&[("a\u{202e}txt.py", "x = 1\n"), ("`b`.py", "y = 1\n")]);
    assert!(digest.markdown.contains("── a\u{fffd}txt.py (6 B)\n"));
    assert!(digest.markdown.contains("### `` `b`.py ``\n"));
}

#[test]
fn long_names_are_read_and_headers_have_a_limit() {
    let long = format!("top/{}/file.py", "folder/".repeat(30).trim_end_matches('/'));
    let name = format!("{long}\0");
    let record = "19 path=top/pax.py\n";
    let entries = [
        Raw {
            kind: EntryType::GNULongName,
            ..Raw::file("././@LongLink", name.as_bytes())
        },
        Raw::file("top/short", b"gnu\n"),
        Raw {
            kind: EntryType::XHeader,
            ..Raw::file("top/x", record.as_bytes())
        },
        Raw::file("top/short", b"pax\n"),
    ];
    let markdown = ingest::archive(&*tar(&entries), &request())
        .unwrap()
        .markdown;
    assert!(
        markdown.contains("folder/file.py`") && markdown.contains("### `pax.py`"),
        "{markdown}"
    );

    let huge = vec![b'a'; 64 << 10];
    let entries = [Raw {
        kind: EntryType::GNULongName,
        ..Raw::file("././@LongLink", &huge)
    }];
    let error = ingest::archive(&*tar(&entries), &request()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the archive is broken: a header of 65536 bytes"
    );
}

#[test]
fn bombs_and_repositories_without_end_are_refused() {
    let zeros = vec![0; 64 << 20];
    let bomb = gzip(&tar(&[Raw::file("top/zeros.txt", &zeros)]));
    let error = ingest::archive(&*bomb, &request()).unwrap_err();
    assert!(matches!(error, IngestError::Bomb { limit: 200 }), "{error}");

    let small = |limits: Limits| Request {
        limits,
        ..request()
    };
    let large = archive(&[("a.txt", vec![b'x'; 1 << 20])]);
    let limits = Limits {
        unpacked_bytes: 1 << 19,
        ..Limits::default()
    };
    let error = ingest::archive(&*large, &small(limits)).unwrap_err();
    assert!(matches!(error, IngestError::TooLarge { .. }), "{error}");

    let files: Vec<_> = (0..20).map(|it| (format!("{it}.py"), "x\n")).collect();
    let limits = Limits {
        files: 10,
        ..Limits::default()
    };
    let error = ingest::archive(&*archive(&files), &small(limits)).unwrap_err();
    assert!(
        matches!(error, IngestError::TooManyFiles { limit: 10 }),
        "{error}"
    );
    let folder = Request {
        path: "a".into(),
        ..small(limits)
    };
    let mut files = files;
    files.push(("a/b.py".into(), "y\n"));
    assert!(
        ingest::archive(&*archive(&files), &folder).is_ok(),
        "a folder of it can be read"
    );
}

#[test]
fn a_size_that_is_a_lie_ends_the_archive() {
    let lie = Raw {
        size: 1 << 40,
        ..Raw::file("top/a.py", b"x\n")
    };
    let error = ingest::archive(&*tar(&[lie]), &request()).unwrap_err();
    assert!(matches!(error, IngestError::Broken(_)), "{error}");
}

#[test]
fn a_stream_that_fails_is_told_from_an_archive_that_is_broken() {
    struct Failing<'a>(&'a [u8]);
    impl Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::new(io::ErrorKind::ConnectionReset, "gone")),
                read => Ok(read),
            }
        }
    }
    let noise: Vec<u8> = (0..400_000_u64)
        .map(|it| u8::try_from(it.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56).unwrap())
        .collect();
    let whole = archive(&[("a.bin", noise)]);
    let half = &whole[..whole.len() / 2];
    let error = ingest::archive(Failing(half), &request()).unwrap_err();
    assert!(
        matches!(&error, IngestError::Read(it) if it.to_string() == "gone"),
        "{error:?}"
    );
    let error = ingest::archive(half, &request()).unwrap_err();
    assert!(matches!(error, IngestError::Broken(_)), "{error:?}");
    let error = ingest::archive(&b"<html>Not found"[..], &request()).unwrap_err();
    assert!(
        matches!(error, IngestError::Broken(_) | IngestError::Empty),
        "{error:?}"
    );
    assert!(matches!(
        ingest::archive(&b""[..], &request()),
        Err(IngestError::Empty)
    ));
}

#[test]
fn urls_say_what_they_name() {
    let below = |parts: &[&str], is_file, lines| Place::Below {
        parts: parts.iter().map(|it| (*it).to_owned()).collect(),
        is_file,
        lines,
    };
    let at = |reference: &str, path: &str, is_file, lines| Place::At {
        reference: reference.to_owned(),
        path: path.to_owned(),
        is_file,
        lines,
    };
    let lines = |first, last| Some(Lines { first, last });
    for (url, site, project, place) in [
        (
            "https://github.com/a/b",
            CodeSite::Github,
            "a/b",
            Place::Whole,
        ),
        (
            "https://github.com/a/b.git",
            CodeSite::Github,
            "a/b",
            Place::Whole,
        ),
        (
            "https://github.com/a/b/tree/main",
            CodeSite::Github,
            "a/b",
            below(&["main"], false, None),
        ),
        (
            "https://github.com/a/b/blob/main/x%20y/z.rs#L4-L2",
            CodeSite::Github,
            "a/b",
            below(&["main", "x y", "z.rs"], true, lines(4, 4)),
        ),
        (
            "https://github.com/a/b/blob/main/README.md#1-introduction",
            CodeSite::Github,
            "a/b",
            below(&["main", "README.md"], true, None),
        ),
        (
            "https://raw.githubusercontent.com/a/b/refs/heads/main/z.rs",
            CodeSite::Github,
            "a/b",
            below(&["refs", "heads", "main", "z.rs"], true, None),
        ),
        (
            "https://gitlab.com/g/s/p",
            CodeSite::Gitlab,
            "g/s/p",
            Place::Whole,
        ),
        (
            "https://gitlab.com/g/s/p/-/blob/main/a.py#L3",
            CodeSite::Gitlab,
            "g/s/p",
            below(&["main", "a.py"], true, lines(3, 3)),
        ),
        (
            "https://bitbucket.org/w/r/src/main/lib",
            CodeSite::Bitbucket,
            "w/r",
            below(&["main", "lib"], false, None),
        ),
        (
            "https://bitbucket.org/w/r/src/main/a.py#lines-3:5",
            CodeSite::Bitbucket,
            "w/r",
            below(&["main", "a.py"], true, lines(3, 5)),
        ),
        (
            "https://bitbucket.corp/projects/K/repos/r",
            CodeSite::BitbucketDataCenter,
            "K/r",
            Place::Whole,
        ),
        (
            "https://bitbucket.corp/stash/projects/~who/repos/r/browse?at=refs%2Ftags%2Fv1",
            CodeSite::BitbucketDataCenter,
            "~who/r",
            at("v1", "", false, None),
        ),
        (
            "https://bitbucket.corp/projects/K/repos/r/browse/lib/a.py#3-5,9",
            CodeSite::BitbucketDataCenter,
            "K/r",
            at("HEAD", "lib/a.py", true, lines(3, 5)),
        ),
        (
            "https://bitbucket.corp/projects/K/repos/r/raw/a.py?at=refs%2Fheads%2Ffeature%2Fx",
            CodeSite::BitbucketDataCenter,
            "K/r",
            at("feature/x", "a.py", true, None),
        ),
        (
            "https://github.com/a/b/tree/feature%2Fx/src",
            CodeSite::Github,
            "a/b",
            below(&["feature", "x", "src"], false, None),
        ),
        (
            "https://raw.ghe.acme.example/a/b/main/z.rs",
            CodeSite::Github,
            "a/b",
            below(&["main", "z.rs"], true, None),
        ),
        (
            "https://ghe.acme.example/raw/a/b/main/z.rs",
            CodeSite::Github,
            "a/b",
            below(&["main", "z.rs"], true, None),
        ),
    ] {
        let expected = Location::Repository {
            project: project.to_owned(),
            place,
        };
        assert_eq!(Location::parse(url, site), Some(expected), "{url}");
    }
    for (url, site) in [
        ("https://github.com/a/b/issues/1", CodeSite::Github),
        ("https://github.com/a/b/blob/main", CodeSite::Github),
        (
            "https://github.com/a/b/blob/main/..%2f..%2fx",
            CodeSite::Github,
        ),
        ("https://gitlab.com/g/p/-/issues", CodeSite::Gitlab),
        ("https://gitlab.com/explore", CodeSite::Gitlab),
        (
            "https://bitbucket.corp/projects/K/repos/r/browse/..%2F..%2Fx",
            CodeSite::BitbucketDataCenter,
        ),
        (
            "https://bitbucket.corp/projects/K/repos/r/raw",
            CodeSite::BitbucketDataCenter,
        ),
        (
            "https://bitbucket.corp/projects/K",
            CodeSite::BitbucketDataCenter,
        ),
    ] {
        assert_eq!(Location::parse(url, site), None, "{url}");
    }
    let gist = Location::parse(
        "https://gist.github.com/acme/0123456789abcdef0123",
        CodeSite::Github,
    );
    assert_eq!(
        gist,
        Some(Location::Gist {
            id: "0123456789abcdef0123".into()
        })
    );
}

#[test]
fn a_branch_may_have_slashes_in_its_name() {
    let place = |parts: &[&str]| Place::Below {
        parts: parts.iter().map(|it| (*it).to_owned()).collect(),
        is_file: false,
        lines: None,
    };
    let known = ["feature".to_owned(), "feature/x".to_owned()];
    let split = |parts: &[&str], known: &[String]| {
        let (reference, path) = place(parts).split(known);
        format!("{reference}|{path}")
    };
    assert_eq!(split(&["feature", "x", "src"], &known), "feature/x|src");
    assert_eq!(split(&["feature", "y", "src"], &known), "feature|y/src");
    assert_eq!(split(&["main", "src"], &[]), "main|src");
    assert_eq!(
        split(&["refs", "heads", "feature", "x"], &known),
        "feature/x|"
    );
    assert_eq!(place(&["feature", "x"]).ambiguous(), Some("feature"));
    assert_eq!(place(&["main"]).ambiguous(), None);
    assert_eq!(place(&[COMMIT, "src"]).ambiguous(), None);
}

/// Entries that mean no harm and such that do.
fn entries() -> impl Strategy<Value = Vec<(u8, Vec<u8>, u64, Vec<u8>)>> {
    let kind = prop::sample::select(vec![
        b'0', b'0', b'0', b'1', b'2', b'3', b'5', b'L', b'K', b'x', b'g', b'S', b'?',
    ]);
    let name = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        "(top|\\.\\.|/|\\./)?/?[a-z./]{0,30}(\\.(py|ipynb|rs|md|lock|png))?"
            .prop_map(String::into_bytes),
    ];
    let size = prop_oneof![8 => Just(u64::MAX), 1 => 0_u64..2000, 1 => any::<u64>()];
    let bytes = prop::collection::vec(any::<u8>(), 0..1500);
    prop::collection::vec((kind, name, size, bytes), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_archive_does_any_harm(entries in entries(), cut in 0_usize..20_000, flip in any::<(u16, u8)>()) {
        let raw: Vec<Raw<'_>> = entries
            .iter()
            .map(|(kind, path, size, bytes)| Raw {
                kind: EntryType::new(*kind),
                path,
                target: b"../x",
                // Mostly the truth.
                size: if *size == u64::MAX { bytes.len() as u64 } else { *size & 0x7_ffff_ffff },
                bytes,
            })
            .collect();
        let mut bytes = tar(&raw);
        let at = usize::from(flip.0) % bytes.len();
        bytes[at] ^= flip.1;
        bytes.truncate(bytes.len().saturating_sub(cut % 4000));
        for bytes in [gzip(&bytes), bytes] {
            if let Ok(digest) = ingest::archive(&*bytes, &request()) {
                prop_assert!(!digest.markdown.contains('\0'));
                prop_assert!(digest.markdown.len() < 600_000);
            }
        }
    }

    #[test]
    fn no_bytes_do_any_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _outcome = ingest::archive(&*bytes, &request());
        let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
        gzip.extend(&bytes);
        let _outcome = ingest::archive(&*gzip, &request());
        let files = [("a.py", &*bytes), ("b.ipynb", &*bytes)];
        if let Ok(digest) = ingest::files(files, &request()) {
            prop_assert!(!digest.markdown.contains('\0'));
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_budget_holds_whatever_the_files_are(
        files in prop::collection::btree_map("[a-z]{1,8}(/[a-z]{1,8}){0,3}\\.(rs|md|py|toml)", 1_usize..1000, 1..60),
        budget in 2000_usize..40_000,
    ) {
        let files: BTreeMap<String, String> = files
            .into_iter()
            .map(|(path, lines)| (path, "some words of a line, more or less\n".repeat(lines)))
            .collect();
        let files: Vec<_> = files.into_iter().collect();
        let request = Request { budget_tokens: budget, ..request() };
        let digest = ingest::archive(&*archive(&files), &request).unwrap();
        prop_assert!(digest.tokens <= budget + budget / 20, "{} of {budget}", digest.tokens);
        prop_assert!(digest.included > 0);
    }
}
