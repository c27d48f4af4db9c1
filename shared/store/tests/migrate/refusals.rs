//! What is refused or fails, how it is named, and with which exit code.

use std::time::{Duration, Instant};

use nova_store::migrate::{Error, Migrator, Source};
use nova_testkit::postgres::Postgres;

use crate::synthetic::{COMPLETE, LIST, database, history, migrator, migrator_of, value};

#[tokio::test]
async fn a_file_that_was_changed_after_it_was_applied_is_refused() {
    let database = database().await;
    migrator(&database).up(None).await.unwrap();
    let mut list = LIST.to_vec();
    list[1].up = "-- nova: things\ncreate table things (id bigint primary key);\n";
    for error in [
        migrator_of(&database, &list).up(None).await.unwrap_err(),
        migrator_of(&database, &list).down(0).await.unwrap_err(),
        migrator_of(&database, &list).status().await.unwrap_err(),
        migrator_of(&database, &list).check("").await.unwrap_err(),
    ] {
        assert_eq!(error.exit_code(), 64);
        assert!(
            error
                .to_string()
                .starts_with("0002_things.up.sql was changed"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_migration_that_comes_too_late_is_refused() {
    let database = database().await;
    migrator(&database).up(None).await.unwrap();
    sqlx::query("delete from nova_schema_migrations where version = 3")
        .execute(&database.pool())
        .await
        .unwrap();
    let error = migrator(&database).up(None).await.unwrap_err();
    assert!(matches!(error, Error::Order { .. }), "{error}");
    assert_eq!(error.exit_code(), 64);
}

#[tokio::test]
async fn a_database_that_a_newer_build_has_been_to_is_left_alone() {
    let database = database().await;
    migrator(&database).up(None).await.unwrap();
    let older = migrator_of(&database, &LIST[..2]);
    let report = older.up(None).await.unwrap();
    assert_eq!(report.version, 4);
    assert_eq!(
        report.to_string(),
        "version 0004, nothing to do; a newer build brought 0004_count, which this build leaves alone"
    );
    assert_eq!(older.status().await.unwrap().newer.len(), 2);
    assert_eq!(older.down(0).await.unwrap_err().exit_code(), 64);
    assert_eq!(history(&database.pool()).await, COMPLETE);
}

#[tokio::test]
async fn a_statement_that_fails_is_named_by_file_line_and_number_and_leaves_nothing() {
    const BROKEN: Source = Source {
        name: "0003_broken",
        up: "-- nova: broken\n\ncreate table half ();\n\ninsert into things (id,\n  note, nonsense) values (1);\n",
        down: "-- nova: broken\ndrop table half;",
    };
    const DUPLICATE: Source = Source {
        name: "0003_broken",
        up: "-- nova: broken\ncreate table half ();\n-- twice\ninsert into things values (1, '');\n",
        down: "-- nova: broken\ndrop table half;",
    };
    let database = database().await;
    let pool = database.pool();
    for (source, expected) in [
        (BROKEN, "0003_broken.up.sql:6: statement 2 failed"),
        (DUPLICATE, "0003_broken.up.sql:4: statement 2 failed"),
    ] {
        let error = migrator_of(&database, &[&LIST[..2], &[source]].concat())
            .up(None)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.exit_code(), 1);
        assert_eq!(history(&pool).await, COMPLETE[..2]);
        assert!(!value::<bool>(&pool, "select to_regclass('half') is not null").await);
    }
    let error = migrator_of(&database, &[&LIST[..2], &[DUPLICATE]].concat())
        .up(None)
        .await
        .unwrap_err();
    assert_eq!(error.remarks(), ["detail: Key (id)=(1) already exists."]);
}

#[tokio::test]
async fn a_constraint_that_speaks_up_at_the_commit_is_an_error_of_the_file() {
    const DEFERRED: &[Source] = &[Source {
        name: "0001_deferred",
        up: "-- nova: deferred\ncreate table parent (id int primary key);\n\
             create table child (parent int references parent deferrable initially deferred);\n\
             insert into child values (1);\n",
        down: "-- nova: deferred\ndrop table child, parent;",
    }];
    let database = database().await;
    let error = migrator_of(&database, DEFERRED).up(None).await.unwrap_err();
    assert!(
        matches!(error, Error::Statement { statement: 4, .. }),
        "{error}"
    );
    assert!(
        migrator_of(&database, DEFERRED)
            .history()
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn an_index_that_cannot_be_built_leaves_neither_index_nor_history() {
    const UNIQUE: Source = Source {
        name: "0003_unique",
        up: "-- nova: unique\n-- nova:no-transaction\ncreate unique index concurrently one on things ((1));",
        down: "-- nova: not unique\ndrop index one;",
    };
    let database = database().await;
    let pool = database.pool();
    let migrator = migrator_of(&database, &[&LIST[..2], &[UNIQUE]].concat());
    let error = migrator.up(None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "0003_unique.up.sql:3: statement 1 failed"
    );
    assert!(!value::<bool>(&pool, "select to_regclass('one') is not null").await);
    assert_eq!(history(&pool).await, COMPLETE[..2]);

    sqlx::query("delete from things where id > 1")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(migrator.up(None).await.unwrap().version, 3);
    migrator.down(0).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for_and_then_named() {
    let away = "postgres://nobody@127.0.0.1:1/none".parse().unwrap();
    let started = Instant::now();
    let error = Migrator::new(away)
        .connect_timeout(Duration::from_secs(1))
        .up(None)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert_eq!(error.exit_code(), 69);
    assert!((1.0..5.0).contains(&started.elapsed().as_secs_f64()));
}

#[tokio::test]
async fn a_wrong_database_is_refused_without_waiting() {
    let postgres = Postgres::shared().await;
    let url = postgres.url().replace("/postgres?", "/no_such_database?");
    assert!(url.contains("no_such_database"), "{url}");
    let started = Instant::now();
    let error = Migrator::new(url.parse().unwrap())
        .up(None)
        .await
        .unwrap_err();
    assert_eq!(error.exit_code(), 69);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_unfinished_list_is_refused_before_a_database_is_asked() {
    const GAP: &[Source] = &[Source {
        name: "0002_gap",
        up: "-- nova: a\nselect 1;",
        down: "-- nova: a\nselect 1;",
    }];
    let away = "postgres://nobody@127.0.0.1:1/none".parse().unwrap();
    let error = Migrator::with(away, GAP.to_vec())
        .up(None)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "0002_gap.up.sql:1: this file should be number 0001"
    );
}
