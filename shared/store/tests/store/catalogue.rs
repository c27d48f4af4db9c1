//! What holds for every object of the schema, read from the catalogue, so that it holds for the
//! next one too.

use sqlx::PgPool;

use crate::support::database;

/// The names that a query about offenders returns; there must be none.
async fn none(pool: &PgPool, rule: &str, offenders: &'static str) {
    let found: Vec<String> = sqlx::query_scalar(offenders).fetch_all(pool).await.unwrap();
    assert!(found.is_empty(), "{rule}: {found:?}");
}

#[tokio::test]
async fn every_table_keeps_the_rules_of_the_house() {
    let database = database().await;
    let pool = database.pool();
    none(
        &pool,
        "has no comment",
        "SELECT c.oid::regclass || coalesce('.' || a.attname, '')
           FROM pg_class c LEFT JOIN LATERAL (
                  SELECT attname, attnum FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                  UNION ALL SELECT NULL, 0) a ON true
          WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND c.relname <> 'nova_schema_migrations'
            AND coalesce(trim(CASE a.attnum WHEN 0 THEN obj_description(c.oid, 'pg_class') ELSE col_description(c.oid, a.attnum) END), '') = ''
         UNION ALL
         SELECT oid::regprocedure::text FROM pg_proc
          WHERE pronamespace = 'public'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
         UNION ALL
         SELECT oid::regtype::text FROM pg_type
          WHERE typnamespace = 'public'::regnamespace AND typtype = 'e' AND obj_description(oid, 'pg_type') IS NULL",
    )
    .await;
    none(
        &pool,
        "is not owned by nova_owner",
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relowner <> 'nova_owner'::regrole
         UNION ALL
         SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proowner <> 'nova_owner'::regrole
         UNION ALL
         SELECT oid::regtype::text FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typowner <> 'nova_owner'::regrole",
    )
    .await;
    none(
        &pool,
        "holds a time without a zone, or a text with a length",
        "SELECT attrelid::regclass || '.' || attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
          WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0
            AND atttypid IN ('timestamp'::regtype, 'varchar'::regtype, 'char'::regtype, 'bpchar'::regtype, 'json'::regtype)",
    )
    .await;
    none(
        &pool,
        "has a key that tells how many there are",
        // The number of a refund is shown to nobody.
        "SELECT oid::regclass::text FROM pg_class
          WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' AND relname <> 'tool_call_refunds_refund_id_seq'",
    )
    .await;
    none(
        &pool,
        "does not say when its rows were made",
        "SELECT oid::regclass::text FROM pg_class c
          WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
            AND relname NOT IN ('nova_schema_migrations', 'article_status_transitions', 'usage_counters')
            AND NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = c.oid AND attname = 'created_at'
                               AND atttypid = 'timestamptz'::regtype AND attnotnull)",
    )
    .await;
    none(
        &pool,
        "has updated_at and nothing that keeps it",
        "SELECT attrelid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
          WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attname = 'updated_at'
            AND relname <> 'usage_counters'  -- the limiter's own statements do
            AND NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = c.oid AND tgname = 'touch')",
    )
    .await;
}

