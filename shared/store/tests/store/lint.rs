//! Migrations do not stand in the way of the traffic that goes on beside them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use squawk_linter::{Linter, Rule};
use squawk_syntax::SourceFile;

/// Rules that do not fit here, and why.
const NOT_OURS: [Rule; 4] = [
    // IF NOT EXISTS is for scripts that are run again from the top. Ours run in a transaction or
    // are resumed by the engine; on an index build it would take an invalid index for a good one.
    Rule::PreferRobustStmts,
    // The engine sets both, with retries.
    Rule::RequireTimeoutSettings,
    Rule::RequireLockTimeout,
    Rule::RequireStatementTimeout,
];

fn files() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let sql = files.filter(|path| path.extension().is_some_and(|extension| extension == "sql"));
    sql.map(|path| {
        (
            path.file_name().unwrap().to_string_lossy().into_owned(),
            fs::read_to_string(&path).unwrap(),
        )
    })
    .collect()
}

/// What is wrong with a file, each with its line.
fn complaints(name: &str, text: &str) -> Vec<String> {
    let options = ["\n-- nova:no-transaction", "\n-- nova:in-batches"];
    let in_transaction = !options.iter().any(|option| text.contains(option));
    let mut linter = Linter::with_rules(&[], &NOT_OURS);
    linter.settings.assume_in_transaction = in_transaction;
    linter.settings.pg_version = "15".parse().unwrap();
    let file = SourceFile::parse(text);
    let line = |offset: usize| {
        text.as_bytes()
            .iter()
            .take(offset)
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    };
    let mut found: Vec<String> = file
        .errors()
        .iter()
        .map(|error| {
            format!(
                "{name}:{}: {}",
                line(error.range().start().into()),
                error.message()
            )
        })
        .collect();
    let violations = linter.lint(&file, text);
    found.extend(
        violations
            .iter()
            // What a down file takes away was brought by its up file.
            .filter(|one| {
                let takes_away = one.code.to_string().starts_with("ban-drop-")
                    || one.code == Rule::RequireConcurrentIndexDeletion;
                !(name.ends_with(".down.sql") && takes_away)
            })
            .map(|one| {
                format!(
                    "{name}:{}: {}: {}",
                    line(one.text_range.start().into()),
                    one.code,
                    one.message
                )
            }),
    );
    for (number, content) in (1..).zip(text.lines()) {
        let lower = content.to_lowercase();
        let statement = lower.trim_start();
        let ours = [
            (
                (statement.starts_with("update ") || statement.starts_with("delete from "))
                    && in_transaction
                    && !content.starts_with(' '),
                "a change of all rows of a table needs -- nova:in-batches",
            ),
            (
                lower.contains(" concurrently ") && in_transaction,
                "CONCURRENTLY needs -- nova:no-transaction",
            ),
            (
                (lower.contains("to_char(") || lower.contains("date_trunc("))
                    && !lower.contains("at time zone 'utc'"),
                "months begin in UTC, not where the session is",
            ),
            (
                lower.contains("force row level security"),
                "the functions that run as the owner name the tenant themselves",
            ),
            (
                lower.contains("security definer")
                    && !lower.contains("set search_path = pg_catalog, public, pg_temp"),
                "a function that runs as its owner says where it looks for names",
            ),
            (
                lower.contains("bypassrls") || lower.contains(" superuser"),
                "no role is past row level security",
            ),
            (
                lower.contains(" cascade;"),
                "CASCADE drops what nobody has read",
            ),
            (
                statement.starts_with("grant ") && lower.contains(" all "),
                "rights are named",
            ),
            (lower.contains("to public"), "rights are given to families"),
        ];
        found.extend(
            ours.iter()
                .filter(|(wrong, _)| *wrong)
                .map(|(_, why)| format!("{name}:{number}: {why}")),
        );
    }
    found
}

#[test]
fn no_migration_stands_in_the_way() {
    let found: Vec<String> = files()
        .iter()
        .flat_map(|(name, text)| complaints(name, text))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_lint_sees_what_would() {
    let planted = [
        (
            "CREATE INDEX i ON articles (title);",
            "require-concurrent-index-creation",
        ),
        (
            "CREATE INDEX CONCURRENTLY i ON articles (title);",
            "needs -- nova:no-transaction",
        ),
        (
            "ALTER TABLE articles ADD COLUMN x bigint NOT NULL;",
            "adding-required-field",
        ),
        (
            "ALTER TABLE articles ADD COLUMN x timestamptz DEFAULT clock_timestamp();",
            "adding-field-with-default",
        ),
        (
            "ALTER TABLE articles ALTER COLUMN title TYPE varchar(10);",
            "changing-column-type",
        ),
        (
            "ALTER TABLE articles ALTER COLUMN title SET NOT NULL;",
            "adding-not-nullable-field",
        ),
        (
            "ALTER TABLE articles ADD CONSTRAINT c CHECK (title <> '');",
            "constraint-missing-not-valid",
        ),
        (
            "ALTER TABLE articles ADD CONSTRAINT c UNIQUE (title);",
            "disallowed-unique-constraint",
        ),
        (
            "ALTER TABLE articles RENAME COLUMN title TO name;",
            "renaming-column",
        ),
        ("ALTER TABLE articles DROP COLUMN title;", "ban-drop-column"),
        ("DROP TABLE articles;", "ban-drop-table"),
        (
            "UPDATE articles SET title = '';",
            "needs -- nova:in-batches",
        ),
        (
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN 1;",
            "looks for names",
        ),
        ("GRANT SELECT ON articles TO PUBLIC;", "to families"),
        ("DROP VIEW local_files CASCADE;", "CASCADE"),
        ("SELECT to_char(now(), 'YYYY-MM');", "months begin in UTC"),
        ("SELEC 1;", "0009_planted.up.sql:2"),
    ];
    for (statement, expected) in planted {
        let text = format!("-- nova: planted\n{statement}\n");
        let found = complaints("0009_planted.up.sql", &text).join("\n");
        assert!(found.contains(expected), "{statement}\n{found}");
    }
}
