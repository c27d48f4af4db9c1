//! Runners and servers that die at the worst moments. A runner that is to be killed is a process of
//! its own: this test program once more, told by its environment to run one migrator.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nova_store::migrate::{Error, Migrator, Source};
use nova_testkit::postgres::Database;
use sqlx::{Connection as _, PgConnection, PgPool};

use crate::synthetic::{COMPLETE, LIST, database, history, migrator, value};

const URL: &str = "NOVA_TEST_RUNNER_URL";

/// The list, with a moment in which its second migration can be killed.
const KILLABLE: &[Source] = &[
    LIST[0],
    Source {
        name: "0002_things",
        up: "-- nova: things\ncreate table things (id bigint primary key, note text not null);\n\
             insert into things select n, 'note ' || n from generate_series(1, 1000) n;\n\
             select pg_sleep(1.5);\n",
        down: LIST[1].down,
    },
    LIST[2],
    LIST[3],
];

#[tokio::test]
#[ignore = "the process that the other tests kill"]
async fn runner_process() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a test tells its other process what to do"
    )]
    let Ok(url) = std::env::var(URL) else { return };
    Migrator::with(url.parse().unwrap(), KILLABLE.to_vec())
        .up(None)
        .await
        .unwrap();
}

/// A runner that dies with the test at the latest.
struct Runner(Child);

