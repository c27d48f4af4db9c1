//! Who may do what: one table that a person can read, held against the whole catalogue.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::support::{FAMILIES, database};

/// Changing a grant changes this file; the failing test prints it as it would have to be.
const APPROVED: &str = include_str!("privileges.txt");

const ABOUT: &str = "\
# r read, a add, w change, d delete, x execute; an upper case letter: some columns only, listed
# below. No family may truncate, refer to, or put a trigger on anything, or make anything.
# `everybody` is every login there is.

";

/// What each role may do with each object, as letters.
const MATRIX: &str = "
WITH role (name) AS (SELECT unnest($1::text[])),
object (kind, name, oid) AS (
  SELECT 'table', relname::text, oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm', 'p', 'f')
  UNION ALL SELECT 'sequence', relname::text, oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
  UNION ALL SELECT 'function', proname || '()', oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT 'schema', nspname::text, oid FROM pg_namespace WHERE nspname = 'public')
SELECT object.name, role.name,
       CASE kind
         WHEN 'table' THEN concat(
           CASE WHEN has_table_privilege(role.name, oid, 'SELECT') THEN 'r' WHEN has_any_column_privilege(role.name, oid, 'SELECT') THEN 'R' END,
           CASE WHEN has_table_privilege(role.name, oid, 'INSERT') THEN 'a' WHEN has_any_column_privilege(role.name, oid, 'INSERT') THEN 'A' END,
           CASE WHEN has_table_privilege(role.name, oid, 'UPDATE') THEN 'w' WHEN has_any_column_privilege(role.name, oid, 'UPDATE') THEN 'W' END,
           CASE WHEN has_table_privilege(role.name, oid, 'DELETE') THEN 'd' END,
           CASE WHEN has_table_privilege(role.name, oid, 'TRUNCATE') THEN '!truncate' END,
           CASE WHEN has_any_column_privilege(role.name, oid, 'REFERENCES') THEN '!references' END,
           CASE WHEN has_table_privilege(role.name, oid, 'TRIGGER') THEN '!trigger' END)
         WHEN 'sequence' THEN concat(
           CASE WHEN has_sequence_privilege(role.name, oid, 'SELECT') THEN 'r' END,
           CASE WHEN has_sequence_privilege(role.name, oid, 'USAGE') THEN 'x' END,
           CASE WHEN has_sequence_privilege(role.name, oid, 'UPDATE') THEN 'w' END)
         WHEN 'function' THEN CASE WHEN has_function_privilege(role.name, oid, 'EXECUTE') THEN 'x' ELSE '' END
         ELSE concat(
           CASE WHEN has_schema_privilege(role.name, oid, 'USAGE') THEN 'x' END,
           CASE WHEN has_schema_privilege(role.name, oid, 'CREATE') THEN '!create' END)
       END
  FROM object CROSS JOIN role ORDER BY array_position(ARRAY['schema', 'table', 'sequence', 'function'], kind), 1, 2";

/// The columns behind the upper case letters.
const COLUMNS: &str = "
SELECT c.relname::text, role.name, p.letter, string_agg(a.attname, ' ' ORDER BY a.attnum)
  FROM unnest($1::text[]) AS role (name)
  CROSS JOIN (VALUES ('R', 'SELECT'), ('A', 'INSERT'), ('W', 'UPDATE')) AS p (letter, privilege)
  CROSS JOIN pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
   AND NOT has_table_privilege(role.name, c.oid, p.privilege) AND has_column_privilege(role.name, c.oid, a.attnum, p.privilege)
 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";

#[tokio::test]
async fn the_rights_of_every_role_are_those_in_the_table() {
    let database = database().await;
    let pool = database.pool();
    let mut roles = vec!["public".to_owned()];
    roles.extend(FAMILIES.iter().map(|family| format!("nova_{family}")));
    let rows: Vec<(String, String, String)> = sqlx::query_as(MATRIX)
        .bind(&roles)
        .fetch_all(&pool)
        .await
        .unwrap();
    let mut order = Vec::new();
    let mut cells = BTreeMap::new();
    for (object, role, letters) in rows {
        if order.last() != Some(&object) {
            order.push(object.clone());
        }
        cells.insert((object, role), letters);
    }
    let heading = |role: &String| match role.strip_prefix("nova_") {
        Some(family) => family.to_owned(),
        None => "everybody".to_owned(),
    };
    let mut found = ABOUT.to_owned();
    let mut line = format!("{:<34}", "");
    for role in &roles {
        write!(line, "{:<10}", heading(role)).unwrap();
    }
    writeln!(found, "{}", line.trim_end()).unwrap();
    for object in order {
        let mut line = format!("{object:<34}");
        for role in &roles {
            let letters = &cells[&(object.clone(), role.clone())];
            write!(
                line,
                "{:<10}",
                if letters.is_empty() { "." } else { letters }
            )
            .unwrap();
        }
        writeln!(found, "{}", line.trim_end()).unwrap();
    }
    let columns: Vec<(String, String, String, String)> = sqlx::query_as(COLUMNS)
        .bind(&roles)
        .fetch_all(&pool)
        .await
        .unwrap();
    for (table, role, letter, columns) in columns {
        writeln!(found, "\n{letter} {table} {}\n  {columns}", heading(&role)).unwrap();
    }
    assert!(
        found == APPROVED,
        "privileges.txt would have to be:\n{found}"
    );
}

/// They answer the routes of these families' functions in one process. Were they granted something of
/// their own, the table above would not say so.
#[tokio::test]
async fn a_role_for_several_functions_is_the_sum_of_theirs_and_nothing_more() {
    let database = database().await;
    let pool = database.pool();
    for (role, sum) in [
        (
            "nova_mcp",
            vec![
                "nova_articles",
                "nova_research",
                "nova_upload",
                "nova_usage",
            ],
        ),
        (
            "nova_front",
            vec!["nova_download", "nova_health", "nova_mcp"],
        ),
    ] {
        let families: Vec<String> = sqlx::query_scalar(
            "SELECT m.roleid::regrole::text FROM pg_auth_members m
              WHERE m.member = $1::text::regrole ORDER BY 1",
        )
        .bind(role)
        .fetch_all(&pool)
        .await
        .unwrap();
        assert_eq!(families, sum);
        let granted: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM pg_class, aclexplode(relacl) WHERE grantee = $1::text::regrole)
                  + (SELECT count(*) FROM pg_attribute, aclexplode(attacl) WHERE grantee = $1::text::regrole)
                  + (SELECT count(*) FROM pg_proc, aclexplode(proacl) WHERE grantee = $1::text::regrole)
                  + (SELECT count(*) FROM pg_namespace, aclexplode(nspacl) WHERE grantee = $1::text::regrole)",
        )
        .bind(role)
        .fetch_one(&pool)
        .await
        .unwrap();
        assert_eq!(granted, 0, "{role}");
    }
}
