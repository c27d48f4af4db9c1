//! 256 MiB up and down in constant memory. In a process of its own, because it measures the process.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use nova_blobs::{Blobs, Error, Settings, Upload, incoming};
use nova_runtime::http_client::HttpClient;
use nova_runtime::tokens::TokenSource;
use nova_store::migrate::Migrator;
use nova_store::{Purpose, Store, UserId};
use nova_testkit::objects::{Config, ObjectStore};
use nova_testkit::postgres::Postgres;

const MIB: u64 = 1024 * 1024;
const SIZE: u64 = 256 * MIB;
const PIECE: usize = 60_000;

/// The bucket runs in this process too, and the chunk that is being sent is there twice: in our hands, and in pieces
/// on its way through the two ends of the connection.
const GROWTH: u64 = 64 * MIB;

/// The most memory that the process ever had.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim()
        .strip_suffix(" kB")
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

async fn up_and_down(blobs: &Blobs, store: &Store, size: u64) -> Result<u64, Error> {
    let user: UserId = "alice".parse().unwrap();
    let piece = Bytes::from(vec![0x5A; PIECE]);
    let body = stream::unfold(size, move |left| {
        let length = left.min(PIECE as u64);
        let piece = piece.slice(..usize::try_from(length).unwrap());
        async move { (length > 0).then_some((Ok::<_, Error>(piece), left - length)) }
    });
    let upload = Upload::new(Purpose::LocalFile, "application/octet-stream");
    let written = blobs.write(&user, upload, incoming(body), size).await?;
    let mut tenant = store.tenant(&user).await?;
    tenant.commit_blob(&written).await?;
    let blob = tenant.blob(written.id).await?;
    tenant.commit().await?;
    let mut content = blobs.read(&blob, None).await?;
    let mut read = 0;
    while let Some(piece) = content.stream.try_next().await? {
        read += piece.len() as u64;
    }
    Ok(read)
}

#[tokio::test]
async fn what_passes_through_does_not_stay() {
    let prepare = async |url: String| {
        Migrator::new(url.parse()?).up(None).await?;
        Ok(())
    };
    let database = Postgres::shared().await.database("blobs", prepare).await;
    let objects = ObjectStore::start(Config::default()).await.unwrap();
    let store = Store::new(database.pool());
    let settings = Settings::new("nova-files", Some(objects.url.parse().unwrap()));
    let blobs = Blobs::open(
        settings,
        HttpClient::new(),
        TokenSource::anonymous(),
        store.clone(),
    );
    // Certificates, pools and buffers are there after the first.
    up_and_down(&blobs, &store, 100_000).await.unwrap();
    let before = peak();
    assert_eq!(up_and_down(&blobs, &store, SIZE).await.unwrap(), SIZE);
    let growth = peak() - before;
    assert!(growth < GROWTH, "the process grew by {} MiB", growth / MIB);
    println!(
        "256 MiB up and down: the process grew by {} MiB",
        growth / MIB
    );
}