impl Runner {
    fn start(database: &Database) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "crashes::runner_process",
            "--ignored",
            "--nocapture",
        ]);
        command
            .env(URL, &database.url)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// SIGKILL, as from an out-of-memory killer.
    fn kill(mut self) {
        assert!(
            self.0.try_wait().unwrap().is_none(),
            "it ended before it could be killed"
        );
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Waits until a question is answered with true.
async fn until(pool: &PgPool, question: &'static str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        // While the tables are not there yet, the question has no answer.
        let answer = sqlx::query_scalar(question).fetch_one(pool).await;
        if answer.is_ok_and(|answer: Option<bool>| answer == Some(true)) {
            return;
        }
        assert!(Instant::now() < deadline, "never true: {question}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A session that is in the way until it is closed.
async fn obstacle(database: &Database, statements: &'static str) -> PgConnection {
    let mut session = PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql(statements)
        .execute(&mut session)
        .await
        .unwrap();
    session
}

/// A second run brings everything to its place, whatever the first left behind.
async fn second_run_reaches_head(database: &Database, pool: &PgPool) {
    let second = Migrator::with(database.url.parse().unwrap(), KILLABLE.to_vec());
    let report = second
        .lock_timeout(Duration::from_secs(30))
        .up(None)
        .await
        .unwrap();
    assert_eq!(report.version, 4);
    assert_eq!(history(pool).await, COMPLETE);
    assert_eq!(value::<i64>(pool, "select thing_count()").await, 1000);
    let valid = "select bool_and(indisvalid and indisready) and count(*) = 2
                 from pg_index where indrelid = 'things'::regclass";
    assert!(value::<bool>(pool, valid).await);
}

/// A database with the table, ready for the index.
async fn with_table() -> (Database, PgPool) {
    let database = database().await;
    Migrator::with(database.url.parse().unwrap(), KILLABLE.to_vec())
        .up(Some(2))
        .await
        .unwrap();
    let pool = database.pool();
    (database, pool)
}

const STARTED: &str = "select state = 'applying' from nova_schema_migrations where version = 3";
const BUILDS_AND_WAITS: &str = "select exists (select from pg_stat_progress_create_index
    where phase like 'waiting for %' and datname = current_database())";
const WAITS_FOR_THE_TABLE: &str = "select exists (select from pg_stat_activity
    where query like 'create index concurrently%' and wait_event_type = 'Lock'
      and datname = current_database())";

#[tokio::test]
async fn a_runner_killed_in_a_transaction_leaves_nothing_and_its_locks_go_soon() {
    let database = database().await;
    let pool = database.pool();
    let runner = Runner::start(&database);
    until(&pool, "select exists (select from pg_stat_activity where query = 'select pg_sleep(1.5)' and datname = current_database())").await;
    runner.kill();
    assert_eq!(history(&pool).await, COMPLETE[..1]);
    second_run_reaches_head(&database, &pool).await;
}

#[tokio::test]
async fn a_runner_killed_before_the_index_build_began_is_resumed() {
    let (database, pool) = with_table().await;
    let in_the_way = obstacle(&database, "begin; lock table things in share mode").await;
    let runner = Runner::start(&database);
    until(&pool, STARTED).await;
    until(&pool, WAITS_FOR_THE_TABLE).await;
    runner.kill();
    in_the_way.close().await.unwrap();
    second_run_reaches_head(&database, &pool).await;
}

#[tokio::test]
async fn a_runner_killed_in_the_index_build_is_resumed() {
    let (database, pool) = with_table().await;
    let in_the_way = obstacle(
        &database,
        "begin isolation level repeatable read; select count(*) from things",
    )
    .await;
    let runner = Runner::start(&database);
    until(&pool, BUILDS_AND_WAITS).await;
    runner.kill();
    assert_eq!(history(&pool).await[2], "0003_things_note applying");
    in_the_way.close().await.unwrap();
    second_run_reaches_head(&database, &pool).await;
}

#[tokio::test]
async fn a_runner_killed_after_the_index_build_is_resumed_without_another_build() {
    let (database, pool) = with_table().await;
    let reader = obstacle(
        &database,
        "begin isolation level repeatable read; select count(*) from things",
    )
    .await;
    let runner = Runner::start(&database);
    until(&pool, BUILDS_AND_WAITS).await;
    let in_the_way = obstacle(
        &database,
        "begin; lock table nova_schema_migrations in share mode",
    )
    .await;
    reader.close().await.unwrap();
    until(
        &pool,
        "select indisvalid from pg_index where indexrelid = to_regclass('things_note')",
    )
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    runner.kill();
    in_the_way.close().await.unwrap();
    let built: i64 = value(&pool, "select 'things_note'::regclass::oid::bigint").await;
    assert_eq!(history(&pool).await[2], "0003_things_note applying");
    second_run_reaches_head(&database, &pool).await;
    assert_eq!(
        value::<i64>(&pool, "select 'things_note'::regclass::oid::bigint").await,
        built
    );
}

#[tokio::test]
async fn an_index_that_a_killed_server_process_left_invalid_is_built_again() {
    let (database, pool) = with_table().await;
    let in_the_way = obstacle(
        &database,
        "begin isolation level repeatable read; select count(*) from things",
    )
    .await;
    let migrator = Migrator::with(database.url.parse().unwrap(), KILLABLE.to_vec());
    let killing = async {
        until(&pool, BUILDS_AND_WAITS).await;
        let kill = "select pg_terminate_backend(pid) from pg_stat_progress_create_index
                    where datname = current_database()";
        assert!(value::<bool>(&pool, kill).await);
    };
    let (run, ()) = tokio::join!(migrator.up(None), killing);
    let error = run.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert_eq!(error.exit_code(), 69);
    assert!(
        value::<bool>(
            &pool,
            "select not indisvalid from pg_index where indexrelid = 'things_note'::regclass"
        )
        .await
    );
    in_the_way.close().await.unwrap();
    second_run_reaches_head(&database, &pool).await;
}

#[tokio::test]
async fn an_unfinished_index_can_also_be_taken_back() {
    let (database, pool) = with_table().await;
    let in_the_way = obstacle(
        &database,
        "begin isolation level repeatable read; select count(*) from things",
    )
    .await;
    let runner = Runner::start(&database);
    until(&pool, BUILDS_AND_WAITS).await;
    runner.kill();
    value::<bool>(&pool, "select pg_terminate_backend(pid) from pg_stat_progress_create_index where datname = current_database()").await;
    in_the_way.close().await.unwrap();
    until(&pool, "select not exists (select from pg_stat_progress_create_index where datname = current_database())").await;
    let killable = Migrator::with(database.url.parse().unwrap(), KILLABLE.to_vec());
    assert_eq!(killable.status().await.unwrap().unfinished.len(), 1);
    killable.down(2).await.unwrap();
    assert!(!value::<bool>(&pool, "select to_regclass('things_note') is not null").await);
    assert_eq!(history(&pool).await, COMPLETE[..2]);
    second_run_reaches_head(&database, &pool).await;
}

#[tokio::test]
async fn dropping_an_index_beside_traffic_is_resumed_too() {
    let database = database().await;
    let pool = database.pool();
    migrator(&database).up(None).await.unwrap();
    // As after a kill between the drop and the history.
    sqlx::raw_sql(
        "delete from nova_schema_migrations where version = 4; drop function thing_count();
         update nova_schema_migrations set state = 'reverting' where version = 3;
         drop index things_note",
    )
    .execute(&pool)
    .await
    .unwrap();
    migrator(&database).down(2).await.unwrap();
    assert_eq!(history(&pool).await, COMPLETE[..2]);
    assert_eq!(migrator(&database).up(None).await.unwrap().version, 4);
}
