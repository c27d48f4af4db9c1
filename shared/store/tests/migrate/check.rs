//! The live schema beside the committed one.

use nova_store::migrate::{Difference, Error, SCHEMA, Source};

use crate::synthetic::{LIST, database, migrator, migrator_of};

#[tokio::test]
async fn what_was_changed_by_hand_is_named_object_by_object() {
    let database = database().await;
    let pool = database.pool();
    migrator(&database).up(None).await.unwrap();
    let expected = migrator(&database).fingerprint().await.unwrap();
    assert_eq!(migrator(&database).check(&expected).await.unwrap(), 4);

    for (change, objects) in [
        (
            "alter table things add column extra int",
            vec!["column things.extra"],
        ),
        (
            "alter table things alter note drop not null",
            vec!["column things.note"],
        ),
        (
            "alter table things alter note set default ''",
            vec!["column things.note"],
        ),
        ("drop index things_note", vec!["index things_note"]),
        (
            "drop index things_note; create index things_note on things (note desc)",
            vec!["index things_note"],
        ),
        (
            "grant select on things to pg_monitor",
            vec!["grant on things to pg_monitor"],
        ),
        (
            "grant update (note) on things to pg_monitor",
            vec!["grant on things.note to pg_monitor"],
        ),
        (
            "revoke execute on function thing_count() from public",
            vec!["grant on function thing_count() to public"],
        ),
        (
            "alter function thing_count() security definer",
            vec!["function thing_count()"],
        ),
        (
            "create or replace function thing_count() returns bigint language sql stable as 'select 1::bigint'",
            vec!["function thing_count()"],
        ),
        (
            "alter table things enable row level security",
            vec!["table things"],
        ),
        (
            "create policy loose on things using (true)",
            vec!["policy things.loose"],
        ),
        (
            "alter table things add constraint positive check (id > 0)",
            vec!["constraint things.positive"],
        ),
        (
            "create view seen as select id from things",
            vec!["column seen.id", "view seen"],
        ),
        (
            "create type mood as enum ('good')",
            vec!["grant on type mood to public", "type mood"],
        ),
        (
            "alter table things owner to postgres",
            vec!["grant on function thing_count() to public", "table things"],
        ),
        ("create extension pg_trgm", vec!["extension pg_trgm"]),
        ("create schema elsewhere", vec!["schema elsewhere"]),
        (
            "create function noop() returns trigger language plpgsql as 'begin return new; end';
             create trigger noop before insert on things for each row execute function noop()",
            vec![
                "function noop()",
                "grant on function noop() to public",
                "trigger things.noop",
            ],
        ),
    ] {
        let mut session = pool.begin().await.unwrap();
        sqlx::raw_sql(change).execute(&mut *session).await.unwrap();
        session.commit().await.unwrap();
        let differences = differences(migrator(&database).check(&expected).await);
        let named: Vec<&str> = differences.iter().map(|one| one.object.as_str()).collect();
        if change.contains("owner to") {
            assert!(named.contains(&"table things"), "{change}: {named:?}");
        } else {
            assert_eq!(named, objects, "{change}");
        }
        // Back to the start for the next change.
        sqlx::raw_sql(
            "drop schema public cascade; drop schema if exists elsewhere; drop schema side;
             create schema public; grant usage on schema public to public;
             alter schema public owner to pg_database_owner",
        )
        .execute(&pool)
        .await
        .unwrap();
        migrator(&database).up(None).await.unwrap();
        assert_eq!(
            migrator(&database).check(&expected).await.unwrap(),
            4,
            "after {change}"
        );
    }
}

fn differences(result: Result<i32, Error>) -> Vec<Difference> {
    match result {
        Err(Error::SchemaDiffers(differences)) => differences,
        other => panic!("no difference was found: {other:?}"),
    }
}

#[tokio::test]
async fn a_missing_object_reads_as_a_sentence() {
    let database = database().await;
    migrator(&database).up(None).await.unwrap();
    let expected = migrator(&database).fingerprint().await.unwrap();
    sqlx::raw_sql(
        "drop index things_note; alter table things add column extra int not null default 0",
    )
    .execute(&database.pool())
    .await
    .unwrap();
    let error = migrator(&database).check(&expected).await.unwrap_err();
    assert_eq!(error.exit_code(), 64);
    assert_eq!(
        error.to_string(),
        "the live schema differs from this build's migrations in 2 place(s):\n  \
         unexpected: column things.extra: integer not null default 0\n  \
         missing: index things_note: CREATE INDEX things_note ON public.things USING btree (note)"
    );
}

#[tokio::test]
async fn a_database_at_another_version_is_not_compared() {
    let database = database().await;
    migrator(&database).up(Some(3)).await.unwrap();
    let error = migrator(&database).check(SCHEMA).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "0004_count.up.sql is not applied; run up first"
    );
    migrator(&database).up(None).await.unwrap();
    let older: &[Source] = &LIST[..3];
    let error = migrator_of(&database, older)
        .check(SCHEMA)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("a newer build brought 0004_count"),
        "{error}"
    );
}
