//! What the job does to a database and a bucket that were left in disorder.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    process::{Command, Output},
    time::Duration,
};

use nova_blobs::Blobs;
use nova_runtime::{App, Config, Environment};
use nova_store::{
    CommittedBlob, NewArticle, NewBlob, NewJob, Purpose, Store, UserId, migrate::Migrator,
};
use nova_testkit::{
    cloud_tasks::CloudTasks,
    cloudsql::CloudSql,
    issuer::Issuer,
    objects::{self, Action, Effect, Fault, ObjectStore},
    postgres::{Database, Postgres},
};
use sqlx::PgPool;
use sweep::{Summary, sweep};
use uuid::Uuid;

const BUDGET: Duration = Duration::from_secs(20);
const QUEUE: &str = "projects/acme/locations/europe-west1/queues/jobs";

async fn database() -> Database {
    let prepare = async |url: String| {
        Migrator::new(url.parse()?).up(None).await?;
        let pool = PgPool::connect(&url).await?;
        let logins = "CREATE ROLE sweep_upload LOGIN IN ROLE nova_upload;
                      CREATE ROLE sweep_research LOGIN IN ROLE nova_research;
                      CREATE ROLE sweep_sweeper LOGIN IN ROLE nova_sweeper";
        sqlx::raw_sql(logins).execute(&pool).await?;
        Ok(())
    };
    Postgres::shared().await.database("sweep", prepare).await
}

/// An article whose guideline is the blob of the same id.
fn new_article(id: Uuid) -> NewArticle {
    NewArticle {
        id,
        title: None,
        guideline_blob_id: id,
        idempotency_key: None,
    }
}