#[tokio::test]
async fn every_table_of_users_is_fenced() {
    let database = database().await;
    let pool = database.pool();
    let tenant_tables: Vec<String> = sqlx::query_scalar(
        "SELECT attrelid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
          WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attname = 'user_id' ORDER BY 1",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(tenant_tables.len(), 15, "{tenant_tables:?}");
    none(
        &pool,
        "has neither a user_id nor a reason",
        "SELECT oid::regclass::text FROM pg_class c
          WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
            AND relname NOT IN ('nova_schema_migrations', 'article_status_transitions', 'tiers')
            AND NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = c.oid AND attname = 'user_id'
                               AND attnotnull AND atttypid = 'text'::regtype)",
    )
    .await;
    none(
        &pool,
        "has a user_id and no row level security, or not our policy",
        "SELECT attrelid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
          WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attname = 'user_id'
            AND NOT (relrowsecurity AND EXISTS (
              SELECT 1 FROM pg_policies p WHERE p.tablename = relname AND policyname = 'tenant' AND permissive = 'PERMISSIVE' AND cmd = 'ALL'
                 AND roles = '{nova_articles,nova_download,nova_research,nova_upload,nova_usage}'
                 AND qual = '(user_id = ( SELECT app_user() AS app_user))' AND with_check = qual))",
    )
    .await;
    none(
        &pool,
        "lets somebody write past the tenant, or is open to a tenant's function",
        // A restrictive policy can only take away from what the others allow.
        "SELECT tablename || ' ' || policyname FROM pg_policies
          WHERE policyname <> 'tenant' AND permissive = 'PERMISSIVE' AND NOT (cmd = 'SELECT' AND roles IN ('{nova_analytics}', '{nova_sweeper}'))",
    )
    .await;
    none(
        &pool,
        "refers to a table of users without the user",
        "SELECT conrelid::regclass || '.' || conname FROM pg_constraint k
          WHERE contype = 'f' AND connamespace = 'public'::regnamespace
            AND EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = confrelid AND attname = 'user_id')
            AND NOT EXISTS (SELECT 1 FROM generate_subscripts(conkey, 1) n
                              JOIN pg_attribute l ON l.attrelid = conrelid AND l.attnum = conkey[n]
                              JOIN pg_attribute r ON r.attrelid = confrelid AND r.attnum = confkey[n]
                             WHERE l.attname = 'user_id' AND r.attname = 'user_id')",
    )
    .await;
    none(
        &pool,
        "accepts an empty user",
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'user_id'
          WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
            AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = c.oid AND contype = 'c'
                               AND pg_get_constraintdef(oid) LIKE '%(user_id <> ''''::text)%')
            AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f' AND a.attnum = ANY (conkey))",
    )
    .await;
}

#[tokio::test]
async fn every_function_is_closed_and_looks_for_names_in_one_place() {
    let database = database().await;
    let pool = database.pool();
    none(
        &pool,
        "can be executed by everybody",
        "SELECT oid::regprocedure::text FROM pg_proc
          WHERE pronamespace = 'public'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE')",
    )
    .await;
    none(
        &pool,
        "runs as its owner, or in PL/pgSQL, and does not pin search_path",
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_language l ON l.oid = prolang
          WHERE pronamespace = 'public'::regnamespace AND (prosecdef OR lanname = 'plpgsql')
            AND NOT coalesce('search_path=pg_catalog, public, pg_temp' = ANY (proconfig), false)",
    )
    .await;
    none(
        &pool,
        "is a role that can log in or that is past row level security",
        "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'nova\\_%' AND (rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole)",
    )
    .await;
    none(
        &pool,
        "is a member of the owner",
        "SELECT member::regrole::text FROM pg_auth_members WHERE roleid = 'nova_owner'::regrole
            AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = member)",
    )
    .await;
    none(
        &pool,
        "is a view with its owner's eyes",
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
            AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)",
    )
    .await;
}

#[tokio::test]
async fn every_index_and_constraint_is_whole_and_every_reference_can_be_followed_back() {
    let database = database().await;
    let pool = database.pool();
    none(
        &pool,
        "is an invalid index",
        "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid",
    )
    .await;
    none(
        &pool,
        "is not validated",
        "SELECT conname::text FROM pg_constraint WHERE NOT convalidated",
    )
    .await;
    none(
        &pool,
        "is a reference without an index",
        "SELECT conrelid::regclass || '.' || conname FROM pg_constraint k
          WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND confrelid <> 'tiers'::regclass
            AND NOT EXISTS (SELECT 1 FROM pg_index WHERE indrelid = conrelid AND indkey[0] = ANY (conkey)
                               AND (indkey[1] = ANY (conkey) OR array_length(conkey, 1) = 1 OR indisprimary
                                    OR indkey[0] = (SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = 'article_id')))",
    )
    .await;
    none(
        &pool,
        "is an index that another one contains",
        "SELECT a.indexrelid::regclass::text FROM pg_index a JOIN pg_index b ON a.indrelid = b.indrelid AND a.indexrelid <> b.indexrelid
          WHERE a.indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
            AND NOT a.indisunique AND a.indpred IS NULL AND b.indpred IS NULL
            AND (b.indkey::text || ' ') LIKE (a.indkey::text || ' %')",
    )
    .await;
}

#[test]
fn every_query_has_a_name_and_names_its_columns() {
    let mut names = std::collections::BTreeSet::new();
    for query in crate::plans::queries() {
        let (name, statement) = query.split_once('\n').unwrap();
        let name = name
            .strip_prefix("-- ")
            .unwrap_or_else(|| panic!("no name: {query}"));
        assert!(
            name.contains(": "),
            "a name says the noun and what is done: {name}"
        );
        let in_utc = |moment| query.contains(&format!("{moment} AT TIME ZONE 'UTC'"));
        assert!(
            !query.contains("to_char(") || in_utc("now()") || in_utc("created_at"),
            "months begin in UTC: {query}"
        );
        assert!(
            names.insert(name.to_owned()),
            "two queries are called {name}"
        );
        assert!(
            !statement.contains('*') || statement.contains("count(*)"),
            "columns are named: {query}"
        );
    }
    assert!(names.len() > 25);
}
