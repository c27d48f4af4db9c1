//! What lies where in the repository, and what must not lie there at all.

use std::collections::BTreeSet;
use std::path::Path;

use crate::workspace::{assert_none, read, root, tracked_files};

/// The top of the repository, besides files that begin with a dot.
const TOP: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "functions",
    "infra",
    "migrations",
    "rust-toolchain.toml",
    "shared",
];

/// No file is larger than this, in bytes: what is larger belongs into a bucket. The largest that
/// has a reason is a whole research file to compare with.
const LARGEST_BYTES: u64 = 512 * 1024;

/// Half of our files are shorter than a hundred lines; one of this length holds two ideas.
const LONGEST_SOURCE_LINES: usize = 500;

/// Tests grow case by case, and are read one case at a time.
const LONGEST_TEST_LINES: usize = 800;

/// How keys begin, and how many letters at least follow in a real one. Split, so that this file
/// does not hold them itself.
const KEYS: &[(&str, &str, usize)] = &[
    ("AI", "za", 30),
    ("ya", "29.", 30),
    ("gh", "p_", 30),
    ("github", "_pat_", 30),
    ("sk", "-", 32),
    ("pp", "lx-", 32),
    ("fc", "-", 32),
    ("-----BEGIN", " PRIVATE KEY", 0),
    ("-----BEGIN", " RSA PRIVATE KEY", 0),
    ("-----BEGIN", " EC PRIVATE KEY", 0),
];

#[test]
fn the_top_of_the_repository_stays_small() {
    let findings: BTreeSet<String> = tracked_files()
        .iter()
        .filter_map(|path| path.iter().next()?.to_str())
        .filter(|name| !name.starts_with('.') && !TOP.contains(name))
        .map(|name| format!("{name} has no place at the top"))
        .collect();
    assert_none(&Vec::from_iter(findings));
}

#[test]
fn no_file_is_too_large_to_read() {
    let mut findings = Vec::new();
    for path in tracked_files() {
        let size = root().join(path).metadata().expect("it exists").len();
        if size > LARGEST_BYTES {
            findings.push(format!("{}: {size} bytes", path.display()));
        }
        if path.extension().is_some_and(|it| it == "rs") {
            let lines = read(path).lines().count();
            let limit = if is_test(path) {
                LONGEST_TEST_LINES
            } else {
                LONGEST_SOURCE_LINES
            };
            if lines > limit {
                findings.push(format!("{}: {lines} lines", path.display()));
            }
        }
    }
    assert_none(&findings);
}

/// Keys that tests made for themselves lie in a folder `tests` or in a file that says so.
#[test]
fn no_secret_is_kept_here() {
    let mut findings = Vec::new();
    for path in tracked_files().iter().filter(|path| !is_test(path)) {
        let bytes = std::fs::read(root().join(path)).expect("it exists");
        let text = String::from_utf8_lossy(&bytes);
        for (start, rest, length) in KEYS {
            let prefix = format!("{start}{rest}");
            if holds_key(&text, &prefix, *length) {
                findings.push(format!("{} holds a {prefix}… key", path.display()));
            }
        }
    }
    assert_none(&findings);
}

#[test]
fn a_key_is_told_from_a_word_that_begins_alike() {
    let prefix = "sk-";
    let key = format!("key = \"{prefix}{}\"", "a1".repeat(20));
    assert!(holds_key(&key, prefix, 32));
    assert!(!holds_key("task-force, sk-8, ask-me", prefix, 32));
    assert!(!holds_key(
        &format!("ta{prefix}{}", "a1".repeat(20)),
        prefix,
        32
    ));
}

/// Whether a word of the text is `prefix` and at least `length` letters of a key.
fn holds_key(text: &str, prefix: &str, length: usize) -> bool {
    let in_key = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    text.match_indices(prefix).any(|(at, _)| {
        let (before, after) = text.split_at(at);
        let starts_a_word = !before.ends_with(|it: char| it.is_ascii_alphanumeric());
        let key = after.strip_prefix(prefix).unwrap_or_default();
        starts_a_word && key.chars().take_while(|it| in_key(*it)).count() >= length
    })
}

fn is_test(path: &Path) -> bool {
    path.iter()
        .filter_map(|it| it.to_str())
        .any(|it| it == "tests" || it == "testkit" || it.contains("test"))
}
