//! Changes of many rows, some at a time.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use nova_store::migrate::{Error, Source};
use nova_testkit::postgres::Binaries;
use tokio::sync::watch;

use crate::synthetic::{LIST, database, history, migrator_of, value};

/// A thousand rows, three hundred at a time.
const BATCHES: &[Source] = &[
    LIST[0],
    LIST[1],
    Source {
        name: "0003_notes",
        up: "-- nova: notes in capitals\n-- nova:in-batches\n\
             update things set note = upper(note) where id in\n\
             (select id from things where note <> upper(note) order by id limit 300);\n",
        down: "-- nova: notes in small letters\n-- nova:in-batches\n\
               update things set note = lower(note) where id in\n\
               (select id from things where note <> lower(note) limit 300);\n",
    },
];
const LEFT: &str = "select count(*) from things where note <> upper(note)";

#[tokio::test]
async fn many_rows_are_changed_in_batches_and_a_run_that_was_cut_off_is_gone_on_with() {
    let database = database().await;
    let pool = database.pool();
    let (stop, stopped) = watch::channel(false);
    let cut_off = migrator_of(&database, BATCHES)
        .stop(stopped)
        .progress(move |line| {
            if line == "0003_notes.up.sql: 600 rows so far" {
                stop.send(true).unwrap();
            }
        });
    let error = cut_off.up(None).await.unwrap_err();
    assert!(
        matches!(&error, Error::Stopped { when } if when == "after 600 rows of 0003_notes.up.sql"),
        "{error}"
    );
    assert_eq!(value::<i64>(&pool, LEFT).await, 400, "what was done stays");
    assert_eq!(history(&pool).await[2], "0003_notes applying");

    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&told);
    let again = migrator_of(&database, BATCHES)
        .progress(move |line| hears.lock().unwrap().push(line.to_owned()));
    again.up(None).await.unwrap();
    assert_eq!(value::<i64>(&pool, LEFT).await, 0);
    assert_eq!(history(&pool).await[2], "0003_notes applied");
    let rows = told.lock().unwrap().join("\n");
    assert!(
        rows.contains("300 rows so far") && rows.contains("400 rows so far"),
        "{rows}"
    );
    migrator_of(&database, BATCHES).down(2).await.unwrap();
    assert_eq!(value::<i64>(&pool, LEFT).await, 1000);
}

#[tokio::test]
async fn the_plan_of_batches_is_sql_that_psql_can_run() {
    let database = database().await;
    let migrator = migrator_of(&database, BATCHES);
    migrator.up(Some(2)).await.unwrap();
    let sql = migrator.plan_sql(None).await.unwrap();
    let psql = Binaries::find()
        .unwrap()
        .tool("psql")
        .expect("psql is installed");
    let mut psql = Command::new(psql)
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"])
        .arg(&database.url)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    psql.stdin
        .take()
        .unwrap()
        .write_all(sql.as_bytes())
        .unwrap();
    assert!(psql.wait().unwrap().success(), "{sql}");
    assert_eq!(value::<i64>(&database.pool(), LEFT).await, 0);
    assert_eq!(history(&database.pool()).await[2], "0003_notes applied");
}
