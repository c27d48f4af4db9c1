//! A migrated database for each test, and the few rows that most tests begin with.

use std::time::Duration;

use nova_store::migrate::Migrator;
use nova_store::{
    CallOutcome, CallUsage, CommittedBlob, Error, NewArticle, NewBlob, ProviderCall, Purpose,
    Store, Tenant, UserId,
};
use nova_testkit::postgres::{Database, Postgres};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use uuid::Uuid;

/// The families of functions; the login `test_upload` is a member of `nova_upload`, and so on.
pub(crate) const FAMILIES: [&str; 8] = [
    "upload",
    "research",
    "download",
    "articles",
    "usage",
    "analytics",
    "sweeper",
    "health",
];

/// A database with the schema as it is released, and a login for each family.
pub(crate) async fn database() -> Database {
    Postgres::shared()
        .await
        .database("migrated", async |url| {
            Migrator::new(url.parse()?).up(None).await?;
            let pool = PgPool::connect(&url).await?;
            for family in FAMILIES {
                // A test that waits for itself is told so.
                let login = format!(
                    "CREATE ROLE test_{family} LOGIN IN ROLE nova_{family};
                     ALTER ROLE test_{family} SET lock_timeout = '10s'"
                );
                sqlx::raw_sql(sqlx::AssertSqlSafe(login))
                    .execute(&pool)
                    .await?;
            }
            Ok(())
        })
        .await
}

/// A store of one family's functions.
pub(crate) fn store(database: &Database, family: &str) -> Store {
    Store::new(database.pool_as(&format!("test_{family}")))
}

/// A pool of `size` connections of one family.
pub(crate) fn pool(database: &Database, family: &str, size: u32) -> PgPool {
    let options: PgConnectOptions = database.url_as(&format!("test_{family}")).parse().unwrap();
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_mins(1))
        .connect_lazy_with(options)
}

pub(crate) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

/// Runs statements as the superuser, who is past row level security.
pub(crate) async fn run(pool: &PgPool, statements: &'static str) {
    sqlx::raw_sql(statements).execute(pool).await.unwrap();
}

/// One value, as whoever the pool logs in as.
pub(crate) async fn value<T>(pool: &PgPool, query: &'static str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// One unit of work of a user.
pub(crate) async fn within<T>(
    store: &Store,
    user: &UserId,
    work: impl AsyncFnOnce(&mut Tenant) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut tenant = store.tenant(user).await?;
    let done = work(&mut tenant).await?;
    tenant.commit().await?;
    Ok(done)
}

pub(crate) fn new_blob(purpose: Purpose) -> NewBlob {
    let id = Uuid::now_v7();
    NewBlob {
        id,
        purpose,
        bucket: "files".to_owned(),
        object_name: format!("v1/test/{id}"),
        content_type: "text/markdown".to_owned(),
        declared_size: None,
    }
}

pub(crate) fn committed(id: Uuid) -> CommittedBlob {
    CommittedBlob {
        id,
        size: 3,
        crc32c: 0xE306_9283,
        sha256: None,
        generation: 7,
    }
}

/// A blob that has gone through the first steps of its life and is not linked yet.
pub(crate) async fn blob(store: &Store, owner: &UserId, purpose: Purpose) -> Uuid {
    let blob = new_blob(purpose);
    within(store, owner, async |tenant| tenant.begin_blob(&blob).await)
        .await
        .unwrap();
    let done = committed(blob.id);
    within(store, owner, async |tenant| tenant.commit_blob(&done).await)
        .await
        .unwrap();
    blob.id
}

/// An article as an upload leaves it.
pub(crate) async fn article(uploads: &Store, owner: &UserId) -> Uuid {
    let guideline = blob(uploads, owner, Purpose::Guideline).await;
    let article = NewArticle {
        id: Uuid::now_v7(),
        title: Some("Guide".to_owned()),
        guideline_blob_id: guideline,
        idempotency_key: None,
    };
    within(uploads, owner, async |tenant| {
        tenant.create_article(&article).await
    })
    .await
    .unwrap()
}

/// A call of a provider that was answered.
pub(crate) fn provider_call(usage: CallUsage) -> ProviderCall {
    ProviderCall {
        id: Uuid::now_v7(),
        provider: "Example",
        model: Some("model-1".to_owned()),
        outcome: CallOutcome::Answered,
        duration: Duration::from_millis(1500),
        usage,
    }
}

/// Until somebody waits for a lock in this database.
pub(crate) async fn wait_for_a_lock(pool: &PgPool) {
    let waiting = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !value::<bool>(pool, waiting).await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "nobody waits for a lock"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
