//! Migrations beside people who use the system.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nova_store::migrate::{Error, Source};
use sqlx::Connection as _;

use crate::synthetic::{LIST, database, history, migrator, migrator_of, value};

const COLUMN: Source = Source {
    name: "0005_column",
    up: "-- nova: a column\nalter table things add column more text;",
    down: "-- nova: no column\nalter table things drop column more;",
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_reader_does_not_make_everybody_else_wait_behind_the_migration() {
    let database = database().await;
    migrator(&database).up(None).await.unwrap();
    let pool = database.pool();
    let mut reader = sqlx::PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("begin; select count(*) from things")
        .execute(&mut reader)
        .await
        .unwrap();

    let lines = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&lines);
    let longer = migrator_of(&database, &[LIST, &[COLUMN]].concat())
        .progress(move |line| told.lock().unwrap().push(line.to_owned()));
    let read_for_four_seconds = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        reader.close().await.unwrap();
    };
    let until = Instant::now() + Duration::from_secs(5);
    let others = async {
        let mut slowest = Duration::ZERO;
        while Instant::now() < until {
            let started = Instant::now();
            value::<i64>(&pool, "select count(*) from things").await;
            slowest = slowest.max(started.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        slowest
    };
    let (run, (), slowest) = tokio::join!(longer.up(None), read_for_four_seconds, others);
    assert_eq!(run.unwrap().version, 5);
    println!(
        "slowest query beside the migration: {} ms",
        slowest.as_millis()
    );
    assert!(slowest < Duration::from_millis(1500), "{slowest:?}");
    // The limit was really reached, so this test would notice without it.
    assert!(slowest > Duration::from_millis(300), "{slowest:?}");
    let lines = lines.lock().unwrap();
    assert!(
        lines[0].starts_with("0005_column.up.sql: a lock was not granted"),
        "{lines:?}"
    );
    assert!(
        lines[0].contains("user postgres"),
        "the oldest transaction is named: {lines:?}"
    );
}

#[tokio::test]
async fn a_table_that_stays_in_use_is_given_up_after_the_limit() {
    let database = database().await;
    migrator(&database).up(None).await.unwrap();
    let mut reader = sqlx::PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("begin; select count(*) from things")
        .execute(&mut reader)
        .await
        .unwrap();
    let longer = migrator_of(&database, &[LIST, &[COLUMN]].concat());
    let error = longer
        .clone()
        .lock_timeout(Duration::from_secs(1))
        .up(None)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Blocked { file, .. } if file == "0005_column.up.sql"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 75);
    assert_eq!(history(&database.pool()).await.len(), 4);
    reader.close().await.unwrap();
    longer.up(None).await.unwrap();
}

#[tokio::test]
async fn an_index_build_waits_for_a_long_reader_without_starting_over() {
    let database = database().await;
    migrator(&database).up(Some(2)).await.unwrap();
    let mut reader = sqlx::PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("begin isolation level repeatable read; select count(*) from things")
        .execute(&mut reader)
        .await
        .unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&lines);
    let listening =
        migrator(&database).progress(move |line| told.lock().unwrap().push(line.to_owned()));
    let read_for_two_seconds = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        reader.close().await.unwrap();
    };
    let (run, ()) = tokio::join!(listening.up(None), read_for_two_seconds);
    assert_eq!(run.unwrap().version, 4);
    assert_eq!(lines.lock().unwrap().len(), 2, "{lines:?}");
}
