//! The finished research file: `GET /download_research?article_guideline_id=…`.
//!
//! The file streams from the bucket to the caller; nothing is held. It can be fetched in parts
//! (`Range`) and asked for again (`If-None-Match`): what `create_research_file` stored never
//! changes, a new compilation is a new file.

use std::{ops::Range, sync::Arc};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use nova_blobs::Blobs;
use nova_runtime::{
    Access, App, Call, ConfigError, Function, Problem, Response, Routes, Scope,
    body::{empty, streaming},
};
use nova_store::BlobRef;

/// The function.
pub const FUNCTION: Function = Function::service(
    "download_research",
    "Answers the finished research file.",
    set_up,
)
.with_database();

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let blobs = Blobs::from_app(app)?;
    let access = Access::Page(&[Scope::ResearchRead]);
    Ok(
        Routes::new().get("/download_research", access, move |call| {
            download(call, blobs.clone())
        }),
    )
}

async fn download(call: Call, blobs: Blobs) -> Result<Response, Problem> {
    let id = call.query_id("article_guideline_id")?;
    let article = call.tenant().await?.article(id).await?;
    let file = article.research.ok_or_else(|| {
        Problem::not_found(format!(
            "No research content found for article '{id}'. Please run the create_research_file tool first."
        ))
    })?;
    let etag = format!("\"{}\"", file.id.simple());
    let mut response = Response::new(empty());
    let headers = response.headers_mut();
    describe(headers, &file, &etag);
    if none_match(call.headers(), &etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let wanted = match range(call.headers(), &etag, file.size) {
        Wanted::Whole => 0..file.size,
        Wanted::Part(range) => {
            let text = format!("bytes {}-{}/{}", range.start, range.end - 1, file.size);
            insert(headers, header::CONTENT_RANGE, &text);
            range
        }
        Wanted::Nothing => return Err(unsatisfiable(&file)),
    };
    insert(
        headers,
        header::CONTENT_LENGTH,
        &(wanted.end - wanted.start).to_string(),
    );
    let is_part = headers.contains_key(header::CONTENT_RANGE);
    if call.method() != http::Method::HEAD && !wanted.is_empty() {
        let range = is_part.then_some(wanted);
        *response.body_mut() = streaming(blobs.read(&file, range).await?.stream);
    }
    if is_part {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// The file's own type and name: the one that was compiled last may be no Markdown.
fn describe(headers: &mut HeaderMap, file: &BlobRef, etag: &str) {
    let name = match file.content_type.split(';').next() {
        Some("application/json") => "research.json",
        Some("application/x-bibtex") => "research.bib",
        _ => "research.md",
    };
    insert(headers, header::CONTENT_TYPE, &file.content_type);
    let disposition = format!("attachment; filename=\"{name}\"");
    insert(headers, header::CONTENT_DISPOSITION, &disposition);
    for (name, value) in [
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    insert(headers, header::ETAG, etag);
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn unsatisfiable(file: &BlobRef) -> Problem {
    Problem::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "range-not-satisfiable",
        "The range lies outside the file",
        format!("The file has {} bytes.", file.size),
    )
    .header(header::CONTENT_RANGE, format!("bytes */{}", file.size))
}

fn none_match(headers: &HeaderMap, etag: &str) -> bool {
    let given = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    given.is_some_and(|list| {
        list.split(',')
            .map(str::trim)
            .any(|one| one == "*" || one.trim_start_matches("W/") == etag)
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Range<u64>),
    Nothing,
}

/// What a `Range` header asks for (RFC 9110 §14.2). What is not understood, or asks for several
/// parts, gets the whole file, as the standard allows.
fn range(headers: &HeaderMap, etag: &str, size: u64) -> Wanted {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let Some(range) = text(header::RANGE).and_then(|value| value.strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    if text(header::IF_RANGE).is_some_and(|given| given != etag) {
        return Wanted::Whole;
    }
    let parsed = match range.trim().split_once('-') {
        Some(("", last)) => last
            .parse()
            .ok()
            .map(|last: u64| (size.saturating_sub(last), size)),
        Some((first, "")) => first.parse().ok().map(|first| (first, size)),
        Some((first, last)) => first.parse().ok().zip(last.parse::<u64>().ok()).and_then(
            |(first, last): (u64, u64)| {
                (first <= last).then(|| (first, last.saturating_add(1).min(size)))
            },
        ),
        None => None,
    };
    match parsed {
        None => Wanted::Whole,
        Some((first, last)) if first < last && first < size => Wanted::Part(first..last),
        Some(_) => Wanted::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(value: &str) -> Wanted {
        let headers =
            HeaderMap::from_iter([(header::RANGE, HeaderValue::from_str(value).unwrap())]);
        range(&headers, "\"x\"", 100)
    }

    #[test]
    fn the_three_forms_of_a_range_are_understood() {
        assert_eq!(wanted("bytes=0-9"), Wanted::Part(0..10));
        assert_eq!(wanted("bytes=90-"), Wanted::Part(90..100));
        assert_eq!(wanted("bytes=-10"), Wanted::Part(90..100));
        assert_eq!(wanted("bytes=-1000"), Wanted::Part(0..100));
        assert_eq!(wanted("bytes=50-1000"), Wanted::Part(50..100));
    }

    #[test]
    fn a_range_outside_the_file_cannot_be_satisfied() {
        for value in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(wanted(value), Wanted::Nothing, "{value}");
        }
    }

    #[test]
    fn what_is_not_understood_gets_the_whole_file() {
        for value in [
            "bytes=",
            "bytes=a-b",
            "lines=1-2",
            "bytes=5-2",
            "bytes=0-1,4-5",
        ] {
            assert_eq!(wanted(value), Wanted::Whole, "{value}");
        }
    }

    #[test]
    fn a_part_of_another_version_is_not_sent() {
        let headers = HeaderMap::from_iter([
            (header::RANGE, HeaderValue::from_static("bytes=0-9")),
            (header::IF_RANGE, HeaderValue::from_static("\"old\"")),
        ]);
        assert_eq!(range(&headers, "\"new\"", 100), Wanted::Whole);
    }
}
