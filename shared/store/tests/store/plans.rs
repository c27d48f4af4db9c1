//! What a request waits for is found by an index, however large the tables are.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nova_store::{
    AnsweredQuery, ArticleStatus, Charge, FoundSource, NewSource, Origin, Purpose, SourceKind,
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use uuid::Uuid;

use crate::support::{article, blob, database, new_blob, run, store, user, value, within};

/// Reports read whole tables; nobody waits for them in a request of a user.
const REPORTS: &str = "-- analytics: ";
/// Tables of a few dozen rows, which are read at once.
const SMALL: [&str; 3] = [
    "tiers",
    "article_status_transitions",
    "nova_schema_migrations",
];

/// The text of every checked query of this crate, with its parameters' types.
fn described() -> Vec<(String, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.sqlx");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut queries: Vec<_> = files
        .map(|path| {
            let query: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
            let types = query["describe"]["parameters"]["Left"].as_array().unwrap();
            let types = types
                .iter()
                .map(|one| one.as_str().unwrap().replace("Array", "[]"))
                .collect();
            (query["query"].as_str().unwrap().to_owned(), types)
        })
        .collect();
    queries.sort();
    queries
}

pub(crate) fn queries() -> Vec<String> {
    described().into_iter().map(|(query, _)| query).collect()
}

/// A hundred and sixty thousand rows of a thousand users, through no function of ours.
async fn fill(pool: &PgPool) {
    run(
        pool,
        "SET session_replication_role = replica;
         INSERT INTO users (user_id) SELECT 'user ' || n FROM generate_series(1, 1000) n;
         INSERT INTO blobs (id, user_id, purpose, bucket, object_name, content_type, state, size, crc32c, generation, committed_at, sweep_at)
         SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'user ' || (n % 1000 + 1), 'scraped', 'files', n::text, 'text/markdown',
                'committed', 1, '\\x00000000', 1, now(), CASE WHEN n % 1000 = 0 THEN now() - interval '1 day' END
           FROM generate_series(1, 30000) n;
         INSERT INTO articles (id, user_id, guideline_blob_id, created_at)
         SELECT id, user_id, id, now() - random() * interval '1 year' FROM blobs WHERE object_name::bigint <= 10000;
         INSERT INTO article_status_history (article_id, seq, user_id, to_status) SELECT id, 1, user_id, 'created' FROM articles;
         INSERT INTO sources (id, user_id, article_id, kind, source_key, url, blob_id)
         SELECT gen_random_uuid(), a.user_id, a.id, 'scraped_url', n::text, 'https://example.com/', a.guideline_blob_id
           FROM articles a, generate_series(1, 3) n;
         INSERT INTO research_queries (id, user_id, article_id, call_id, position, query)
         SELECT id, user_id, id, id, 1, 'q' FROM articles;
         INSERT INTO research_sources (article_id, source_no, user_id, query_id, identity, url, answer)
         SELECT a.id, n, a.user_id, a.id, n::text, 'https://example.com/', 'answer' FROM articles a, generate_series(1, 2) n;
         INSERT INTO research_answers (article_id, source_no, query_id, user_id, answer)
         SELECT id, 1, id, user_id, 'answer' FROM articles;
         INSERT INTO tool_call_usage (id, user_id, tool_name, year_month, article_id)
         SELECT gen_random_uuid(), 'user ' || (n % 1000 + 1), 'tool', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'), NULL FROM generate_series(1, 20000) n;
         INSERT INTO usage_counters (user_id, year_month, used)
         SELECT user_id, year_month, count(*) FROM tool_call_usage GROUP BY 1, 2;
         INSERT INTO tool_call_refunds (call_id, user_id, tool_name, year_month, reason, charged_at)
         SELECT gen_random_uuid(), 'user ' || (n % 1000 + 1), 'tool', '2026-01', 'r', now() FROM generate_series(1, 10000) n;
         INSERT INTO provider_calls (id, user_id, article_id, job_id, item_position, tool, provider, outcome, duration_ms)
         SELECT gen_random_uuid(), a.user_id, a.id, a.id, n, 'tool', 'Example', 'answered', 1 FROM articles a, generate_series(0, 1) n;
         INSERT INTO jobs (id, user_id, article_id, tool, dedupe_key, arguments, state, result, finished_at)
         SELECT id, user_id, id, 'scrape', sha256(id::text::bytea), '{}', 'succeeded', '{}', now() - random() * interval '1 day' FROM articles;
         INSERT INTO job_items (job_id, position, user_id, item_key) SELECT j.id, n, j.user_id, n::text FROM jobs j, generate_series(0, 2) n;
         INSERT INTO upload_grants (id, user_id, article_id, token_hash, target, content_type, max_bytes)
         SELECT id, user_id, id, sha256(id::text::bytea), '/x', 'text/markdown', 1 FROM articles;
         RESET session_replication_role;
         ANALYZE",
    )
    .await;
}

