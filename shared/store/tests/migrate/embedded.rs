//! This build's own migrations: the list is the folder, and the committed description of the
//! schema is what they make.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use nova_store::migrate::{MIGRATIONS, Migration, Migrator, SCHEMA};
use nova_testkit::postgres::{Binaries, Database};

use crate::synthetic::database;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations")
}

fn migrator(database: &Database) -> Migrator {
    Migrator::new(database.url.parse().unwrap())
}

/// The schema as `pg_dump` sees it, without the random marks of its newer releases.
fn dump(database: &Database) -> String {
    let pg_dump = Binaries::find()
        .unwrap()
        .tool("pg_dump")
        .expect("pg_dump is installed");
    let output = Command::new(pg_dump)
        .args(["--schema-only", "--dbname", &database.url])
        .output();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let random = |line: &&str| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict");
    text.lines().filter(random).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_list_is_the_folder() {
    let listed: BTreeSet<String> = MIGRATIONS
        .iter()
        .flat_map(|one| {
            [
                format!("{}.up.sql", one.name),
                format!("{}.down.sql", one.name),
            ]
        })
        .collect();
    let found: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|extension| extension == "sql")
        })
        .collect();
    assert_eq!(listed, found);
    assert_eq!(Migration::list(MIGRATIONS).unwrap().len(), MIGRATIONS.len());
}

#[tokio::test]
async fn up_down_and_up_again_gives_the_same_schema() {
    let database = database().await;
    let head = migrator(&database).up(None).await.unwrap().version;
    let (first, fingerprint) = (
        dump(&database),
        migrator(&database).fingerprint().await.unwrap(),
    );
    assert!(first.contains("CREATE TABLE public.articles"), "{first}");
    migrator(&database).down(0).await.unwrap();
    let empty = dump(&database);
    assert!(!empty.contains("articles"), "{empty}");
    migrator(&database).up(None).await.unwrap();
    assert_eq!(dump(&database), first);
    assert_eq!(
        migrator(&database).fingerprint().await.unwrap(),
        fingerprint
    );

    // Each file undoes exactly its own.
    let mut dumps = Vec::new();
    for version in (0..head).rev() {
        migrator(&database).down(version).await.unwrap();
        dumps.push(dump(&database));
    }
    assert_eq!(dumps.last(), Some(&empty));
    for version in 1..=head {
        let before = dumps.pop().unwrap();
        assert_eq!(dump(&database), before, "before {version}");
        migrator(&database).up(Some(version)).await.unwrap();
    }
    assert_eq!(dump(&database), first);
}

#[tokio::test]
async fn the_committed_schema_is_what_the_migrations_make() {
    let database = database().await;
    migrator(&database).up(None).await.unwrap();
    let found = migrator(&database).fingerprint().await.unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch for the person who runs the tests"
    )]
    if std::env::var("NOVA_WRITE_SCHEMA").is_ok() {
        std::fs::write(folder().join("schema.txt"), &found).unwrap();
        return;
    }
    let result = migrator(&database).check(SCHEMA).await;
    if let Err(error) = result {
        panic!(
            "{error}\nIf the migrations are right, write it anew: NOVA_WRITE_SCHEMA=1 cargo test -p nova-store committed_schema"
        );
    }
    assert_eq!(
        found, SCHEMA,
        "the file is exactly what `migrate fingerprint` prints"
    );
}
