//! The throw-away server as tests use it.

use std::time::{Duration, Instant};

use nova_testkit::postgres::Postgres;

#[tokio::test]
async fn a_database_is_copied_from_what_was_prepared() {
    let started = Instant::now();
    let postgres = Postgres::shared().await;
    println!("server: {:?}", started.elapsed());
    let database = postgres
        .database("greeting", async |url| {
            let pool = sqlx::PgPool::connect(&url).await?;
            sqlx::query("CREATE TABLE greetings AS SELECT 'hello' AS text")
                .execute(&pool)
                .await?;
            // The pool is left open on purpose: it must not stop the copies.
            std::mem::forget(pool);
            Ok(())
        })
        .await;
    let text: String = sqlx::query_scalar("SELECT text FROM greetings")
        .fetch_one(&database.pool())
        .await
        .unwrap();
    assert_eq!(text, "hello");
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..10 {
        let started = Instant::now();
        drop(
            postgres
                .database("greeting", async |_| unreachable!())
                .await,
        );
        times.push(started.elapsed());
    }
    times.sort();
    println!("copies: {times:?}");
}
