//! Logins and their families.

use nova_store::migrate::grants::{Outcome, parse};
use nova_store::migrate::{Error, Migrator};
use nova_testkit::postgres::{Database, Postgres, Settings};
use sqlx::PgPool;

/// Roles belong to the server, so each of these tests has one of its own.
async fn server() -> (Postgres, Database, PgPool) {
    let postgres = Postgres::start(Settings::default()).await;
    let database = postgres.empty_database().await;
    Migrator::new(database.url.parse().unwrap())
        .up(None)
        .await
        .unwrap();
    let pool = database.pool();
    (postgres, database, pool)
}

async fn grants(database: &Database, text: &str, create: bool) -> Result<Outcome, Error> {
    let grants = parse(text).unwrap();
    Migrator::new(database.url.parse().unwrap())
        .grants(&grants, create)
        .await
}

async fn families(pool: &PgPool, login: &str) -> Vec<String> {
    sqlx::query_scalar(
        "select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid
         join pg_roles r on r.oid = m.member where r.rolname = $1 order by 1",
    )
    .bind(login)
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn settings(pool: &PgPool, login: &str) -> Vec<String> {
    sqlx::query_scalar("select unnest(rolconfig) from pg_roles where rolname = $1 order by 1")
        .bind(login)
        .fetch_all(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_login_gets_its_family_and_a_second_run_changes_nothing() {
    let (_postgres, database, pool) = server().await;
    sqlx::raw_sql("create role \"up-load@p.iam\" login; create role reports login")
        .execute(&pool)
        .await
        .unwrap();
    let wanted = "up-load@p.iam=nova_upload, reports=nova_analytics";
    let outcome = grants(&database, wanted, false).await.unwrap();
    assert_eq!(
        outcome.changes,
        [
            "put up-load@p.iam into nova_upload",
            "put reports into nova_analytics",
            "set statement_timeout = 30s for reports",
            "set default_transaction_read_only = on for reports",
        ]
    );
    assert_eq!(
        grants(&database, wanted, false).await.unwrap(),
        Outcome::default()
    );
    assert_eq!(families(&pool, "up-load@p.iam").await, ["nova_upload"]);
    let reports = database.pool_as("reports");
    let limit: String = sqlx::query_scalar("show statement_timeout")
        .fetch_one(&reports)
        .await
        .unwrap();
    assert_eq!(limit, "30s");
    let error = sqlx::query("delete from tiers")
        .execute(&reports)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
}

#[tokio::test]
async fn a_login_that_changes_its_family_leaves_the_old_one() {
    let (_postgres, database, pool) = server().await;
    grants(&database, "worker=nova_analytics", true)
        .await
        .unwrap();
    sqlx::raw_sql("grant nova_owner, nova_sweeper, pg_monitor to worker")
        .execute(&pool)
        .await
        .unwrap();
    grants(&database, "worker=nova_usage", false).await.unwrap();
    // Roles that are not ours are not touched.
    assert_eq!(
        families(&pool, "worker").await,
        ["nova_usage", "pg_monitor"]
    );
    assert!(settings(&pool, "worker").await.is_empty());
}

#[tokio::test]
async fn a_login_that_is_missing_is_named_with_the_remedy_or_made_on_request() {
    let (_postgres, database, pool) = server().await;
    let wanted = "usage@p.iam=nova_usage";
    let error = grants(&database, wanted, false).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("there is no database user usage@p.iam; make it first"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 64);
    let outcome = grants(&database, wanted, true).await.unwrap();
    assert_eq!(
        outcome.changes,
        [
            "made the login usage@p.iam",
            "put usage@p.iam into nova_usage"
        ]
    );
    assert_eq!(families(&pool, "usage@p.iam").await, ["nova_usage"]);
}

#[tokio::test]
async fn what_would_undo_row_level_security_is_refused() {
    let (_postgres, database, pool) = server().await;
    sqlx::raw_sql("create role plain login; create role mighty login bypassrls; create role team")
        .execute(&pool)
        .await
        .unwrap();
    for (wanted, reason) in [
        ("plain=nova_owner", "cannot be in nova_owner"),
        (
            "plain=pg_read_all_data",
            "there is no family pg_read_all_data",
        ),
        (
            "plain=nova_uplaod",
            "there are nova_analytics, nova_articles",
        ),
        ("postgres=nova_usage", "runs the migrations"),
        ("mighty=nova_usage", "row level security does not stop it"),
        ("team=nova_usage", "it cannot log in"),
    ] {
        let error = grants(&database, wanted, false).await.unwrap_err();
        assert_eq!(error.exit_code(), 64, "{wanted}");
        assert!(error.to_string().contains(reason), "{wanted}: {error}");
    }
    assert!(families(&pool, "plain").await.is_empty());
}

#[tokio::test]
async fn five_at_once_on_two_databases_agree() {
    let (postgres, database, pool) = server().await;
    let other = postgres.empty_database().await;
    Migrator::new(other.url.parse().unwrap())
        .up(None)
        .await
        .unwrap();
    let wanted = "a=nova_usage,b=nova_upload,c=nova_analytics,d=nova_research";
    let results = tokio::join!(
        grants(&database, wanted, true),
        grants(&other, wanted, true),
        grants(&database, wanted, true),
        grants(&other, wanted, true),
        grants(&database, wanted, true)
    );
    for outcome in <[_; 5]>::from(results) {
        outcome.unwrap();
    }
    for (login, family) in [
        ("a", "nova_usage"),
        ("b", "nova_upload"),
        ("c", "nova_analytics"),
    ] {
        assert_eq!(families(&pool, login).await, [family]);
    }
}
