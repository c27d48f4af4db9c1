//! What a test gets: a database of its own, soon.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nova_testkit::postgres::{Binaries, Database, Postgres, Settings, Stop};
use sqlx::{Connection as _, PgConnection, PgPool};

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn text(database: &Database, query: &'static str) -> String {
    sqlx::query_scalar(query)
        .fetch_one(&database.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_database_is_a_copy_of_what_was_prepared() {
    let database = Postgres::shared()
        .await
        .database("greeting", async |url| {
            let pool = PgPool::connect(&url).await?;
            sqlx::query("CREATE TABLE greetings AS SELECT 'hello' AS text")
                .execute(&pool)
                .await?;
            // Left open on purpose: it must not be in the way of the copy.
            std::mem::forget(pool);
            Ok(())
        })
        .await;
    assert_eq!(text(&database, "SELECT text FROM greetings").await, "hello");
}

#[tokio::test]
async fn what_one_test_writes_no_other_sees() {
    let postgres = Postgres::shared().await;
    let prepare = async |url: String| {
        sqlx::raw_sql("CREATE TABLE notes (text text)")
            .execute(&mut connect(&url).await)
            .await?;
        Ok(())
    };
    let (one, other) = tokio::join!(
        postgres.database("notes", prepare),
        postgres.database("notes", prepare)
    );
    sqlx::query("INSERT INTO notes VALUES ('mine')")
        .execute(&one.pool())
        .await
        .unwrap();
    assert_eq!(text(&one, "SELECT count(*)::text FROM notes").await, "1");
    assert_eq!(text(&other, "SELECT count(*)::text FROM notes").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_first_users_one_prepares() {
    static PREPARED: AtomicUsize = AtomicUsize::new(0);
    let users = (0..8).map(|_| {
        tokio::spawn(async {
            let postgres = Postgres::shared().await;
            let prepare = async |_| {
                PREPARED.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok(())
            };
            postgres
                .database("prepared once", prepare)
                .await
                .name
                .clone()
        })
    });
    let mut names = Vec::new();
    for user in users.collect::<Vec<_>>() {
        names.push(user.await.unwrap());
    }
    names.sort();
    names.dedup();
    assert_eq!((names.len(), PREPARED.load(Ordering::SeqCst)), (8, 1));
}

#[tokio::test]
async fn a_failed_preparation_says_why_and_is_tried_again() {
    let fails = tokio::spawn(async {
        let postgres = Postgres::shared().await;
        postgres
            .database("fails at first", async |_| anyhow::bail!("no luck"))
            .await
            .name
            .clone()
    });
    let panic = fails.await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("`fails at first`") && message.contains("no luck"),
        "{message}"
    );
    Postgres::shared()
        .await
        .database("fails at first", async |_| Ok(()))
        .await;
}

#[tokio::test]
async fn sqlx_and_psql_take_the_same_address() {
    let database = Postgres::shared().await.empty_database().await;
    let query = "SELECT current_user || '@' || current_database()";
    let expected = format!("postgres@{}", database.name);
    assert_eq!(text(&database, query).await, expected);
    let psql = Binaries::find()
        .unwrap()
        .tool("psql")
        .expect("psql is installed");
    let output = Command::new(psql)
        .args(["-XAtc", query, &database.url])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        expected,
        "{output:?}"
    );
}

#[tokio::test]
async fn another_role_can_be_chosen_also_an_odd_one() {
    let database = Postgres::shared().await.empty_database().await;
    let name = "test name@project.iam";
    sqlx::raw_sql("CREATE ROLE \"test name@project.iam\" LOGIN")
        .execute(&database.pool())
        .await
        .unwrap();
    let found: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(&database.pool_as(name))
        .await
        .unwrap();
    assert_eq!(found, name);
    let psql = Binaries::find()
        .unwrap()
        .tool("psql")
        .expect("psql is installed");
    let output = Command::new(psql)
        .args(["-XAtc", "SELECT current_user", &database.url_as(name)])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        name,
        "{output:?}"
    );
    drop(database);
    sqlx::raw_sql("DROP ROLE \"test name@project.iam\"")
        .execute(&mut connect(&Postgres::shared().await.url()).await)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_database_goes_with_its_value_even_when_it_is_in_use() {
    let postgres = Postgres::shared().await;
    let database = postgres.empty_database().await;
    let name = database.name.clone();
    let _in_use = connect(&database.url).await;
    let mut administrator = connect(&postgres.url()).await;
    let mut is_there = async || -> bool {
        let query =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
                .bind(&name);
        query.fetch_one(&mut administrator).await.unwrap()
    };
    assert!(is_there().await);
    drop(database);
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_there().await {
        assert!(Instant::now() < deadline, "{name} is still there");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The figures are printed; what is asserted leaves room for a loaded machine.
#[tokio::test]
async fn a_server_takes_less_than_three_seconds_and_a_copy_a_fraction_of_one() {
    let started = Instant::now();
    let mut postgres = Postgres::start(Settings::default()).await;
    let server = started.elapsed();
    let mut copies = Vec::new();
    for _ in 0..11 {
        let started = Instant::now();
        drop(postgres.database("empty", async |_| Ok(())).await);
        copies.push(started.elapsed());
    }
    let first = copies.remove(0);
    copies.sort();
    let median = copies[copies.len() / 2];
    let started = Instant::now();
    postgres.cluster().stop(Stop::Fast).await.unwrap();
    println!(
        "server {server:?}, prepare and copy {first:?}, copy (median of 10) {median:?}, stop {:?}",
        started.elapsed()
    );
    assert!(server < Duration::from_secs(3), "{server:?}");
    assert!(median < Duration::from_secs(1), "{median:?}");
}
