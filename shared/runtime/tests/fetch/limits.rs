//! Servers that are slow, endless, broken or packed beyond measure.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use flate2::{Compression, write};
use nova_runtime::fetch::{Body, ContentTypes, FetchError, FetchRequest, Initiative, Limits};

use crate::{
    cases::bomb,
    internet::{Internet, Reply, Step, document, drain, open_page, page, status},
};

/// The outcome of reading all of an answer.
async fn read(
    limits: Limits,
    site: impl Fn() -> Reply + Send + Sync + 'static,
) -> Result<bytes::Bytes, FetchError> {
    let internet = Internet::new(move |_| site()).await;
    let request = FetchRequest::new("http://a.test/", Initiative::User).limits(limits);
    let body = document(internet.fetcher().fetch(&request).await)?.into_body();
    Body::collect(body).await
}

async fn reason(limits: Limits, site: impl Fn() -> Reply + Send + Sync + 'static) -> String {
    match read(limits, site).await {
        Ok(body) => format!("{} bytes", body.len()),
        Err(error) => error.reason().into_owned(),
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = write::GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_body_may_have_exactly_as_many_bytes_as_the_limit_says() {
    let limits = Limits::of_bytes(100_000);
    for (bytes, expected) in [(100_000, "100000 bytes"), (100_001, "too_large")] {
        let body = vec![b'a'; bytes];
        let plain = body.clone();
        assert_eq!(reason(limits, move || page("", &plain)).await, expected);
        let open = body.clone();
        let open = move || vec![open_page(""), Step::Send(open.clone())];
        assert_eq!(reason(limits, open).await, expected);
        let packed = gzip(&body);
        let packed = move || page("content-encoding: gzip\r\n", &packed);
        assert_eq!(reason(limits, packed).await, expected);
    }
}

#[tokio::test]
async fn every_packing_that_is_offered_is_unpacked_and_no_other() {
    let text = "Some text that repeats itself. ".repeat(5000).into_bytes();
    let mut zlib = write::ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(&text).unwrap();
    let mut bare = write::DeflateEncoder::new(Vec::new(), Compression::default());
    bare.write_all(&text).unwrap();
    let members = [gzip(&text[..1000]), gzip(&text[1000..])].concat();
    for (encoding, packed) in [
        ("gzip", gzip(&text)),
        ("X-GZip", gzip(&text)),
        ("gzip", members),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", bare.finish().unwrap()),
        ("identity", text.clone()),
    ] {
        let header = format!("content-encoding: {encoding}\r\n");
        let found = read(Limits::default(), move || page(&header, &packed)).await;
        assert_eq!(found.unwrap(), text, "{encoding}");
    }
    for encoding in ["br", "zstd", "gzip, gzip", "gzip\r\ncontent-encoding: gzip"] {
        let header = format!("content-encoding: {encoding}\r\n");
        let found = reason(Limits::default(), move || page(&header, b"...")).await;
        assert_eq!(found, "unsupported_encoding", "{encoding}");
    }
    let empty = || page("content-encoding: gzip\r\n", b"");
    assert_eq!(reason(Limits::default(), empty).await, "0 bytes");
}

#[tokio::test]
async fn a_body_that_is_cut_is_never_a_success() {
    let packed = gzip(&b"text ".repeat(10_000));
    let half = packed[..packed.len() / 2].to_vec();
    let without_checksum = packed[..packed.len() - 4].to_vec();
    let mut wrong_checksum = packed.clone();
    let last = packed.len() - 6;
    wrong_checksum[last] ^= 1;
    for body in [half, without_checksum, wrong_checksum, b"not gzip".to_vec()] {
        let site = move || page("content-encoding: gzip\r\n", &body);
        assert_eq!(reason(Limits::default(), site).await, "broken_answer");
    }
    let short = || {
        vec![
            open_page("content-length: 10\r\n"),
            Step::Send(b"hello".to_vec()),
        ]
    };
    assert_eq!(reason(Limits::default(), short).await, "broken_answer");
    let chunked = || {
        vec![
            open_page("transfer-encoding: chunked\r\n"),
            Step::Send(b"5\r\nhello\r\n".to_vec()),
        ]
    };
    assert_eq!(reason(Limits::default(), chunked).await, "broken_answer");
    let no_http = || vec![Step::Send(b"220 mail.example ESMTP\r\n".to_vec())];
    assert_eq!(reason(Limits::default(), no_http).await, "broken_answer");
}

#[tokio::test]
async fn a_bomb_is_refused_long_before_its_size() {
    let packed = bomb(512 << 20);
    let internet = Internet::new(move |_| page("content-encoding: gzip\r\n", &packed)).await;
    let limits = Limits::of_bytes(1 << 30);
    let request = FetchRequest::new("http://a.test/", Initiative::User).limits(limits);
    let mut body = document(internet.fetcher().fetch(&request).await)
        .unwrap()
        .into_body();
    let mut unpacked = 0;
    let error = loop {
        match body.chunk().await {
            Ok(piece) => unpacked += piece.unwrap().len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, FetchError::Bomb), "{error}");
    assert!(unpacked <= 2 << 20, "{unpacked} bytes were unpacked");
    assert!(matches!(body.chunk().await, Ok(None)));
}

#[tokio::test]
async fn every_wait_has_an_end() {
    let short = Duration::from_millis(200);
    let long = || Step::Wait(Duration::from_secs(30));
    let limits = Limits {
        first_byte: short,
        idle: short,
        total: Duration::from_secs(2),
        ..Limits::default()
    };
    let silent = move || vec![long()];
    let half_a_header = move || vec![Step::Send(b"HTTP/1.1 200 OK\r\nx:".to_vec()), long()];
    let stands_still = move || vec![open_page(""), Step::Send(b"hello".to_vec()), long()];
    let drips = || {
        let mut steps = vec![open_page("")];
        for _ in 0..100 {
            steps.extend([
                Step::Send(b"a".to_vec()),
                Step::Wait(Duration::from_millis(50)),
            ]);
        }
        steps
    };
    let only_informs = || {
        let mut steps = Vec::new();
        for _ in 0..100 {
            let early = b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec();
            steps.extend([Step::Send(early), Step::Wait(Duration::from_millis(50))]);
        }
        steps
    };
    let sites: [Box<dyn Fn() -> Reply + Send + Sync>; 5] = [
        Box::new(silent),
        Box::new(half_a_header),
        Box::new(stands_still),
        Box::new(drips),
        Box::new(only_informs),
    ];
    for site in sites {
        let started = Instant::now();
        assert_eq!(reason(limits, site).await, "timeout");
        assert!(started.elapsed() < Duration::from_secs(4));
    }
}

#[tokio::test]
async fn a_header_without_end_is_refused() {
    let line = || {
        Step::Repeat(
            format!("x-a: {}\r\n", "a".repeat(1000)).into_bytes(),
            10_000,
        )
    };
    let site = move || vec![Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), line()];
    assert_eq!(reason(Limits::default(), site).await, "too_large");
    let many = || {
        vec![
            Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()),
            Step::Repeat(b"a: b\r\n".to_vec(), 1000),
            Step::Send(b"\r\n".to_vec()),
        ]
    };
    assert_eq!(reason(Limits::default(), many).await, "too_large");
}

