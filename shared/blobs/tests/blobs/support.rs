//! A database, a bucket and the blobs on them.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use nova_blobs::{BlobRef, Blobs, CommittedBlob, Error, Incoming, Settings, Upload};
use nova_runtime::http_client::HttpClient;
use nova_runtime::tokens::TokenSource;
use nova_store::migrate::Migrator;
use nova_store::{DeadBlob, Purpose, Store, UserId};
use nova_testkit::objects::{Config, Object, ObjectStore};
use nova_testkit::postgres::{Database, Postgres};

pub(crate) const BUCKET: &str = "nova-files";
pub(crate) const MIB: usize = 1024 * 1024;

/// More than any test body, where the limit is not what is tested.
pub(crate) const NO_LIMIT: u64 = 1 << 30;

pub(crate) struct World {
    pub(crate) objects: ObjectStore,
    pub(crate) blobs: Blobs,
    pub(crate) store: Store,
    pub(crate) user: UserId,
    database: Database,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Config::default(), TokenSource::anonymous(), |_| {}).await
    }

    pub(crate) async fn with(
        config: Config,
        tokens: TokenSource,
        adjust: impl FnOnce(&mut Settings),
    ) -> Self {
        let objects = ObjectStore::start(config).await.unwrap();
        let database = database().await;
        let store = Store::new(database.pool_as("blobs_upload"));
        let mut settings = Settings::new(BUCKET, Some(objects.url.parse().unwrap()));
        settings.deadline = Duration::from_secs(20);
        adjust(&mut settings);
        let blobs = Blobs::open(settings, HttpClient::new(), tokens, store.clone());
        Self {
            objects,
            blobs,
            store,
            user: "alice".parse().unwrap(),
            database,
        }
    }

    pub(crate) async fn write(&self, body: impl Into<Bytes>) -> Result<CommittedBlob, Error> {
        self.write_as(Upload::new(Purpose::LocalFile, "text/plain"), body)
            .await
    }

    pub(crate) async fn write_as(
        &self,
        upload: Upload,
        body: impl Into<Bytes>,
    ) -> Result<CommittedBlob, Error> {
        self.blobs
            .write(&self.user, upload, incoming(&body.into()), NO_LIMIT)
            .await
    }

    /// Written and committed.
    pub(crate) async fn blob(&self, body: impl Into<Bytes>) -> BlobRef {
        let written = self.write(body).await.unwrap();
        self.commit(&written).await;
        let mut tenant = self.store.tenant(&self.user).await.unwrap();
        tenant.blob(written.id).await.unwrap()
    }

    pub(crate) async fn commit(&self, written: &CommittedBlob) {
        let mut tenant = self.store.tenant(&self.user).await.unwrap();
        tenant.commit_blob(written).await.unwrap();
        tenant.commit().await.unwrap();
    }

    pub(crate) fn object(&self) -> Object {
        let objects = self.objects.objects(BUCKET);
        assert_eq!(objects.len(), 1, "{objects:?}");
        objects.into_iter().next().unwrap()
    }

    /// What the sweeper would be given, were it next month.
    pub(crate) async fn swept(&self) -> Vec<DeadBlob> {
        let pool = self.database.pool();
        sqlx::query("UPDATE blobs SET sweep_at = sweep_at - interval '30 days'")
            .execute(&pool)
            .await
            .unwrap();
        let sweeper = Store::new(self.database.pool_as("blobs_sweeper"));
        sweeper.claim_dead_blobs(100).await.unwrap()
    }
}

async fn database() -> Database {
    let prepare = async |url: String| {
        Migrator::new(url.parse()?).up(None).await?;
        let pool = sqlx::PgPool::connect(&url).await?;
        for family in ["upload", "sweeper"] {
            let login = format!("CREATE ROLE blobs_{family} LOGIN IN ROLE nova_{family}");
            sqlx::query(sqlx::AssertSqlSafe(login))
                .execute(&pool)
                .await?;
        }
        Ok(())
    };
    Postgres::shared().await.database("blobs", prepare).await
}

/// A body in pieces of a size that is no divisor of anything.
pub(crate) fn incoming(body: &Bytes) -> Incoming {
    let pieces: Vec<_> = body
        .chunks(61_234)
        .map(|piece| Ok(body.slice_ref(piece)))
        .collect();
    stream::iter(pieces).boxed()
}

/// Bytes in which any lost, doubled or moved piece shows.
pub(crate) fn pattern(size: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

/// Everything that a stream brings, and how it ended.
pub(crate) async fn read_all(
    world: &World,
    blob: &BlobRef,
    range: Option<std::ops::Range<u64>>,
) -> (Vec<u8>, Result<(), Error>) {
    let mut got = Vec::new();
    let outcome = async {
        let mut content = world.blobs.read(blob, range).await?;
        while let Some(piece) = content.stream.try_next().await? {
            got.extend_from_slice(&piece);
        }
        assert_eq!(got.len() as u64, content.size);
        Ok(())
    };
    let outcome = outcome.await;
    (got, outcome)
}
