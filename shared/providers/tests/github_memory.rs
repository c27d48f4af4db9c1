//! An archive of any size passes through in little memory. Alone in its process, because the
//! process is what is measured; the stand-in is in it as well.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use nova_providers::code::{CodeHost, Known, Outcome};
use nova_runtime::{
    config::{Endpoint, FetchConfig},
    fetch::Fetcher,
    http_client::HttpClient,
};
use nova_testkit::providers::{
    Answer,
    github::{self, Repository},
};

const PIECE_BYTES: usize = 2_000_000;
const PIECES: usize = 66;

/// Files of text that no packer makes small, as one member of a gzip stream.
fn piece() -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state
    };
    for number in 0..PIECE_BYTES / 100_000 {
        let mut text = Vec::new();
        while text.len() < 180_000 {
            writeln!(text, "{:016x}{:016x}{:016x}", next(), next(), next()).unwrap();
        }
        let mut header = tar::Header::new_ustar();
        header.set_path(format!("top/data_{number}.py")).unwrap();
        header.set_size(text.len() as u64);
        header.set_cksum();
        text.resize(text.len().next_multiple_of(512), 0);
        packed.write_all(header.as_bytes()).unwrap();
        packed.write_all(&text).unwrap();
    }
    packed.finish().unwrap()
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_two_hundred_megabytes_is_read_in_less_than_64_mib() {
    let at = github::Github::start().await.unwrap();
    let piece = piece();
    let bytes = piece.len() * PIECES;
    assert!(bytes > 200_000_000, "{bytes} bytes on the wire");
    let archive = Answer::new(200, "application/x-gzip", piece).repeated(PIECES);
    at.put(
        "acme/widgets",
        Repository::new([("README.md", "# W\n")]).archived(archive),
    );
    let endpoint = Endpoint {
        key: None,
        base_url: at.url().parse().unwrap(),
    };
    let fetch = FetchConfig::default();
    let github = CodeHost::github(&HttpClient::new(), &endpoint, &fetch, &Fetcher::new(&fetch));
    let known = Known::default();
    let read = github.read("https://github.com/acme/widgets", &known);
    let Outcome::Read(code) = read.await.unwrap() else {
        panic!("it is new")
    };
    assert!(code.digest.markdown.contains("data_0.py"));
    if let Some(peak) = peak_kib() {
        println!("{bytes} bytes in {peak} KiB");
        assert!(peak < 64 << 10, "{peak} KiB");
    }
}