#[tokio::test]
async fn what_is_never_text_is_refused_by_its_header_unless_it_is_wanted() {
    for (content_type, is_read) in [
        ("text/html; charset=utf-8", true),
        ("application/xhtml+xml", true),
        ("application/pdf", true),
        ("application/octet-stream", true),
        ("image/svg+xml", true),
        ("application/vnd.api+json", true),
        ("nonsense", true),
        ("image/png", false),
        ("VIDEO/mp4", false),
        ("audio/mpeg", false),
        ("font/woff2", false),
        ("application/zip", false),
        ("application/x-gzip", false),
    ] {
        let header = format!("content-type: {content_type}\r\n");
        let internet = Internet::new(move |_| page(&header, b"hello")).await;
        let outcome = internet.get("http://a.test/").await;
        assert_eq!(outcome.is_ok(), is_read, "{content_type}");
        let request =
            FetchRequest::new("http://a.test/", Initiative::User).content_types(ContentTypes::Any);
        assert!(internet.fetcher().fetch(&request).await.is_ok());
    }
}

#[tokio::test]
async fn a_status_is_a_failure_with_its_number() {
    for (line, expected, is_retryable) in [
        ("404 Not Found", "http_404", false),
        ("410 Gone", "http_410", false),
        ("500 Internal Server Error", "http_500", true),
        ("503 Service Unavailable", "http_503", true),
        ("304 Not Modified", "http_304", false),
    ] {
        let internet = Internet::new(move |_| status(line, "", b"")).await;
        let error = internet.get("http://a.test/").await.unwrap_err();
        assert_eq!(error.reason(), expected);
        assert_eq!(error.is_retryable(), is_retryable, "{line}");
    }
    let challenge = |_: &_| status("403 Forbidden", "cf-mitigated: challenge\r\n", b"");
    let internet = Internet::new(challenge).await;
    let error = internet.get("http://a.test/").await.unwrap_err();
    assert_eq!(error.reason(), "blocked_by_site");
}

#[tokio::test]
async fn a_body_that_nobody_reads_does_not_keep_the_connection() {
    let internet =
        Internet::new(|_| vec![open_page(""), Step::Repeat(vec![b'a'; 1 << 16], 1 << 20)]).await;
    let request = FetchRequest::new("http://a.test/", Initiative::User);
    let document = document(internet.fetcher().fetch(&request).await).unwrap();
    let outcome = drain(document.into_body()).await;
    assert_eq!(outcome.unwrap_err().reason(), "too_large");
}
