//! Sources far larger than the memory they may take, and some that only pretend to be small.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::StatusCode;
use nova_testkit::providers::{
    Answer,
    github::{Github, Repository, TOKEN},
};
use serde_json::Value;

use crate::{streaming::peak_memory_mib, system::System};

const MIB: usize = 1 << 20;
/// What a function may have needed at its highest, in MiB.
const MEMORY_MIB: u64 = 64;
const FILES: usize = 1664;
const FILE_BYTES: usize = 128 << 10;

/// Text in which nothing repeats.
fn noise() -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_\n";
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let letters = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        LETTERS[usize::try_from(state % 64).unwrap()]
    });
    letters.take(FILE_BYTES + FILES).collect()
}

/// 208 MiB of source files, as little packed as noise can be.
fn large_archive() -> Bytes {
    let noise = noise();
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    for number in 0..FILES {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_size(FILE_BYTES as u64);
        let path = format!("acme-large-0123456/src/part{}/file{number}.rs", number % 40);
        let text = &noise[number..number + FILE_BYTES];
        archive.append_data(&mut header, path, text).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap().into()
}

/// A gigabyte of one file of nothing, in a megabyte.
fn bomb() -> Bytes {
    let packed = |bytes: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    };
    let mut header = tar::Header::new_ustar();
    header.set_path("acme-bomb-0123456/a.rs").unwrap();
    header.set_size(1 << 30);
    header.set_cksum();
    let nothing = packed(&vec![0; MIB]).repeat(1024);
    [packed(header.as_bytes()), nothing].concat().into()
}

async fn process(system: &System, repository: &str) -> Value {
    let guideline = format!("# Code\n\nhttps://github.com/acme/{repository}\n");
    let article = system.upload("alice", guideline).await;
    system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    let answer = system.tool("alice", "process_github_urls", article).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_of_200_mb_is_read_in_constant_memory_and_a_bomb_is_refused() {
    let github = Github::start().await.unwrap();
    let archive = tokio::task::spawn_blocking(large_archive).await.unwrap();
    let sent = archive.len() / MIB;
    assert!(sent >= 200, "{sent} MiB");
    for (name, archive) in [("large", archive), ("bomb", bomb())] {
        let archive = Answer::new(200, "application/x-gzip", archive);
        github.put(
            &format!("acme/{name}"),
            Repository::new([("a", name)]).archived(archive),
        );
    }
    let settings = [("GITHUB_BASE_URL", github.url()), ("GITHUB_TOKEN", TOKEN)];
    let system = System::start_with(&settings, true).await;

    let answer = process(&system, "large").await;
    assert_eq!(answer["urls_processed"], 1, "{answer}");
    let answer = process(&system, "bomb").await;
    assert_eq!(answer["urls_failed"], 1, "{answer}");
    let reason = answer["failures"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("unpacks to more than 200 times"),
        "{answer}"
    );

    let process = system.local.process_id("process_github_urls").unwrap();
    let peak = peak_memory_mib(process);
    eprintln!("process_github_urls needed {peak} MiB for an archive of {sent} MiB");
    assert!(peak < MEMORY_MIB, "{peak} MiB");
    system.local.stop().await;
}
