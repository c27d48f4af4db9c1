//! Compiling more than fits: memory must not grow with the sources.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use nova_blobs::{Blobs, Settings, Upload};
use nova_local::local::BUCKET;
use nova_runtime::{http_client::HttpClient, tokens::TokenSource};
use nova_store::{NewSource, Origin, Purpose, SourceKind, Store, UserId};
use nova_testkit::usage::peak_mib;
use uuid::Uuid;

use crate::system::System;

const MIB: usize = 1024 * 1024;
/// 104 MiB of sources.
const SOURCES: usize = 2;
const SOURCE_MIB: usize = 52;
/// What the process may have needed at its highest, in MiB: far below what passed through it.
const MEMORY_MIB: f64 = 64.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_research_file_larger_than_memory_allows_is_compiled_and_downloaded() {
    let system = System::start_with(&[], true).await;
    let article = system.upload("alice", "# Large").await;
    let store = Store::new(system.database.pool());
    let emulator = system.local.objects.url.parse().unwrap();
    let blobs = Blobs::open(
        Settings::new(BUCKET, Some(emulator)),
        HttpClient::new(),
        TokenSource::anonymous(),
        store.clone(),
    );
    for number in 0..SOURCES {
        add_source(&blobs, &store, article, number).await;
    }

    let compiled = system.tool("alice", "create_research_file", article).await;
    assert_eq!(compiled.status, StatusCode::OK, "{compiled:?}");
    let compiled = compiled.json();
    assert_eq!(compiled["additional_sources_count"], SOURCES);
    let bytes = compiled["bytes"].as_u64().unwrap();
    assert!(bytes > (SOURCES * SOURCE_MIB * MIB) as u64, "{bytes}");

    let path = format!("/download_research?article_guideline_id={article}");
    let file = system.get("alice", &path).await;
    assert_eq!(file.body.len() as u64, bytes);
    assert!(file.body.ends_with(b"</details>\n"), "the file is cut");

    for function in ["create_research_file", "download_research"] {
        let peak = peak_mib(system.local.process_id(function).unwrap()).unwrap();
        eprintln!(
            "{function} needed {peak:.0} MiB for {} MiB",
            bytes / MIB as u64
        );
        assert!(peak < MEMORY_MIB, "{function} needed {peak} MiB");
    }
    system.local.stop().await;
}

async fn add_source(blobs: &Blobs, store: &Store, article: Uuid, number: usize) {
    let line = Bytes::from("One line of a long page that somebody wanted to keep.\n".repeat(2048));
    let pieces = SOURCE_MIB * MIB / line.len() + 1;
    let body = stream::iter(std::iter::repeat_n(line, pieces).map(Ok)).boxed();
    let user: UserId = "alice".parse().unwrap();
    let upload = Upload::new(Purpose::Scraped, "text/markdown");
    let written = blobs.write(&user, upload, body, u64::MAX).await.unwrap();
    let mut tenant = store.tenant(&user).await.unwrap();
    tenant.commit_blob(&written).await.unwrap();
    let source = NewSource {
        id: Uuid::now_v7(),
        kind: SourceKind::ScrapedUrl,
        key: format!("https://example.com/{number}"),
        title: format!("https://example.com/{number}"),
        position: i64::try_from(number).unwrap(),
        blob_id: written.id,
        origin: Origin::default(),
    };
    tenant.upsert_source(article, &source).await.unwrap();
    tenant.commit().await.unwrap();
}
