//! What is fetched, and how.

use http::HeaderValue;

use super::{limits::Limits, response::Validators};

/// Who wants the page, which decides whether robots.txt has a say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiative {
    /// A person wrote this very URL: it is read as their browser would read it.
    User,
    /// A program found it, by search or in a page: robots.txt is obeyed (RFC 9309).
    Program,
}

/// What is worth being received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContentTypes {
    /// What may be text: pages, PDF, feeds, JSON, code, and what the server does not know itself.
    /// Pictures, sound, films, fonts and archives are refused by their header.
    #[default]
    Documents,
    /// Anything.
    Any,
}

/// One page to fetch.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    pub(super) url: String,
    pub(super) initiative: Initiative,
    pub(super) limits: Limits,
    pub(super) content_types: ContentTypes,
    pub(super) validators: Validators,
    pub(super) accept: HeaderValue,
    pub(super) authorization: Option<HeaderValue>,
}

impl FetchRequest {
    /// A document with the default limits. Nothing is checked yet: [`super::Fetcher::fetch`] does.
    pub fn new(url: impl Into<String>, initiative: Initiative) -> Self {
        Self {
            url: url.into(),
            initiative,
            limits: Limits::default(),
            content_types: ContentTypes::default(),
            validators: Validators::default(),
            accept: HeaderValue::from_static(
                "text/html,application/xhtml+xml,application/pdf,text/*;q=0.9,*/*;q=0.5",
            ),
            authorization: None,
        }
    }

    /// With other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With other types of content.
    #[must_use]
    pub fn content_types(mut self, content_types: ContentTypes) -> Self {
        self.content_types = content_types;
        self
    }

    /// Only if it has changed since: what [`super::Document::validators`] gave the last time.
    #[must_use]
    pub fn unless_unchanged(mut self, validators: Validators) -> Self {
        self.validators = validators;
        self
    }

    /// With an `Accept` of one's own.
    #[must_use]
    pub fn accept(mut self, accept: HeaderValue) -> Self {
        self.accept = accept;
        self
    }

    /// With credentials. They go to the origin of this URL alone, and not to where it redirects;
    /// a redirect to plain `http` fails.
    #[must_use]
    pub fn authorization(mut self, mut authorization: HeaderValue) -> Self {
        authorization.set_sensitive(true);
        self.authorization = Some(authorization);
        self
    }
}

impl ContentTypes {
    /// Whether a body of this type is received; `None` when the server names none.
    pub(super) fn accepts(self, content_type: Option<&str>) -> bool {
        let essence = content_type.and_then(|it| it.split(';').next());
        let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
        let Some((kind, name)) = essence.split_once('/') else {
            return true;
        };
        let is_text_by_suffix = name.ends_with("+xml") || name.ends_with("+json");
        let is_never_text = match kind {
            "image" | "audio" | "video" | "font" | "model" => !is_text_by_suffix,
            "application" => NEVER_TEXT.contains(&name),
            _ => false,
        };
        self == Self::Any || !is_never_text
    }
}

/// Archives, programs, films and office files among the names below `application/`. Servers give
/// text many names there, so that it is the other things that are listed; whoever reads the page
/// looks at its bytes.
const NEVER_TEXT: &[&str] = &[
    "epub+zip",
    "gzip",
    "java-archive",
    "mp4",
    "msword",
    "ogg",
    "vnd.android.package-archive",
    "vnd.apple.mpegurl",
    "vnd.debian.binary-package",
    "vnd.ms-excel",
    "vnd.ms-fontobject",
    "vnd.ms-powerpoint",
    "vnd.openxmlformats-officedocument.presentationml.presentation",
    "vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "vnd.openxmlformats-officedocument.wordprocessingml.document",
    "vnd.rar",
    "wasm",
    "x-7z-compressed",
    "x-bzip2",
    "x-gzip",
    "x-iso9660-image",
    "x-msdownload",
    "x-rar-compressed",
    "x-shockwave-flash",
    "x-tar",
    "x-xz",
    "x-zip-compressed",
    "zip",
    "zstd",
];
