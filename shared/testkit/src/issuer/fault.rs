//! The ways in which a real issuer lets its clients down.

use std::future;

use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;

/// What every request gets instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 503, at once.
    Unavailable,
    /// The connection stays open and nothing comes.
    Silent,
    /// A web page with status 200, as a proxy or a sign-in wall would send.
    NotJson,
    /// JSON without an end in sight: 2 MiB of it.
    Oversized,
    /// 302 to another place.
    Redirect,
}

impl Fault {
    pub(super) async fn answer(self) -> Response<Full<Bytes>> {
        let (status, body) = match self {
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
            Self::Silent => future::pending().await,
            Self::NotJson => (StatusCode::OK, "<html>Welcome</html>".to_owned()),
            Self::Oversized => (StatusCode::OK, " ".repeat(2 << 20)),
            Self::Redirect => (StatusCode::FOUND, String::new()),
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        if self == Self::Redirect {
            let elsewhere = http::HeaderValue::from_static("http://127.0.0.1:1/");
            response
                .headers_mut()
                .insert(http::header::LOCATION, elsewhere);
        }
        response
    }
}
