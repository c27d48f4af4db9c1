//! What a file is: text, or something that is named and not included.

/// Why a file is in the tree and not among the contents.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Mark {
    /// No text.
    Binary,
    /// Versions that a package manager wrote down.
    Lock,
    /// Written by a program.
    Generated,
    /// Written for machines: no lines, no names.
    Minified,
    /// Larger than what is read of one file.
    TooLarge,
    /// Holds nothing but secrets.
    Secret,
    /// What is in the large file storage of git; the archive has a pointer.
    LargeFileStorage,
    /// Nothing is in it.
    Empty,
    /// A text or data that `.gitignore` names.
    Ignored,
    /// A link to another path. Nothing follows it.
    Link(String),
    /// Another repository, whose files are not in this one's archive.
    Submodule(String),
    /// A device, a pipe, a socket.
    Special,
}

impl Mark {
    /// As the tree says it.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Binary => "[binary]".into(),
            Self::Lock => "[lock]".into(),
            Self::Generated => "[generated]".into(),
            Self::Minified => "[minified]".into(),
            Self::TooLarge => "[too large]".into(),
            Self::Secret => "[secret]".into(),
            Self::LargeFileStorage => "[Git LFS]".into(),
            Self::Empty => "[empty]".into(),
            Self::Ignored => "[ignored]".into(),
            Self::Link(target) => format!("-> {target}"),
            Self::Submodule(url) => format!("[submodule: {url}]"),
            Self::Special => "[special file]".into(),
        }
    }
}

/// What is read of one file. Longer ones are data, whatever they are called.
pub(super) const MAX_FILE_BYTES: u64 = 1 << 20;
/// Notebooks hold their pictures.
pub(super) const MAX_NOTEBOOK_BYTES: u64 = 8 << 20;

/// What the name alone tells, so that the bytes need not be looked at.
pub(super) fn by_name(path: &str, size: u64) -> Option<Mark> {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
    if size == 0 {
        return Some(Mark::Empty);
    }
    if is_secret(&name, extension) {
        return Some(Mark::Secret);
    }
    if LOCKS.contains(&&*name) {
        return Some(Mark::Lock);
    }
    if BINARY.binary_search(&extension).is_ok() {
        return Some(Mark::Binary);
    }
    if GENERATED.iter().any(|it| name.ends_with(it)) {
        return Some(Mark::Generated);
    }
    if matches!(extension, "js" | "mjs" | "css")
        && [".min", "-min"].iter().any(|it| stem.ends_with(it))
    {
        return Some(Mark::Minified);
    }
    let limit = if is_notebook(path) {
        MAX_NOTEBOOK_BYTES
    } else {
        MAX_FILE_BYTES
    };
    (size > limit).then_some(Mark::TooLarge)
}

/// Whether it is rendered.
pub(super) fn is_notebook(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("ipynb"))
}

/// What the text tells.
pub(super) fn by_text(path: &str, text: &str) -> Option<Mark> {
    if text.trim().is_empty() {
        return Some(Mark::Empty);
    }
    if text.starts_with("version https://git-lfs.github.com/spec/") {
        return Some(Mark::LargeFileStorage);
    }
    if !is_notebook(path) && is_without_lines(text) {
        return Some(Mark::Minified);
    }
    says_generated(text).then_some(Mark::Generated)
}

/// `.env` and its variants, but those that show what belongs into one; stores of keys.
fn is_secret(name: &str, extension: &str) -> bool {
    let is_template = ["example", "sample", "template", "dist", "defaults"].contains(&extension);
    name == ".env"
        || name.starts_with(".env.") && !is_template
        || matches!(
            name,
            ".netrc" | ".pgpass" | ".htpasswd" | ".git-credentials"
        )
        || matches!(extension, "p12" | "pfx" | "jks" | "keystore" | "kdbx")
}

/// Lines of more than 1,000 characters on average are not for people.
fn is_without_lines(text: &str) -> bool {
    const SMALL: usize = 8 << 10;
    text.len() > SMALL && text.len() / text.bytes().filter(|it| *it == b'\n').count().max(1) > 1000
}

