//! What the bytes of a response are.

use serde::{Deserialize, Serialize};
use url::Url;

use super::PageError;

/// What a page is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A web page.
    Html,
    /// A PDF document.
    Pdf,
    /// An RSS or Atom feed.
    Feed,
    /// A Jupyter notebook.
    Notebook,
    /// JSON that is no notebook.
    Json,
    /// Markdown.
    Markdown,
    /// Text of any other kind, also code.
    Text,
}

/// How far bytes are looked at.
const PRESCAN: usize = 1024;

/// Decides what bytes are: by themselves where they leave no doubt, else by what the server says,
/// else by the name of the file.
pub(super) fn sniff(
    bytes: &[u8],
    content_type: Option<&str>,
    url: &Url,
) -> Result<Kind, PageError> {
    let head = bytes.get(..PRESCAN).unwrap_or(bytes);
    if head.windows(5).any(|it| it == b"%PDF-") && !is_markup(head) {
        return Ok(Kind::Pdf);
    }
    let essence = content_type
        .and_then(|it| it.split(';').next())
        .map(|it| it.trim().to_ascii_lowercase())
        .filter(|it| it.contains('/'));
    let unsupported = |kind: &str| {
        Err(PageError::UnsupportedType {
            content_type: kind.to_owned(),
        })
    };
    if let Some(kind) = binary(head) {
        return unsupported(
            essence
                .as_deref()
                .filter(|it| *it != "text/html")
                .unwrap_or(kind),
        );
    }
    let extension = extension(url);
    match essence.as_deref() {
        Some("text/html" | "application/xhtml+xml") => Ok(feed_or(head, Kind::Html)),
        Some("application/x-ipynb+json") => Ok(Kind::Notebook),
        Some("text/markdown" | "text/x-markdown") => Ok(Kind::Markdown),
        Some(json) if json.ends_with("/json") || json.ends_with("+json") => {
            Ok(json_kind(&extension, head))
        }
        Some(
            "application/rss+xml"
            | "application/atom+xml"
            | "application/rdf+xml"
            | "application/feed+xml",
        ) => Ok(Kind::Feed),
        Some("application/pdf" | "application/x-pdf") => Ok(Kind::Pdf),
        Some("text/xml" | "application/xml") => match by_markup(head) {
            Some(kind) => Ok(kind),
            None => Ok(Kind::Text),
        },
        Some(
            "text/plain"
            | "application/octet-stream"
            | "binary/octet-stream"
            | "application/force-download",
        )
        | None => by_bytes(head, &extension, essence.as_deref() == Some("text/plain"))
            .map_or_else(|| unsupported(essence.as_deref().unwrap_or("unknown")), Ok),
        Some(text)
            if text.starts_with("text/")
                || matches!(
                    text,
                    "application/javascript"
                        | "application/x-javascript"
                        | "application/yaml"
                        | "application/x-yaml"
                        | "application/toml"
                        | "application/x-sh"
                        | "application/x-python"
                        | "application/sql"
                        | "application/x-tex"
                ) =>
        {
            Ok(Kind::Text)
        }
        Some(other) => unsupported(other),
    }
}

fn by_bytes(head: &[u8], extension: &str, says_text: bool) -> Option<Kind> {
    match extension {
        "md" | "markdown" | "mdown" => return Some(Kind::Markdown),
        "ipynb" | "json" => return Some(json_kind(extension, head)),
        _ => {}
    }
    if says_text {
        return Some(Kind::Text);
    }
    by_markup(head).or_else(|| {
        let start = head.trim_ascii_start().first();
        let utf16 = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
        match start {
            Some(b'{') => Some(json_kind(extension, head)),
            _ if utf16 || !head.contains(&0) => Some(Kind::Text),
            _ => None,
        }
    })
}

fn json_kind(extension: &str, head: &[u8]) -> Kind {
    let says = |what: &[u8]| head.windows(what.len()).any(|it| it == what);
    if extension == "ipynb" || says(b"\"cells\"") && says(b"\"cell_type\"") {
        Kind::Notebook
    } else {
        Kind::Json
    }
}

fn is_markup(head: &[u8]) -> bool {
    by_markup(head).is_some()
}

fn feed_or(head: &[u8], otherwise: Kind) -> Kind {
    match by_markup(head) {
        Some(Kind::Feed) => Kind::Feed,
        _ => otherwise,
    }
}

/// What markup begins with, behind declarations and comments.
fn by_markup(head: &[u8]) -> Option<Kind> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut rest = head.trim_start_matches(|it: char| it == '\u{feff}' || it.is_whitespace());
    loop {
        let end = if rest.starts_with("<?") {
            "?>"
        } else if rest.starts_with("<!--") {
            "-->"
        } else {
            break;
        };
        rest = rest.split_once(end).map_or("", |(_, it)| it).trim_start();
    }
    let name = rest.strip_prefix('<')?;
    let begins = |names: &[&str]| {
        names.iter().any(|it| {
            name.strip_prefix(it)
                .is_some_and(|it| it.starts_with(|it: char| !it.is_ascii_alphanumeric()))
        })
    };
    if begins(&["rss", "feed", "rdf:rdf"]) {
        Some(Kind::Feed)
    } else if begins(&[
        "!doctype", "html", "head", "body", "title", "meta", "script", "link", "style", "div",
        "h1", "p", "article", "table", "a", "main", "section", "span", "center", "font",
    ]) {
        Some(Kind::Html)
    } else {
        None
    }
}

/// Kinds of files without text, by how they begin.
fn binary(head: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 15] = [
        (b"\x89PNG", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x1f\x8b", "application/gzip"),
        (b"BZh", "application/x-bzip2"),
        (b"\xfd7zXZ", "application/x-xz"),
        (b"7z\xbc\xaf", "application/x-7z-compressed"),
        (b"\x28\xb5\x2f\xfd", "application/zstd"),
        (b"Rar!", "application/vnd.rar"),
        (b"OggS", "audio/ogg"),
        (b"ID3", "audio/mpeg"),
        (b"\x7fELF", "application/x-executable"),
        (b"\xd0\xcf\x11\xe0", "application/x-ole-storage"),
        (b"wOF", "font/woff"),
    ];
    let found = MAGIC.iter().find(|(magic, _)| head.starts_with(magic));
    if let Some((_, kind)) = found {
        return Some(kind);
    }
    if head.get(4..8) == Some(b"ftyp") {
        return Some("video/mp4");
    }
    if head.starts_with(b"RIFF") && matches!(head.get(8..12), Some(b"WEBP" | b"WAVE" | b"AVI ")) {
        return Some("image/webp");
    }
    None
}

/// The extension of the file that a URL names, in lower case.
pub(super) fn extension(url: &Url) -> String {
    let name = url.path().rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.')
        .map(|(_, it)| it.to_ascii_lowercase())
        .unwrap_or_default()
}
