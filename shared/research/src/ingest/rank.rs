//! Which files come first.

use std::cmp::Ordering;

/// What a file is to somebody who wants to know the code, the most telling first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Tier {
    /// The file that the URL names.
    Named,
    /// The README, and what says what the project is made of, at the top or where the URL points.
    Front,
    /// Where the code begins, and READMEs of its parts.
    Entry,
    Source,
    /// Documents, settings and manifests of parts.
    Document,
    /// Tests, examples, benchmarks; they repeat what the source says.
    Test,
    /// Data, translations, continuous integration, licences, other people's code.
    Data,
}

/// The place of a file in the order: tier, depth, size, path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Rank {
    pub(super) tier: Tier,
    depth: usize,
    size: u64,
    path: Box<str>,
}

impl Rank {
    /// The rank of a file of `size` bytes; `scope` is the folder or file that the URL names.
    pub(super) fn new(path: &str, size: u64, scope: &str) -> Self {
        let inside = below(path, scope);
        Self {
            tier: tier(path, inside, scope),
            depth: inside.matches('/').count(),
            size,
            path: path.into(),
        }
    }
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |it: &Self| (it.tier, it.depth, it.size);
        key(self)
            .cmp(&key(other))
            .then_with(|| self.path.cmp(&other.path))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Tier {
    /// Whether somebody wrote it for the project, whatever its place is called.
    pub(super) const fn is_source(self) -> bool {
        !matches!(self, Self::Document | Self::Data)
    }

    /// Less than so many tokens of a file are not worth its place.
    pub(super) const fn least(self) -> usize {
        match self {
            Self::Named => usize::MAX,
            Self::Front => 4000,
            _ => 600,
        }
    }
}

/// The path from the folder that the URL names, where the file lies below it.
fn below<'a>(path: &'a str, scope: &str) -> &'a str {
    match path.strip_prefix(scope) {
        Some(rest) if scope.is_empty() => rest,
        Some(rest) => rest.strip_prefix('/').unwrap_or(path),
        None => path,
    }
}

fn tier(path: &str, inside: &str, scope: &str) -> Tier {
    if path == scope {
        return Tier::Named;
    }
    let (folder, name) = inside.rsplit_once('/').unwrap_or(("", inside));
    let lower = name.to_ascii_lowercase();
    let is_front = is_readme(&lower) || MANIFESTS.contains(&&*lower);
    if folder.is_empty() && is_front {
        return Tier::Front;
    }
    for part in folder.split('/') {
        match &*part.to_ascii_lowercase() {
            "vendor" | "vendored" | "third_party" | "third-party" | "node_modules" | ".github"
            | ".circleci" | "locales" | "locale" | "i18n" | "dist" => return Tier::Data,
            "test" | "tests" | "__tests__" | "testing" | "testdata" | "spec" | "specs"
            | "fixtures" | "examples" | "example" | "samples" | "bench" | "benches"
            | "benchmarks" | "e2e" | "mocks" => return Tier::Test,
            _ => {}
        }
    }
    if is_readme(&lower) || ENTRIES.contains(&&*lower) {
        return Tier::Entry;
    }
    let (stem, extension) = lower.rsplit_once('.').unwrap_or((&lower, ""));
    if [
        "license",
        "licence",
        "copying",
        "notice",
        "changelog",
        "changes",
        "authors",
        "history",
    ]
    .iter()
    .any(|it| stem.starts_with(it))
    {
        return Tier::Data;
    }
    let is_test = stem.starts_with("test_")
        || stem == "conftest"
        || ["_test", ".test", ".spec", "_spec"]
            .iter()
            .any(|it| stem.ends_with(it));
    match extension {
        _ if is_test => Tier::Test,
        "csv" | "tsv" | "svg" | "jsonl" | "ndjson" | "geojson" | "po" | "pot" | "srt" | "vtt"
        | "log" | "xml" | "bib" | "txt" => Tier::Data,
        "json" if folder.contains("data") => Tier::Data,
        "md" | "mdx" | "rst" | "adoc" | "tex" | "org" | "json" | "yaml" | "yml" | "toml"
        | "ini" | "cfg" | "conf" | "properties" | "lock" | "editorconfig" => Tier::Document,
        _ if lower.starts_with('.') => Tier::Data,
        _ => Tier::Source,
    }
}

fn is_readme(lower: &str) -> bool {
    lower.split('.').next() == Some("readme")
}

/// What says what a project is, what it needs, and how it is run.
const MANIFESTS: &[&str] = &[
    "cargo.toml",
    "package.json",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "requirements.txt",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "gemfile",
    "composer.json",
    "mix.exs",
    "deno.json",
    "package.swift",
    "pubspec.yaml",
    "project.toml",
    "cmakelists.txt",
    "makefile",
    "justfile",
    "dockerfile",
    "compose.yaml",
    "docker-compose.yml",
];

/// Files in which reading begins.
const ENTRIES: &[&str] = &[
    "lib.rs",
    "main.rs",
    "mod.rs",
    "main.py",
    "app.py",
    "__init__.py",
    "__main__.py",
    "index.ts",
    "index.js",
    "index.tsx",
    "main.ts",
    "main.go",
    "main.c",
    "main.cpp",
    "main.java",
    "program.cs",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readmes_and_manifests_come_first_then_source_then_what_repeats_it() {
        let mut files = [
            "LICENSE",
            "tests/api.py",
            "src/deep/er.py",
            "data/a.csv",
            "src/core.py",
            "README.md",
            "src/__init__.py",
            "docs/use.md",
            "vendor/x/lib.rs",
            "pyproject.toml",
            "src/test_core.py",
            "bin/run.sh",
        ];
        files.sort_by_key(|path| Rank::new(path, 10, ""));
        assert_eq!(
            files,
            [
                "README.md",
                "pyproject.toml",
                "src/__init__.py",
                "bin/run.sh",
                "src/core.py",
                "src/deep/er.py",
                "docs/use.md",
                "src/test_core.py",
                "tests/api.py",
                "LICENSE",
                "data/a.csv",
                "vendor/x/lib.rs",
            ]
        );
    }

    #[test]
    fn what_the_url_names_is_the_front() {
        let tier = |path| Rank::new(path, 1, "examples/web").tier;
        assert_eq!(tier("examples/web/README.md"), Tier::Front);
        assert_eq!(tier("examples/web/app/core.py"), Tier::Source);
        assert_eq!(Rank::new("a/b.py", 1, "a/b.py").tier, Tier::Named);
    }
}
