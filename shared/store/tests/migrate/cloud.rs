//! As on Cloud SQL: the migrating user is no superuser; it may create roles, and is a member of the
//! role that owns the database.

use nova_store::migrate::grants::parse;
use nova_store::migrate::{Migrator, SCHEMA};
use nova_testkit::postgres::{Database, Postgres, Settings};

async fn cloud() -> (Postgres, Database) {
    let postgres = Postgres::start(Settings::default()).await;
    let database = postgres.empty_database().await;
    let name = &database.name;
    let statements = format!(
        "create role cloudsqlsuperuser createrole createdb;
         create role migrator login createrole createdb in role cloudsqlsuperuser;
         create role outsider login;
         alter database \"{name}\" owner to cloudsqlsuperuser"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(&database.pool())
        .await
        .unwrap();
    (postgres, database)
}

fn migrator_as(database: &Database, user: &str) -> Migrator {
    Migrator::new(database.url_as(user).parse().unwrap())
}

#[tokio::test]
async fn a_user_who_may_only_create_roles_brings_an_empty_server_to_head() {
    let (_postgres, database) = cloud().await;
    let migrator = migrator_as(&database, "migrator");
    let report = migrator.up(None).await.unwrap();
    assert!(report.version > 0);
    assert_eq!(migrator.check(SCHEMA).await.unwrap(), report.version);
    let record = &migrator.history().await.unwrap()[0];
    assert_eq!(record.applied_by, "migrator");

    let grants = parse("usage@p.iam=nova_usage,analytics@p.iam=nova_analytics").unwrap();
    let outcome = migrator.grants(&grants, true).await.unwrap();
    assert!(outcome.warnings.is_empty(), "{outcome:?}");
    assert!(
        migrator
            .grants(&grants, false)
            .await
            .unwrap()
            .changes
            .is_empty()
    );

    migrator.down(0).await.unwrap();
    migrator.up(None).await.unwrap();
    migrator.check(SCHEMA).await.unwrap();
}

#[tokio::test]
async fn five_such_users_at_once_on_an_empty_server_and_two_databases_succeed() {
    let (postgres, database) = cloud().await;
    let other = postgres.empty_database().await;
    let owner = format!(
        "alter database \"{}\" owner to cloudsqlsuperuser",
        other.name
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(owner))
        .execute(&other.pool())
        .await
        .unwrap();
    let (here, there) = (
        migrator_as(&database, "migrator"),
        migrator_as(&other, "migrator"),
    );
    let results = tokio::join!(
        here.up(None),
        there.up(None),
        here.up(None),
        there.up(None),
        here.up(None)
    );
    let applied: usize = <[_; 5]>::from(results)
        .into_iter()
        .map(|result| result.unwrap().steps.len())
        .sum();
    assert_eq!(applied, 2 * nova_store::migrate::MIGRATIONS.len());
    here.check(SCHEMA).await.unwrap();
    there.check(SCHEMA).await.unwrap();
}

#[tokio::test]
async fn a_user_without_rights_is_told_what_is_missing() {
    let (_postgres, database) = cloud().await;
    let error = migrator_as(&database, "outsider")
        .up(None)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("create role nova_owner"),
        "{error}"
    );
    // Asking is allowed to everybody, before there is a history and after.
    assert_eq!(
        migrator_as(&database, "outsider")
            .status()
            .await
            .unwrap()
            .version,
        0
    );
    migrator_as(&database, "migrator").up(None).await.unwrap();
    assert!(
        migrator_as(&database, "outsider")
            .status()
            .await
            .unwrap()
            .pending
            .is_empty()
    );
    assert!(
        migrator_as(&database, "outsider")
            .up(None)
            .await
            .unwrap()
            .steps
            .is_empty()
    );
}