#[tokio::test]
async fn every_query_but_reports_goes_by_an_index() {
    let database = database().await;
    fill(&database.pool()).await;
    run(
        &database.pool(),
        "CREATE ROLE test_all_tenants LOGIN IN ROLE nova_upload, nova_research, nova_download, nova_articles, nova_usage",
    )
    .await;
    let (tenant, sweeper, exports) = (
        database.pool_as("test_all_tenants"),
        database.pool_as("test_sweeper"),
        database.pool_as("test_analytics"),
    );
    let mut checked = 0;
    for (query, types) in described() {
        if query.starts_with(REPORTS) {
            continue;
        }
        let pool = if query.starts_with("-- sweep: ") {
            &sweeper
        } else if query.starts_with("-- export: ") {
            &exports
        } else {
            &tenant
        };
        let mut connection = pool.acquire().await.unwrap();
        // A plan for any parameters, as a statement has that is prepared once and used for long.
        let nulls = if types.is_empty() {
            String::new()
        } else {
            format!("({})", vec!["NULL"; types.len()].join(", "))
        };
        let prepare = format!("PREPARE hot ({}) AS {query}", types.join(", "));
        let prepare = if types.is_empty() {
            format!("PREPARE hot AS {query}")
        } else {
            prepare
        };
        for statement in [
            "SET plan_cache_mode = force_generic_plan".to_owned(),
            "SELECT set_config('app.user_id', 'user 1', false)".to_owned(),
            prepare,
        ] {
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut *connection)
                .await
                .unwrap_or_else(|error| panic!("{error}: {query}"));
        }
        let rows = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN EXECUTE hot{nulls}")))
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        for line in &plan {
            let scanned = line
                .split_once("Seq Scan on ")
                .map(|(_, rest)| rest.split(' ').next().unwrap());
            if let Some(table) = scanned.filter(|table| !SMALL.contains(table)) {
                panic!(
                    "{table} is read from end to end:\n{query}\n\n{}",
                    plan.join("\n")
                );
            }
        }
        if query.starts_with("-- articles: recent") {
            let sorted = plan.iter().any(|line| line.contains("Sort"));
            assert!(!sorted, "a page is read in order:\n{}", plan.join("\n"));
        }
        sqlx::raw_sql("DEALLOCATE ALL; RESET ALL")
            .execute(&mut *connection)
            .await
            .unwrap();
        checked += 1;
    }
    assert!(checked > 20, "{checked}");
    let failed = "EXPLAIN SELECT id FROM articles WHERE status = 'failed'";
    let plan: Vec<String> = sqlx::query_scalar(failed)
        .fetch_all(&database.pool())
        .await
        .unwrap();
    assert!(
        plan.join("\n").contains("articles_status"),
        "an operator's question: {plan:?}"
    );
}

