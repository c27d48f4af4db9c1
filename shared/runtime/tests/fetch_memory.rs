//! A page of any size passes through in little memory. Alone in its process, because the process
//! is what is measured.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "fetch/internet.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod internet;

use nova_runtime::fetch::{FetchRequest, Initiative, Limits};

use crate::internet::{Internet, Step, document, drain, open_page};

/// The most memory that this process has had, in KiB; only Linux tells.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[tokio::test]
async fn a_page_of_fifty_megabytes_needs_little_memory() {
    const PIECE: usize = 64 << 10;
    const PIECES: usize = 50 << 20 >> 16;
    let piece = "<p>Some text.</p>\n".repeat(PIECE).into_bytes()[..PIECE].to_vec();
    let internet =
        Internet::new(move |_| vec![open_page(""), Step::Repeat(piece.clone(), PIECES)]).await;
    let request =
        FetchRequest::new("https://a.test/", Initiative::User).limits(Limits::of_bytes(64 << 20));
    let fetcher = internet.fetcher();
    let body = document(fetcher.fetch(&request).await).unwrap().into_body();
    assert_eq!(drain(body).await.unwrap(), 50 << 20);
    // Client and server together.
    if let Some(peak) = peak_kib() {
        println!("the peak was {peak} KiB");
        assert!(peak < 64 << 10, "the peak was {peak} KiB");
    }
}
