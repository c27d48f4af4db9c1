//! A backup is worth what can be made of it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use nova_store::Error;
use nova_store::migrate::{Migrator, SCHEMA};
use nova_testkit::postgres::{Binaries, Postgres};

use crate::support::{article, database, store, user, value, within};

/// Rows of every table, as one line each.
const ROWS: &str = "SELECT string_agg(format('%s %s', relname, xpath('/row/c/text()',
                      query_to_xml(format('SELECT count(*) AS c FROM %I', relname), false, true, ''))), ', ' ORDER BY relname)
                      FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";

#[tokio::test]
async fn a_database_that_is_restored_has_the_rows_the_schema_and_the_fences_of_the_one_before() {
    let lost = database().await;
    let (alice, bob) = (user("alice"), user("bob"));
    let mine = article(&store(&lost, "upload"), &alice).await;
    article(&store(&lost, "upload"), &bob).await;
    let programs = Binaries::find().unwrap();
    let dump = Command::new(programs.tool("pg_dump").expect("pg_dump is installed"))
        .args(["--dbname", &lost.url])
        .output()
        .unwrap();
    assert!(dump.status.success(), "{dump:?}");

    let restored = Postgres::shared().await.empty_database().await;
    let mut psql = Command::new(programs.tool("psql").expect("psql is installed"))
        .args([
            "--no-psqlrc",
            "--quiet",
            "--set",
            "ON_ERROR_STOP=1",
            &restored.url,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    psql.stdin.take().unwrap().write_all(&dump.stdout).unwrap();
    assert!(psql.wait().unwrap().success());

    let migrator = Migrator::new(restored.url.parse().unwrap());
    migrator.check(SCHEMA).await.unwrap();
    let rows = value::<String>(&lost.pool(), ROWS).await;
    assert!(rows.contains("articles {2}"), "{rows}");
    assert_eq!(value::<String>(&restored.pool(), ROWS).await, rows);
    let tools = store(&restored, "research");
    let found = within(&tools, &alice, async |t| t.article(mine).await).await;
    assert_eq!(found.unwrap().id, mine);
    let refused = within(&tools, &bob, async |t| t.article(mine).await).await;
    assert!(
        matches!(refused, Err(Error::NotFound { .. })),
        "{refused:?}"
    );
    // And work goes on.
    article(&store(&restored, "upload"), &alice).await;
}
