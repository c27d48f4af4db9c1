use std::sync::atomic::{AtomicUsize, Ordering};

use nova_testkit::postgres::{Database, Postgres};
use sqlx::{postgres::PgPoolOptions, query_scalar};

use super::*;

async fn database() -> Database {
    Postgres::shared()
        .await
        .database("empty", async |_| Ok(()))
        .await
}

fn connections(database: &Database, count: u32) -> Connections {
    let options = PgPoolOptions::new()
        .max_connections(count)
        .acquire_timeout(Duration::from_secs(20));
    Connections::new(options.connect_lazy(&database.url).unwrap())
}

async fn ask<T>(connection: &mut PgConnection, question: &'static str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    query_scalar(question).fetch_one(connection).await.unwrap()
}

const WHO: &str = "SELECT pg_backend_pid()";
const USER: &str = "SELECT coalesce(current_setting('app.user_id', true), '')";
const BATCH: &str = "BEGIN; SET LOCAL app.user_id = 'alice'";

#[tokio::test]
async fn whatever_happened_on_a_connection_it_is_the_next_ones_and_nobodys() {
    let database = database().await;
    let one = connections(&database, 1);
    let first: i32 = ask(&mut one.lend().await.unwrap(), WHO).await;
    for how_it_ends in 0..4 {
        let mut lent = one.lend().await.unwrap();
        lent.begin(BATCH).await.unwrap();
        assert_eq!(ask::<String>(&mut lent, USER).await, "alice");
        match how_it_ends {
            0 => lent.commit().await.unwrap(),
            1 => drop(lent),
            2 => {
                let wrong = raw_sql("SELECT 1 / 0").execute(&mut *lent).await;
                wrong.unwrap_err();
                drop(lent);
            }
            _ => {
                let slow = raw_sql("SELECT pg_sleep(0.2)").execute(&mut *lent);
                let gave_up = timeout(Duration::from_millis(20), slow).await;
                gave_up.unwrap_err();
                drop(lent);
            }
        }
        let mut lent = one.lend().await.unwrap();
        assert_eq!(ask::<i32>(&mut lent, WHO).await, first, "{how_it_ends}");
        assert_eq!(ask::<String>(&mut lent, USER).await, "", "{how_it_ends}");
    }
}

#[tokio::test]
async fn it_can_be_seen_how_many_there_are_and_who_has_them() {
    let database = database().await;
    let two = connections(&database, 2);
    let seen = || {
        let PoolStatus { lent, idle, most } = two.status();
        (lent, idle, most)
    };
    assert_eq!(seen(), (0, 0, 2));
    let (mut first, mut second) = (two.lend().await.unwrap(), two.lend().await.unwrap());
    assert_eq!(seen(), (2, 0, 2));
    for lent in [&mut first, &mut second] {
        lent.begin(BATCH).await.unwrap();
    }
    first.commit().await.unwrap();
    assert_eq!(seen(), (1, 1, 2));
    second.commit().await.unwrap();
    assert_eq!(seen(), (0, 2, 2));
}

#[tokio::test]
async fn one_that_does_not_become_ready_is_closed() {
    let database = database().await;
    let one = connections(&database, 1);
    let mut lent = one.lend().await.unwrap();
    lent.begin(BATCH).await.unwrap();
    let slow = raw_sql("SELECT pg_sleep(60)").execute(&mut *lent);
    let gave_up = timeout(Duration::from_millis(20), slow).await;
    gave_up.unwrap_err();
    let born = lent.born;
    drop(lent);
    let waited = Instant::now();
    assert!(one.lend().await.unwrap().born > born, "it is a new one");
    assert!(waited.elapsed() >= READY_AGAIN_DEADLINE.mul_f64(0.9));
}

#[tokio::test]
async fn one_that_died_while_it_was_idle_is_not_lent() {
    let database = database().await;
    let two = connections(&database, 2);
    for _ in 0..2 {
        let mut lent = two.lend().await.unwrap();
        lent.begin(BATCH).await.unwrap();
        lent.commit().await.unwrap();
    }
    {
        let mut ready = two.0.ready();
        let idle = ready.idle.first_mut().unwrap();
        idle.since = Instant::now().checked_sub(ASK_AFTER_IDLE).unwrap();
    }
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query(kill).execute(&database.pool()).await.unwrap();
    assert_eq!(
        ask::<i32>(&mut two.lend().await.unwrap(), "SELECT 1").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_never_more_than_allowed_and_none_is_lost() {
    const COUNT: u32 = 3;
    let database = database().await;
    let all = connections(&database, COUNT);
    let (lent_now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = async |number: u32| {
        for turn in 0..25_u32 {
            let mut lent = all.lend().await.unwrap();
            most.fetch_max(
                lent_now.fetch_add(1, Ordering::SeqCst) + 1,
                Ordering::SeqCst,
            );
            let end = (number * 7 + turn) % 5;
            if end > 0 {
                lent.begin(BATCH).await.unwrap();
            }
            let asked = raw_sql("SELECT pg_sleep(0.001)").execute(&mut *lent);
            if end == 3 {
                drop(timeout(Duration::from_micros(300), asked).await);
            } else {
                asked.await.unwrap();
            }
            lent_now.fetch_sub(1, Ordering::SeqCst);
            if end == 4 {
                lent.commit().await.unwrap();
            }
        }
    };
    futures_util::future::join_all((0..20).map(work)).await;
    assert_eq!(most.into_inner(), 3);
    // All turns are free again, and whatever is there is ready.
    let turns = all.0.turns.acquire_many(COUNT).await.unwrap();
    let ready = all.0.ready().idle.len();
    assert!((1..=3).contains(&ready), "{ready}");
    let count = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let there: i64 = query_scalar(count)
        .fetch_one(&database.pool())
        .await
        .unwrap();
    assert_eq!(usize::try_from(there).unwrap(), ready);
    drop(turns);
}

#[tokio::test]
async fn what_nobody_wants_for_a_while_is_closed() {
    let database = database().await;
    let two = connections(&database, 2);
    drop((two.lend().await.unwrap(), two.lend().await.unwrap()));
    drop(two.0.turns.acquire_many(2).await.unwrap());
    {
        let mut ready = two.0.ready();
        assert_eq!(ready.idle.len(), 2);
        let idle = ready.idle.first_mut().unwrap();
        idle.since = Instant::now().checked_sub(CLOSE_AFTER_IDLE).unwrap();
    }
    tokio::time::pause();
    tokio::time::sleep(CLOSE_AFTER_IDLE / 4).await;
    let ready = two.0.ready();
    assert_eq!(ready.idle.len(), 1);
    assert!(ready.is_watched);
}
