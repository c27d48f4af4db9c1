//! What a request asks for, taken from its method, path and query.

use std::collections::HashMap;

use http::{Method, request};

use super::answer::Refusal;
use super::name;
use super::object::{Object, decode_crc32c};

/// The kinds of request this store knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Metadata and bytes in one multipart body.
    UploadMultipart,
    /// The body is the object.
    UploadMedia,
    /// A resumable upload begins.
    StartSession,
    /// A chunk of a resumable upload, or the question how far it got.
    ContinueSession,
    /// A resumable upload is given up.
    CancelSession,
    /// An object's bytes.
    Download,
    /// An object's metadata.
    Stat,
    /// The metadata of objects whose names begin alike.
    List,
    /// An object goes.
    Delete,
    /// A bucket is looked at.
    GetBucket,
}

/// A request that was understood.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) action: Action,
    pub(super) bucket: String,
    /// The object's name; the prefix for a list; empty where there is none.
    pub(super) object: String,
    query: HashMap<String, String>,
    headers: http::HeaderMap,
}

impl Call {
    pub(super) fn parse(head: &request::Parts) -> Result<Self, Refusal> {
        let path = head.uri.path();
        let query: HashMap<_, _> =
            url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let unknown = || Refusal::unknown_route(&head.method, path);
        let (upload, rest) = if let Some(rest) = path.strip_prefix("/upload/storage/v1/b") {
            (true, rest)
        } else if let Some(rest) = path.strip_prefix("/download/storage/v1/b") {
            (false, rest)
        } else {
            (
                false,
                path.strip_prefix("/storage/v1/b").ok_or_else(unknown)?,
            )
        };
        let of_query = |key: &str| query.get(key).cloned().unwrap_or_default();
        let media = of_query("alt") == "media" || path.starts_with("/download/");
        let (action, bucket, object) = match (&head.method, upload, split(rest)) {
            (&Method::POST, true, Route::Objects(bucket)) => {
                let action = match of_query("uploadType").as_str() {
                    "multipart" => Action::UploadMultipart,
                    "media" => Action::UploadMedia,
                    "resumable" => Action::StartSession,
                    other => {
                        return Err(Refusal::invalid(format!("Unknown uploadType: {other:?}")));
                    }
                };
                (action, bucket, of_query("name"))
            }
            (&Method::PUT, true, Route::Objects(bucket)) if query.contains_key("upload_id") => {
                (Action::ContinueSession, bucket, of_query("name"))
            }
            (&Method::DELETE, true, Route::Objects(bucket)) if query.contains_key("upload_id") => {
                (Action::CancelSession, bucket, of_query("name"))
            }
            (&Method::GET, false, Route::Object(bucket, object)) if media => {
                (Action::Download, bucket, decode(object)?)
            }
            (&Method::GET, false, Route::Object(bucket, object)) => {
                (Action::Stat, bucket, decode(object)?)
            }
            (&Method::DELETE, false, Route::Object(bucket, object)) => {
                (Action::Delete, bucket, decode(object)?)
            }
            (&Method::GET, false, Route::Objects(bucket)) => {
                (Action::List, bucket, of_query("prefix"))
            }
            (&Method::GET, false, Route::Bucket(bucket)) => {
                (Action::GetBucket, bucket, String::new())
            }
            _ => return Err(unknown()),
        };
        let bucket = decode(bucket)?;
        name::check_bucket(&bucket)?;
        if matches!(action, Action::Download | Action::Stat | Action::Delete) {
            name::check_object(&object)?;
        }
        Ok(Self {
            action,
            bucket,
            object,
            query,
            headers: head.headers.clone(),
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn query(&self, key: &str) -> Option<&str> {
        self.query.get(key).map(String::as_str)
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<i64>, Refusal> {
        self.query(key)
            .map(|text| {
                text.parse().map_err(|_malformed| {
                    Refusal::invalid(format!("{key} is not a number: {text:?}"))
                })
            })
            .transpose()
    }

    pub(super) fn conditions(&self) -> Result<Conditions, Refusal> {
        Ok(Conditions {
            generation: self.number("ifGenerationMatch")?,
            not_generation: self.number("ifGenerationNotMatch")?,
        })
    }

    /// `x-goog-hash: crc32c=…`, if it is there.
    pub(super) fn declared_crc32c(&self) -> Result<Option<u32>, Refusal> {
        let declared = self.header("x-goog-hash").and_then(|hashes| {
            hashes
                .split(',')
                .find_map(|hash| hash.trim().strip_prefix("crc32c="))
        });
        declared
            .map(|text| {
                decode_crc32c(text).ok_or_else(|| Refusal::invalid("Invalid crc32c in x-goog-hash"))
            })
            .transpose()
    }

    /// `x-goog-content-length-range: least,most`, in bytes.
    pub(super) fn size_range(&self) -> Result<Option<(u64, u64)>, Refusal> {
        let Some(text) = self.header("x-goog-content-length-range") else {
            return Ok(None);
        };
        text.split_once(',')
            .and_then(|(least, most)| Some((least.trim().parse().ok()?, most.trim().parse().ok()?)))
            .map(Some)
            .ok_or_else(|| Refusal::invalid("Invalid x-goog-content-length-range"))
    }
}

/// `ifGenerationMatch` and `ifGenerationNotMatch`; generation 0 stands for "there is none".
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conditions {
    generation: Option<i64>,
    not_generation: Option<i64>,
}

impl Conditions {
    pub(super) fn check_write(self, existing: Option<&Object>) -> Result<(), Refusal> {
        let found = existing.map_or(0, |object| object.generation);
        let holds = self.generation.is_none_or(|wanted| wanted == found)
            && self.not_generation.is_none_or(|unwanted| unwanted != found);
        if holds {
            Ok(())
        } else {
            Err(Refusal::precondition())
        }
    }

    pub(super) fn check_read(self, object: &Object) -> Result<(), Refusal> {
        if self.not_generation == Some(object.generation) {
            return Err(Refusal::not_modified());
        }
        self.check_write(Some(object))
    }
}

enum Route<'a> {
    Bucket(&'a str),
    Objects(&'a str),
    Object(&'a str, &'a str),
    Unknown,
}

/// Splits what follows `/storage/v1/b`: nothing, `/B`, `/B/o` or `/B/o/O`.
fn split(rest: &str) -> Route<'_> {
    let Some(rest) = rest.strip_prefix('/') else {
        return Route::Unknown;
    };
    let Some((bucket, rest)) = rest.split_once('/') else {
        return Route::Bucket(rest);
    };
    match rest.strip_prefix('o') {
        Some("") => Route::Objects(bucket),
        Some(rest) => rest
            .strip_prefix('/')
            .map_or(Route::Unknown, |object| Route::Object(bucket, object)),
        None => Route::Unknown,
    }
}

/// Undoes percent encoding. In a path, unlike in a query, `+` is a plus.
fn decode(text: &str) -> Result<String, Refusal> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
            return Err(Refusal::invalid("Invalid percent encoding in the path"));
        };
        decoded.extend(u8::try_from(high * 16 + low));
    }
    String::from_utf8(decoded).map_err(|_malformed| Refusal::invalid("The path is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, uri: &str) -> Result<Call, Refusal> {
        let request = http::Request::builder()
            .method(method)
            .uri(uri)
            .body(())
            .unwrap();
        Call::parse(&request.into_parts().0)
    }

    #[test]
    fn names_are_decoded_once_and_only_once() {
        let call = parse("GET", "/storage/v1/b/nova/o/v1%2Fa+b%252F%C3%BC?alt=media").unwrap();
        assert_eq!(
            (call.action, call.object.as_str()),
            (Action::Download, "v1/a+b%2Fü")
        );
        let call = parse(
            "POST",
            "/upload/storage/v1/b/nova/o?uploadType=resumable&name=v1%2Fa%2Bb",
        )
        .unwrap();
        assert_eq!(
            (call.action, call.object.as_str()),
            (Action::StartSession, "v1/a+b")
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_and_never_guessed() {
        for (method, uri, status) in [
            ("GET", "/", 501),
            ("GET", "/storage/v1/b/nova/p/x", 501),
            ("PUT", "/storage/v1/b/nova/o/x", 501),
            ("PUT", "/upload/storage/v1/b/nova/o", 501),
            ("POST", "/upload/storage/v1/b/nova/o?uploadType=other", 400),
            ("GET", "/storage/v1/b/..%2F..%2Fetc/o/passwd", 400),
            ("GET", "/storage/v1/b/nova/o/..", 400),
            ("GET", "/storage/v1/b/nova/o/%2", 400),
            ("GET", "/storage/v1/b/nova/o/%ff", 400),
            ("GET", "/storage/v1/b/nova/o/a%00b", 400),
        ] {
            assert_eq!(
                parse(method, uri).unwrap_err().status.as_u16(),
                status,
                "{method} {uri}"
            );
        }
    }
}