/// `EXPLAIN` does not see into functions, triggers and foreign keys; the server's own counts do.
#[tokio::test]
async fn nothing_that_a_user_does_reads_a_table_from_end_to_end() {
    let database = database().await;
    let sql = database.pool();
    fill(&sql).await;
    let (uploads, tools) = (store(&database, "upload"), store(&database, "research"));
    let (list, sweeper) = (store(&database, "articles"), store(&database, "sweeper"));
    let alice = user("user 7");
    let before = scans(&sql).await;

    let id = article(&uploads, &alice).await;
    for _ in 0..2 {
        let text = NewSource {
            id: Uuid::now_v7(),
            kind: SourceKind::ScrapedUrl,
            key: "https://example.com/".to_owned(),
            title: "https://example.com/".to_owned(),
            position: 1,
            blob_id: blob(&tools, &alice, Purpose::Scraped).await,
            origin: Origin::default(),
        };
        within(&tools, &alice, async |t| t.upsert_source(id, &text).await)
            .await
            .unwrap();
    }
    let call = Charge {
        tool: "tool",
        call_id: Uuid::now_v7(),
        article: Some(id),
        default_limit: 100,
    };
    for _ in 0..7 {
        within(&tools, &alice, async |t| t.charge(&call).await)
            .await
            .unwrap();
    }
    within(&tools, &alice, async |t| {
        t.refund(call.call_id, "ours").await
    })
    .await
    .unwrap();
    within(&tools, &alice, async |t| {
        t.advance(id, ArticleStatus::Finalizing).await
    })
    .await
    .unwrap();
    for _ in 0..2 {
        let document = blob(&tools, &alice, Purpose::Research).await;
        within(&tools, &alice, async |t| {
            t.link_research(id, document).await
        })
        .await
        .unwrap();
    }
    for _ in 0..2 {
        let answered = AnsweredQuery {
            query: "q".to_owned(),
            provider: Some("Example".to_owned()),
            sources: vec![FoundSource {
                identity: "example.com".to_owned(),
                url: "https://example.com/".to_owned(),
                title: None,
                published: None,
                answer: "answer".to_owned(),
            }],
        };
        within(&tools, &alice, async |t| {
            t.add_research(id, Uuid::now_v7(), 0, &answered).await?;
            t.answered_before(id, "q", Duration::from_hours(1)).await
        })
        .await
        .unwrap();
    }
    within(&tools, &alice, async |t| t.research_results(id).await)
        .await
        .unwrap();
    within(&store(&database, "usage"), &alice, async |t| {
        t.usage(100).await
    })
    .await
    .unwrap();
    within(&list, &alice, async |t| t.articles(None, 20).await)
        .await
        .unwrap();
    within(&list, &alice, async |t| t.delete_article(id).await)
        .await
        .unwrap();
    let pending = new_blob(Purpose::Guideline);
    within(&uploads, &alice, async |t| t.begin_blob(&pending).await)
        .await
        .unwrap();
    run(
        &sql,
        "UPDATE blobs SET sweep_at = sweep_at - interval '8 days' WHERE user_id = 'user 7'",
    )
    .await;
    for _ in 0..3 {
        for dead in sweeper.claim_dead_blobs(100).await.unwrap() {
            sweeper.blob_deleted(dead.id).await.unwrap();
        }
    }
    sweeper.erase_user(&alice, "salt").await.unwrap();

    let after = scans(&sql).await;
    assert_eq!(after, before, "sequential scans by table");
}

async fn scans(pool: &PgPool) -> Vec<(String, i64)> {
    // A session reports what it did when it has been idle for a while, or ends.
    let end = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
    value::<i64>(pool, end).await;
    sqlx::query_as(
        "SELECT relname::text, seq_scan FROM pg_stat_user_tables WHERE NOT relname = ANY ($1) ORDER BY 1",
    )
    .bind(SMALL.as_slice())
    .fetch_all(pool)
    .await
    .unwrap()
}
