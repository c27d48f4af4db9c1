//! Up, down, baseline, and what a report says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nova_store::migrate::{Error, Source};
use nova_testkit::postgres::Postgres;
use tokio::sync::watch;

use crate::synthetic::{COMPLETE, LIST, database, history, migrator, migrator_of, value};

#[tokio::test]
async fn up_brings_an_empty_database_to_head_and_down_takes_it_all_back() {
    let database = database().await;
    let pool = database.pool();
    let report = migrator(&database).up(None).await.unwrap();
    assert_eq!(report.version, 4);
    assert_eq!(report.steps.len(), 4);
    assert!(
        report
            .to_string()
            .starts_with("version 0004, 4 applied in "),
        "{report}"
    );
    assert_eq!(history(&pool).await, COMPLETE);
    assert_eq!(value::<i64>(&pool, "select thing_count()").await, 1000);
    let owner = "select tableowner::text from pg_tables where tablename = 'things'";
    assert_eq!(value::<String>(&pool, owner).await, "nova_owner");
    let owner = "select nspowner::regrole::text from pg_namespace where nspname = 'side'";
    assert_eq!(value::<String>(&pool, owner).await, "postgres");

    let again = migrator(&database).up(None).await.unwrap();
    assert_eq!(again.to_string(), "version 0004, nothing to do");

    let report = migrator(&database).down(2).await.unwrap();
    assert_eq!(report.version, 2);
    assert_eq!(history(&pool).await, COMPLETE[..2]);
    let report = migrator(&database).down(0).await.unwrap();
    assert!(
        report
            .to_string()
            .starts_with("version 0000, 2 taken back in "),
        "{report}"
    );
    assert!(history(&pool).await.is_empty());
    let report = migrator(&database).up(Some(3)).await.unwrap();
    assert_eq!(report.version, 3);
    assert_eq!(history(&pool).await, COMPLETE[..3]);
}

#[tokio::test]
async fn each_migration_is_told_with_its_title_and_recorded_with_its_user_and_duration() {
    let database = database().await;
    let lines = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&lines);
    let listening =
        migrator(&database).progress(move |line| told.lock().unwrap().push(line.to_owned()));
    listening.up(None).await.unwrap();
    let lines = lines.lock().unwrap().clone();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(
        lines[1].starts_with("0002_things.up.sql: things ("),
        "{lines:?}"
    );
    assert!(lines[1].ends_with(" ms)"), "{lines:?}");
    let history = migrator(&database).history().await.unwrap();
    assert!(history.iter().all(|record| record.applied_by == "postgres"));
    assert!(history.iter().all(|record| record.duration_ms.is_some()));
}

#[tokio::test]
async fn a_run_opens_exactly_one_session() {
    let database = database().await;
    // Seen from another database, so that looking does not count.
    let other = Postgres::shared().await.empty_database().await;
    let elsewhere = other.pool();
    let sessions = async || -> i64 {
        sqlx::query_scalar("select sessions from pg_stat_database where datname = $1")
            .bind(&database.name)
            .fetch_one(&elsewhere)
            .await
            .unwrap()
    };
    assert_eq!(sessions().await, 0);
    migrator(&database).up(None).await.unwrap();
    // A session's end is what reports it.
    for _ in 0..50 {
        if sessions().await > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sessions().await, 1);
}

#[tokio::test]
async fn a_request_to_stop_ends_the_run_after_the_step_it_is_in() {
    const SLOW: &[Source] = &[
        Source {
            name: "0001_slow",
            up: "-- nova: slow\ncreate table slow (); select pg_sleep(0.5);",
            down: "-- nova: slow\ndrop table slow;",
        },
        Source {
            name: "0002_next",
            up: "-- nova: next\ncreate table next ();",
            down: "-- nova: next\ndrop table next;",
        },
    ];
    let database = database().await;
    let (stop, stopped) = watch::channel(false);
    let migrator = migrator_of(&database, SLOW).stop(stopped);
    let (running, ()) = tokio::join!(migrator.up(None), async {
        let asleep = "select exists (select from pg_stat_activity where wait_event = 'PgSleep'
                       and datname = current_database())";
        while !value::<bool>(&database.pool(), asleep).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.send(true).unwrap();
    });
    let error = running.unwrap_err();
    assert!(
        matches!(&error, Error::Stopped { when } if when == "before 0002_next.up.sql"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 75);
    assert_eq!(history(&database.pool()).await, ["0001_slow applied"]);
    migrator_of(&database, SLOW).up(None).await.unwrap();
}

#[tokio::test]
async fn baseline_records_without_running() {
    let database = database().await;
    assert_eq!(migrator(&database).baseline(2).await.unwrap(), 2);
    assert_eq!(migrator(&database).baseline(2).await.unwrap(), 0);
    let pool = database.pool();
    assert_eq!(history(&pool).await, COMPLETE[..2]);
    assert!(!value::<bool>(&pool, "select to_regclass('things') is not null").await);
    let records = migrator(&database).history().await.unwrap();
    assert!(records.iter().all(|record| record.duration_ms.is_none()));
    let error = migrator(&database).baseline(3).await.unwrap_err();
    assert_eq!(error.exit_code(), 64);

    // The table that was there before the history: what comes next is run.
    sqlx::raw_sql("create table things (note text); alter table things owner to nova_owner")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(migrator(&database).up(None).await.unwrap().steps.len(), 2);
}

#[tokio::test]
async fn a_rehearsal_names_the_strong_locks_and_changes_nothing() {
    const NEXT: Source = Source {
        name: "0005_more",
        up: "-- nova: more\ncreate table other ();\nalter table things add column more text;\n\
             create index things_more on things (more);",
        down: "-- nova: less\nalter table things drop column more;\ndrop table other;",
    };
    let database = database().await;
    // From nothing: the owner and the history are rehearsed too.
    let rehearsals = migrator(&database).rehearse(None).await.unwrap();
    assert_eq!(rehearsals.len(), 4);
    assert_eq!(rehearsals[1].strong_locks.as_deref(), Some(&[][..]));
    assert_eq!(rehearsals[2].strong_locks, None);
    assert!(migrator(&database).history().await.unwrap().is_empty());

    migrator(&database).up(None).await.unwrap();
    let before = migrator(&database).fingerprint().await.unwrap();
    let longer = migrator_of(&database, &[LIST, &[NEXT]].concat());
    let rehearsals = longer.rehearse(None).await.unwrap();
    assert_eq!(rehearsals.len(), 1);
    let locks = rehearsals[0].strong_locks.clone().unwrap();
    assert_eq!(locks, ["ACCESS EXCLUSIVE on things", "SHARE on things"]);
    assert_eq!(migrator(&database).fingerprint().await.unwrap(), before);
    assert_eq!(history(&database.pool()).await, COMPLETE);
}
