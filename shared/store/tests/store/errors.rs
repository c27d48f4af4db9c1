//! Each class of failure becomes the kind of error that a caller can act on.

use std::time::Duration;

use nova_store::{Error, Store};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::support::{database, run, store, user};

fn name(error: &Error) -> &'static str {
    match error {
        Error::NotFound { .. } => "not found",
        Error::Conflict { .. } => "conflict",
        Error::Refused { .. } => "refused",
        Error::Unavailable(_) => "unavailable",
        Error::Schema { .. } => "schema",
        Error::Database(_) => "database",
    }
}

#[tokio::test]
async fn each_sqlstate_has_its_kind() {
    let database = database().await;
    let pool = database.pool();
    for (code, expected) in [
        ("23505", "conflict"),
        ("23503", "conflict"),
        ("23P01", "conflict"),
        ("NV001", "conflict"),
        ("NV002", "conflict"),
        ("NV004", "conflict"),
        ("NV006", "conflict"),
        ("23514", "refused"),
        ("23502", "refused"),
        ("22001", "refused"),
        ("22P02", "refused"),
        ("NV003", "refused"),
        ("NV005", "refused"),
        ("08006", "unavailable"),
        ("28P01", "unavailable"),
        ("40001", "unavailable"),
        ("40P01", "unavailable"),
        ("53100", "unavailable"),
        ("53300", "unavailable"),
        ("55P03", "unavailable"),
        ("57014", "unavailable"),
        ("57P01", "unavailable"),
        ("58030", "unavailable"),
        ("25P03", "unavailable"),
        ("42P01", "database"),
        ("42501", "database"),
        ("42601", "database"),
        ("25006", "database"),
        ("XX000", "database"),
    ] {
        let raise =
            format!("DO $$ BEGIN RAISE EXCEPTION 'secret detail' USING ERRCODE = '{code}'; END $$");
        let error = Error::from(
            sqlx::raw_sql(AssertSqlSafe(raise))
                .execute(&pool)
                .await
                .unwrap_err(),
        );
        assert_eq!(name(&error), expected, "{code}");
        assert_eq!(error.is_retryable(), expected == "unavailable", "{code}");
        assert!(
            !error.to_string().contains("secret"),
            "what a user may read is written on purpose: {error}"
        );
        let source =
            std::error::Error::source(&error).expect("the database's own words are for the log");
        assert!(source.to_string().contains("secret detail"));
    }
}

#[tokio::test]
async fn connections_that_died_in_the_pool_cost_no_request() {
    let database = database().await;
    let alice = user("alice");
    let options: PgConnectOptions = database.url_as("test_research").parse().unwrap();
    let pool = PgPoolOptions::new().max_connections(4);
    let store = Store::new(pool.connect_lazy_with(options));
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(store.tenant(&alice).await.unwrap());
    }
    for tenant in held {
        tenant.commit().await.unwrap();
    }
    run(
        &database.pool(),
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'test_research'",
    )
    .await;
    for _ in 0..4 {
        let mut tenant = store.tenant(&alice).await.unwrap();
        tenant.articles(None, 1).await.unwrap();
        tenant.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_had_is_unavailable() {
    let database = database().await;
    let alice = user("alice");
    let busy = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(100));
    let busy = Store::new(busy.connect_lazy_with(database.url.parse().unwrap()));
    let held = busy.tenant(&alice).await.unwrap();
    let error = busy.tenant(&alice).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    drop(held);
    busy.tenant(&alice).await.unwrap();

    let nowhere = PgConnectOptions::new()
        .host("127.0.0.1")
        .port(1)
        .username("nobody");
    let nowhere = PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(100))
        .connect_lazy_with(nowhere);
    let error = Store::new(nowhere).health().await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");

    let killed = store(&database, "research");
    let mut tenant = killed.tenant(&alice).await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'test_research' AND datname = current_database()";
    sqlx::query(kill).execute(&database.pool()).await.unwrap();
    let error = tenant.articles(None, 1).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    drop(tenant);
    killed
        .tenant(&alice)
        .await
        .unwrap()
        .articles(None, 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn health_says_which_schema_it_found() {
    let migrated = database().await;
    let health = store(&migrated, "health");
    assert_eq!(health.health().await.unwrap(), nova_store::REQUIRED_VERSION);
    let sql = migrated.pool();
    sqlx::raw_sql("UPDATE nova_schema_migrations SET state = 'applying' WHERE version = (SELECT max(version) FROM nova_schema_migrations)")
        .execute(&sql)
        .await
        .unwrap();
    let older = health.health().await.unwrap_err();
    let expected = format!(
        "this program needs schema version {0}, the database has {1}",
        nova_store::REQUIRED_VERSION,
        nova_store::REQUIRED_VERSION - 1
    );
    assert_eq!(older.to_string(), expected);
    sqlx::raw_sql("UPDATE nova_schema_migrations SET state = 'applied', version = version + 1000")
        .execute(&sql)
        .await
        .unwrap();
    assert_eq!(
        health.health().await.unwrap(),
        nova_store::REQUIRED_VERSION + 1000,
        "a newer schema serves older programs"
    );

    let empty = nova_testkit::postgres::Postgres::shared()
        .await
        .empty_database()
        .await;
    let none = Store::new(empty.pool()).health().await.unwrap_err();
    assert!(
        matches!(none, Error::Schema { found: None, .. }),
        "{none:?}"
    );
}
