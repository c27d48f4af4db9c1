//! Sources far larger than the memory they may take, and some that only pretend to be small.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::StatusCode;
use nova_testkit::{
    providers::{
        Answer,
        github::{Github, Repository, TOKEN},
        site::Site,
    },
    usage::peak_mib,
};
use serde_json::{Value, json};

use crate::{
    scrape_other_urls::{OWN_NETWORK, counts, research_file},
    system::System,
};

const MIB: usize = 1 << 20;
/// What a function may have needed at its highest, in MiB.
const MEMORY_MIB: f64 = 64.0;
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

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// A gigabyte of one file of nothing, in a megabyte.
fn bomb() -> Bytes {
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

    let peak = peak(&system, "process_github_urls");
    eprintln!("process_github_urls needed {peak:.0} MiB for {sent} MiB");
    assert!(peak < MEMORY_MIB, "{peak} MiB");
    system.local.stop().await;
}

/// What a function needed at its highest.
fn peak(system: &System, function: &str) -> f64 {
    peak_mib(system.local.process_id(function).unwrap()).unwrap()
}

const PARAGRAPH: &str = "<p>One of very many paragraphs, with <a href=/there>a link</a>.</p>\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_50_mb_are_read_in_constant_memory_and_larger_ones_and_bombs_are_refused() {
    let site = Site::start().await.unwrap();
    let times = MIB / PARAGRAPH.len();
    let html = Answer::new(200, "text/html; charset=utf-8", PARAGRAPH.repeat(times));
    let text = Answer::new(
        200,
        "text/plain",
        "A line of a long text.\n".repeat(MIB / 23),
    );
    let bomb = Answer::new(200, "text/html", packed(&vec![b' '; 32 * MIB]));
    site.put("/page", html.clone().repeated(50));
    site.put("/text", text.repeated(50));
    site.put("/endless", html.repeated(100));
    site.put("/bomb", bomb.header("content-encoding", "gzip"));
    let system = System::start_with(&[OWN_NETWORK], true).await;
    let pages = ["/page", "/text", "/endless", "/bomb"].map(|path| site.page_url(path));
    let guideline = format!("# Pages\n\n- {}\n", pages.join("\n- "));
    let article = system.upload("alice", guideline).await;
    system
        .tool("alice", "extract_guidelines_urls", article)
        .await;
    let tool = "scrape_and_clean_other_urls";
    let arguments = json!({"article_guideline_id": article});
    let patience = [("x-nova-max-wait", "200")];
    let answer = system.tool_with("alice", tool, arguments, &patience).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let answer = answer.json();
    assert_eq!(counts(&answer), [2, 2, 4, 0], "{answer}");
    for (place, words) in [(0, "larger than 67108864"), (1, "compressed")] {
        let failure = &answer["failures"][place];
        assert_eq!(failure["reason"], "too_large", "{answer}");
        assert!(failure["detail"].to_string().contains(words), "{answer}");
    }
    let peak = peak(&system, tool);
    eprintln!("{tool} needed {peak:.0} MiB");
    assert!(peak < MEMORY_MIB, "{peak} MiB");
    let file = research_file(&system, article).await;
    let link = format!("with [a link]({}).", site.page_url("/there"));
    assert_eq!(file.matches(&link).count(), times * 50);
    assert_eq!(
        file.matches("A line of a long text.").count(),
        MIB / 23 * 50
    );
    system.local.stop().await;
}