/// An article of alice's with a job that nobody was called for.
async fn job(database: &Database) -> Uuid {
    let alice: UserId = "alice".parse().unwrap();
    let id = Uuid::now_v7();
    let uploads = Store::new(database.pool_as("sweep_upload"));
    let mut tenant = uploads.tenant(&alice).await.unwrap();
    let blob = NewBlob {
        id,
        purpose: Purpose::Guideline,
        bucket: "files".to_owned(),
        object_name: format!("v1/{id}"),
        content_type: "text/markdown".to_owned(),
        declared_size: None,
    };
    let written = CommittedBlob {
        id,
        size: 3,
        crc32c: 0,
        sha256: None,
        generation: 1,
    };
    let article = new_article(id);
    tenant.begin_blob(&blob).await.unwrap();
    tenant.commit_blob(&written).await.unwrap();
    tenant.create_article(&article).await.unwrap();
    tenant.commit().await.unwrap();
    let research = Store::new(database.pool_as("sweep_research"));
    let mut tenant = research.tenant(&alice).await.unwrap();
    let job = NewJob {
        id: Uuid::now_v7(),
        tool: "read_pages",
        article: id,
        dedupe_key: [1; 32],
        arguments: &serde_json::value::to_raw_value(&serde_json::json!({})).unwrap(),
        answer_stays: Duration::ZERO,
        failure_stays: Duration::ZERO,
        replaces: false,
    };
    tenant.enqueue_job(&job).await.unwrap();
    tenant.commit().await.unwrap();
    job.id
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_is_called_for_forgotten_and_deleted_and_the_next_run_finds_nothing() {
    let database = database().await;
    let google = CloudSql::start().await.unwrap();
    let issuer = Issuer::start().await.unwrap();
    let tasks = CloudTasks::start((*issuer).clone()).await.unwrap();
    let objects = ObjectStore::start(objects::Config::default())
        .await
        .unwrap();
    let environment = Environment::from([
        ("DATABASE_URL", &*database.url_as("sweep_sweeper")),
        ("GCE_METADATA_HOST", &google.metadata_host()),
        ("STORAGE_EMULATOR_HOST", &objects.url),
        ("BLOB_BUCKET", "files"),
        ("CLOUD_TASKS_QUEUE", QUEUE),
        (
            "CLOUD_TASKS_SERVICE_ACCOUNT",
            "bell@acme.iam.gserviceaccount.com",
        ),
        ("CLOUD_TASKS_TARGET_URL", "http://127.0.0.1:1"),
        ("CLOUD_TASKS_BASE_URL", tasks.url()),
    ]);
    let app = App::new("sweep", Config::read(&environment).unwrap()).unwrap();
    let blobs = Blobs::from_app(&app).unwrap();
    let run = async || sweep(&app, &blobs, BUDGET).await.unwrap();
    let id = job(&database).await;
    assert_eq!(
        run().await,
        Summary::default(),
        "it may still be called for"
    );

    let sql = database.pool();
    let later = "UPDATE jobs SET due_at = now() - interval '1 min'";
    sqlx::query(later).execute(&sql).await.unwrap();
    let rung = Summary {
        rung: 1,
        ..Summary::default()
    };
    assert_eq!(run().await, rung);
    assert_eq!(run().await, Summary::default(), "once");
    let name = tasks.received()[0].json()["task"]["name"].to_string();
    assert!(name.contains(&id.to_string()), "{name}");

    let old =
        "UPDATE jobs SET state = 'failed', error = '{}', finished_at = now() - interval '25 h'";
    sqlx::query(old).execute(&sql).await.unwrap();
    let expired = Summary {
        expired: 1,
        ..Summary::default()
    };
    assert_eq!(run().await, expired);

    let due = "UPDATE blobs SET sweep_at = now() - interval '1 min'";
    for sql_text in ["DELETE FROM articles", due] {
        sqlx::query(sql_text).execute(&sql).await.unwrap();
    }
    objects.inject(Fault::new(Effect::Status(403)).on(Action::Delete));
    let failed = Summary {
        failed: 1,
        ..Summary::default()
    };
    assert_eq!(run().await, failed);
    sqlx::query(due).execute(&sql).await.unwrap();
    let deleted = Summary {
        deleted: 1,
        ..Summary::default()
    };
    assert_eq!(run().await, deleted);
    assert_eq!(run().await, Summary::default(), "a tombstone stands");
}

/// The job's program, to its end.
fn program(database: &Database, objects: &ObjectStore, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sweep"))
        .args(arguments)
        .env("DATABASE_URL", database.url_as("sweep_sweeper"))
        .env("STORAGE_EMULATOR_HOST", &objects.url)
        .env("BLOB_BUCKET", "files")
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_erased_at_once_and_forgotten_by_the_runs_that_follow() {
    let database = database().await;
    let objects = ObjectStore::start(objects::Config::default())
        .await
        .unwrap();
    job(&database).await;
    let sql = database.pool();
    let count = async |what: &'static str| -> i64 {
        sqlx::query_scalar(what).fetch_one(&sql).await.unwrap()
    };
    let run = |arguments: &[&str]| program(&database, &objects, arguments);
    for wrong in [
        &["--erase"][..],
        &["--erase", "a\nb"],
        &["--erase", "a", "b"],
    ] {
        assert_eq!(run(wrong).status.code(), Some(64), "{wrong:?}");
    }
    let articles = "SELECT count(*) FROM articles WHERE user_id = 'alice'";
    assert_eq!(count(articles).await, 1);
    let begun = run(&["--erase", "alice"]);
    assert!(begun.status.success(), "{begun:?}");
    assert_eq!(count(articles).await, 0);
    // The file went with the same run; its tombstone and the user stand for a while.
    let files = "SELECT count(*) FROM blobs WHERE user_id = 'alice' AND state <> 'deleted'";
    let user = "SELECT count(*) FROM users WHERE user_id = 'alice'";
    assert_eq!((count(files).await, count(user).await), (0, 1));
    let alice: UserId = "alice".parse().unwrap();
    let late = Store::new(database.pool_as("sweep_upload"));
    let mut late = late.tenant(&alice).await.unwrap();
    assert!(
        late.create_article(&new_article(Uuid::now_v7()))
            .await
            .is_err()
    );
    drop(late);

    let later = "UPDATE blobs SET sweep_at = now() - interval '1 min';
                 UPDATE users SET erasing_since = now() - interval '9 days'";
    sqlx::raw_sql(later).execute(&sql).await.unwrap();
    // One takes the tombstone, the next finds that nothing is left.
    for _ in 0..2 {
        assert!(run(&[]).status.success());
    }
    assert_eq!(count(user).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_kept_or_forgotten_by_whole_months_as_the_settings_say() {
    let database = database().await;
    let sql = database.pool();
    let rows = "WITH months (nth) AS (VALUES (0), (3), (4), (5)), keys AS (
                  SELECT 'user ' || u AS user_id,
                         to_char((now() AT TIME ZONE 'UTC') - make_interval(months => nth), 'YYYY-MM') AS year_month
                    FROM months, generate_series(1, 120) u),
                counters AS (INSERT INTO usage_counters (user_id, year_month, used) SELECT user_id, year_month, 2 FROM keys),
                refunds AS (
                  INSERT INTO tool_call_refunds (call_id, user_id, tool_name, year_month, reason, charged_at)
                  SELECT gen_random_uuid(), user_id, 'tool', year_month, 'ours', now() FROM keys)
                INSERT INTO tool_call_usage (id, user_id, tool_name, year_month)
                SELECT gen_random_uuid(), user_id, 'tool', year_month FROM keys, generate_series(1, 2)";
    sqlx::query(rows).execute(&sql).await.unwrap();
    let left = async || -> (i64, i64, i64, i64) {
        let counts = "SELECT (SELECT count(*) FROM usage_counters), (SELECT count(*) FROM tool_call_usage),
                             (SELECT count(*) FROM tool_call_refunds), (SELECT count(*) FROM usage_drift)";
        sqlx::query_as(counts).fetch_one(&sql).await.unwrap()
    };
    for (months, forgotten, expected) in
        [("0", 0, (480, 960, 480, 0)), ("3", 240, (240, 480, 240, 0))]
    {
        let environment = Environment::from([
            ("DATABASE_URL", &*database.url_as("sweep_sweeper")),
            ("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1"),
            ("BLOB_BUCKET", "files"),
            ("USAGE_MONTHS", months),
        ]);
        let app = App::new("sweep", Config::read(&environment).unwrap()).unwrap();
        let blobs = Blobs::from_app(&app).unwrap();
        let summary = sweep(&app, &blobs, BUDGET).await.unwrap();
        assert_eq!(summary.expired, forgotten, "{months}");
        assert_eq!(left().await, expected, "{months}");
    }
}
