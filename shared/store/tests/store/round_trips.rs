//! How often a unit of work waits for the network, counted on the wire.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nova_store::{Charge, NewArticle, Purpose, Store};
use nova_testkit::postgres::Database;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use uuid::Uuid;

use crate::support::{article, committed, database, new_blob, store, user};

/// Stands between a pool of one connection and the server and counts what has to be answered
/// before the client goes on: simple queries, and syncs.
struct Counter {
    store: Store,
    waits: Arc<AtomicUsize>,
    folder: PathBuf,
}

impl Counter {
    fn new(database: &Database, family: &str) -> Self {
        let real: PgConnectOptions = database.url_as(&format!("test_{family}")).parse().unwrap();
        let server = real
            .get_socket()
            .unwrap()
            .join(format!(".s.PGSQL.{}", real.get_port()));
        let folder = std::env::temp_dir().join(format!("nova-{}", Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).unwrap();
        let listener =
            UnixListener::bind(folder.join(format!(".s.PGSQL.{}", real.get_port()))).unwrap();
        let waits = Arc::new(AtomicUsize::new(0));
        tokio::spawn({
            let waits = Arc::clone(&waits);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let server = UnixStream::connect(&server).await.unwrap();
                    tokio::spawn(carry(client, server, Arc::clone(&waits)));
                }
            }
        });
        let pool = PgPoolOptions::new().max_connections(1);
        let store = Store::new(pool.connect_lazy_with(real.socket(&folder)));
        Self {
            store,
            waits,
            folder,
        }
    }

    fn take(&self) -> usize {
        self.waits.swap(0, Ordering::SeqCst)
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

async fn carry(client: UnixStream, server: UnixStream, waits: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    // The first message has no kind.
    let mut kind = [0_u8; 1];
    let mut is_first = true;
    loop {
        if !is_first {
            if from_client.read_exact(&mut kind).await.is_err() {
                return;
            }
            to_server.write_all(&kind).await.unwrap();
        }
        let Ok(length) = from_client.read_u32().await else {
            return;
        };
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        from_client.read_exact(&mut body).await.unwrap();
        if !is_first && matches!(kind[0], b'Q' | b'S') {
            waits.fetch_add(1, Ordering::SeqCst);
        }
        // Neither has the question whether the server speaks TLS, after which it begins anew.
        is_first = is_first && body == 80_877_103_u32.to_be_bytes();
        to_server.write_all(&length.to_be_bytes()).await.unwrap();
        to_server.write_all(&body).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quick_tool_waits_seven_times_for_the_database() {
    let database = database().await;
    let alice = user("alice");
    let id = article(&store(&database, "upload"), &alice).await;
    let counter = Counter::new(&database, "research");
    let mut trips = Vec::new();
    for _ in 0..3 {
        let call_id = Uuid::now_v7();
        let mut tenant = counter
            .store
            .tenant_in_call(&alice, "extract_guidelines_urls", call_id)
            .await
            .unwrap();
        trips.push(counter.take());
        tenant.article(id).await.unwrap();
        trips.push(counter.take());
        let charge = Charge {
            tool: "extract_guidelines_urls",
            call_id,
            article: Some(id),
            default_limit: 100,
        };
        tenant.charge(&charge).await.unwrap();
        trips.push(counter.take());
        tenant.commit().await.unwrap();
        trips.push(counter.take());
        let mut tenant = counter
            .store
            .tenant_in_call(&alice, "extract_guidelines_urls", call_id)
            .await
            .unwrap();
        tenant
            .save_extracted_urls(
                id,
                &serde_json::value::RawValue::from_string("{}".to_owned()).unwrap(),
            )
            .await
            .unwrap();
        tenant.commit().await.unwrap();
        trips.push(counter.take());
    }
    // The first time on a connection each statement is prepared, which is one more each; nothing
    // else may be asked (such as the number of a type).
    assert_eq!(trips[..5], [1, 2, 2, 1, 4], "cold");
    assert_eq!(trips[5..10], [1, 1, 1, 1, 3], "warm");
    assert_eq!(trips[10..], [1, 1, 1, 1, 3], "warm");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_waits_seven_times_and_a_download_twice() {
    let database = database().await;
    let alice = user("alice");
    let counter = Counter::new(&database, "upload");
    let mut trips = Vec::new();
    let mut id = Uuid::nil();
    for _ in 0..3 {
        let blob = new_blob(Purpose::Guideline);
        let mut tenant = counter.store.tenant(&alice).await.unwrap();
        tenant.begin_blob(&blob).await.unwrap();
        tenant.commit().await.unwrap();
        let mut tenant = counter.store.tenant(&alice).await.unwrap();
        tenant.commit_blob(&committed(blob.id)).await.unwrap();
        let article = NewArticle {
            id: Uuid::now_v7(),
            title: None,
            guideline_blob_id: blob.id,
            idempotency_key: None,
        };
        id = tenant.create_article(&article).await.unwrap();
        tenant.commit().await.unwrap();
        trips.push(counter.take());
    }
    assert_eq!(trips, [10, 7, 7]);

    let counter = Counter::new(&database, "download");
    let mut trips = Vec::new();
    for _ in 0..3 {
        let mut tenant = counter.store.tenant(&alice).await.unwrap();
        tenant.article(id).await.unwrap();
        trips.push(counter.take());
        drop(tenant);
    }
    // The rollback of a dropped tenant goes out after the answer, and is counted with the next.
    assert_eq!(trips, [3, 3, 3]);
}
