//! Several runners at once.

use std::time::{Duration, Instant};

use nova_store::migrate::{Error, Source};
use sqlx::Connection as _;

use crate::synthetic::{COMPLETE, LIST, database, history, migrator, migrator_of, value};

const ROUNDS: usize = 12;

/// The number of the engine's lock; runners of different builds must agree on it for ever.
const KEY: i64 = 0x6e6f_7661_6d69_6772;

/// An index build that waits for every open snapshot, and takes a while.
const SLOW_INDEX: &[Source] = &[
    LIST[0],
    Source {
        name: "0002_things",
        up: "-- nova: things\ncreate table things (id bigint, note text);\n\
             insert into things select n, md5(n::text) from generate_series(1, 100000) n;\n",
        down: LIST[1].down,
    },
    LIST[2],
    LIST[3],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_runners_on_an_empty_database_do_the_work_once_and_all_succeed() {
    for round in 0..ROUNDS {
        let list = if round % 4 == 0 { SLOW_INDEX } else { LIST };
        let database = database().await;
        let migrator = migrator_of(&database, list);
        let reports = tokio::join!(
            migrator.up(None),
            migrator.up(None),
            migrator.up(None),
            migrator.up(None),
            migrator.up(None)
        );
        let reports = <[_; 5]>::from(reports).map(Result::unwrap);
        let applied: usize = reports.iter().map(|report| report.steps.len()).sum();
        assert_eq!(
            applied, 4,
            "round {round}: each migration is applied by one runner"
        );
        assert!(reports.iter().all(|report| report.version == 4));
        let pool = database.pool();
        assert_eq!(history(&pool).await, COMPLETE);
        let valid = "select indisvalid from pg_index where indexrelid = 'things_note'::regclass";
        assert!(value::<bool>(&pool, valid).await, "round {round}");
    }
}

#[tokio::test]
async fn runners_on_two_databases_of_one_server_can_both_make_the_owner() {
    // The role belongs to the server; other tests have made it, so this is about its grants too.
    let (one, two) = (database().await, database().await);
    let (one, two) = (migrator(&one), migrator(&two));
    let (first, second) = tokio::join!(one.up(None), two.up(None));
    assert_eq!(first.unwrap().steps.len(), 4);
    assert_eq!(second.unwrap().steps.len(), 4);
}

#[tokio::test]
async fn a_lock_that_is_never_let_go_is_waited_for_until_the_limit_and_its_holder_named() {
    let database = database().await;
    let mut holder = sqlx::PgConnection::connect(&database.url).await.unwrap();
    sqlx::query("select pg_advisory_lock($1)")
        .bind(KEY)
        .execute(&mut holder)
        .await
        .unwrap();
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(&mut holder)
        .await
        .unwrap();

    let started = Instant::now();
    let error = migrator(&database)
        .lock_timeout(Duration::from_secs(1))
        .up(None)
        .await
        .unwrap_err();
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert!(matches!(error, Error::LockHeld { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains(&format!("process {pid}, user postgres")),
        "{error}"
    );
    assert_eq!(error.exit_code(), 75);

    // A runner that waits holds nothing that an index build would wait for.
    let waiting = migrator(&database).lock_timeout(Duration::from_secs(20));
    let watch = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let open: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and application_name = 'nova migrate'
               and (state <> 'idle' or backend_xmin is not null or backend_xid is not null)",
        )
        .fetch_one(&mut holder)
        .await
        .unwrap();
        holder.close().await.unwrap();
        open
    };
    let (run, open) = tokio::join!(waiting.up(None), watch);
    assert_eq!(open, 0);
    assert_eq!(run.unwrap().steps.len(), 4);
}

#[tokio::test]
async fn at_head_no_lock_is_needed() {
    let database = database().await;
    migrator(&database).up(None).await.unwrap();
    let mut holder = sqlx::PgConnection::connect(&database.url).await.unwrap();
    sqlx::query("select pg_advisory_lock($1)")
        .bind(KEY)
        .execute(&mut holder)
        .await
        .unwrap();
    let report = migrator(&database)
        .lock_timeout(Duration::ZERO)
        .up(None)
        .await
        .unwrap();
    assert!(report.steps.is_empty());
}
