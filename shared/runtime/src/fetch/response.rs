//! What a fetch gives.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use nova_web::WebUrl;

use super::body::Body;

/// The outcome of a fetch that did not fail.
#[derive(Debug)]
pub enum Fetched {
    /// There is something.
    Document(Box<Document>),
    /// It is what it was when the validators of the request were given.
    NotModified,
}

/// An answer: what is known of it, and the body that is still to come.
#[derive(Debug)]
pub struct Document {
    pub(super) url: WebUrl,
    pub(super) headers: HeaderMap,
    pub(super) is_downgraded: bool,
    pub(super) body: Body,
}

impl Document {
    /// Where it is, after all redirects.
    pub const fn url(&self) -> &WebUrl {
        &self.url
    }

    /// What the server says it is.
    pub fn content_type(&self) -> Option<&str> {
        text(&self.headers, &header::CONTENT_TYPE)
    }

    /// What to ask with the next time.
    pub fn validators(&self) -> Validators {
        let take = |name| self.headers.get(name).cloned();
        Validators {
            etag: take(header::ETAG),
            last_modified: take(header::LAST_MODIFIED),
        }
    }

    /// Another header of the answer, where it is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        text(&self.headers, name)
    }

    /// Whether a redirect led from `https` to `http`: anybody on the way may have changed the page.
    pub const fn is_downgraded(&self) -> bool {
        self.is_downgraded
    }

    /// The body.
    pub fn into_body(self) -> Body {
        self.body
    }
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// By what a server knows whether a document has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

impl Validators {
    /// From where they were kept as text; what cannot be a header is left out.
    pub fn new(etag: Option<&str>, last_modified: Option<&str>) -> Self {
        let read = |value: Option<&str>| value.and_then(|it| HeaderValue::from_str(it).ok());
        Self {
            etag: read(etag),
            last_modified: read(last_modified),
        }
    }

    /// The `ETag`.
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_ref()?.to_str().ok()
    }

    /// The time of `Last-Modified`, as the server wrote it.
    pub fn last_modified(&self) -> Option<&str> {
        self.last_modified.as_ref()?.to_str().ok()
    }

    /// Whether there are any.
    pub const fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }

    /// The request headers that they make.
    pub(super) fn conditions(&self) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
        let none_match = self.etag.iter().map(|it| (header::IF_NONE_MATCH, it));
        let since = self.last_modified.iter();
        none_match.chain(since.map(|it| (header::IF_MODIFIED_SINCE, it)))
    }
}