/// Whether a comment at the beginning says that a program wrote this.
fn says_generated(text: &str) -> bool {
    const HEAD: usize = 1024;
    let mut end = HEAD.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = text.get(..end).unwrap_or_default();
    head.lines().take(20).any(|line| {
        let line = line.trim_start();
        let is_comment = ["//", "#", "/*", "*", "--", ";", "<!--", "\"\"\"", "%"]
            .iter()
            .any(|it| line.starts_with(it));
        if !is_comment {
            return false;
        }
        let lower = line.to_ascii_lowercase();
        lower.contains("@generated")
            || lower.contains("generated") && lower.contains("do not edit")
            || lower.contains("automatically generated by")
    })
}

/// The versions of other people's packages that were used.
const LOCKS: &[&str] = &[
    ".terraform.lock.hcl",
    "bun.lock",
    "bun.lockb",
    "cargo.lock",
    "cartfile.resolved",
    "composer.lock",
    "conda-lock.yml",
    "deno.lock",
    "flake.lock",
    "gemfile.lock",
    "go.sum",
    "go.work.sum",
    "gradle.lockfile",
    "mix.lock",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "package.resolved",
    "packages.lock.json",
    "pdm.lock",
    "pipfile.lock",
    "pixi.lock",
    "pnpm-lock.yaml",
    "podfile.lock",
    "poetry.lock",
    "pubspec.lock",
    "uv.lock",
    "yarn.lock",
];

/// How names end of what programs write.
const GENERATED: &[&str] = &[
    ".designer.cs",
    ".freezed.dart",
    ".g.dart",
    ".map",
    ".pb.cc",
    ".pb.go",
    ".pb.h",
    ".pb.swift",
    ".snap",
    "_pb2.py",
    "_pb2.pyi",
    "_pb2_grpc.py",
];

/// Extensions of files that are never text.
#[rustfmt::skip]
const BINARY: &[&str] = &[
    "3gp", "7z", "a", "aac", "ai", "apk", "arrow", "avi", "avif", "bin", "bmp", "br", "bz2", "class",
    "dat", "db", "deb", "dll", "dmg", "doc", "docx", "dylib", "ear", "eot", "eps", "exe", "feather",
    "flac", "flv", "gguf", "gif", "glb", "gz", "h5", "heic", "icns", "ico", "iso", "jar", "jpeg",
    "jpg", "ko", "lib", "lz4", "m4a", "m4v", "mkv", "mov", "mp3", "mp4", "msi", "npy", "npz", "o",
    "obj", "odp", "ods", "odt", "ogg", "onnx", "orc", "otf", "parquet", "pb", "pdf", "pickle",
    "pkl", "png", "ppt", "pptx", "psd", "pt", "pth", "pyc", "pyd", "rar", "rlib", "rpm", "safetensors",
    "so", "sqlite", "sqlite3", "tar", "tflite", "tgz", "tif", "tiff", "ttf", "war", "wasm", "wav",
    "webm", "webp", "whl", "wmv", "woff", "woff2", "xls", "xlsx", "xz", "zip", "zst",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_in_the_order_in_which_they_are_searched() {
        assert!(BINARY.is_sorted());
    }

    #[test]
    fn a_name_tells_what_need_not_be_read() {
        for (path, mark) in [
            ("a/Cargo.lock", Some(Mark::Lock)),
            ("api/v1/api.pb.go", Some(Mark::Generated)),
            ("logo.PNG", Some(Mark::Binary)),
            ("js/jquery.min.js", Some(Mark::Minified)),
            (".env.production", Some(Mark::Secret)),
            (".env.example", None),
            ("env/config.py", None),
            ("bin/run.sh", None),
            ("lock", None),
        ] {
            assert_eq!(by_name(path, 10), mark, "{path}");
        }
        assert_eq!(
            by_name("data.json", MAX_FILE_BYTES + 1),
            Some(Mark::TooLarge)
        );
        assert_eq!(by_name("a.ipynb", MAX_FILE_BYTES + 1), None);
        assert_eq!(by_name("__init__.py", 0), Some(Mark::Empty));
    }

    #[test]
    fn a_program_says_in_a_comment_that_it_wrote_this() {
        let text = "// Code generated by protoc-gen-go. DO NOT EDIT.\npackage x\n";
        assert_eq!(by_text("x.go", text), Some(Mark::Generated));
        let mention = "let it = \"@generated\"; // not edited\n";
        assert_eq!(by_text("x.rs", mention), None);
    }

    #[test]
    fn what_has_no_lines_is_for_machines() {
        let text = "var a=1;".repeat(2000);
        assert_eq!(by_text("x.js", &text), Some(Mark::Minified));
        assert_eq!(by_text("x.txt", &"word ".repeat(100)), None);
    }
}
