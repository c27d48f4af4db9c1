//! Claims of jobs, through the store and by pgbench with the same SQL: what every call for a worker
//! costs before the work begins.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use nova_store::Store;
use nova_testkit::postgres::{Database, Postgres, Settings};
use uuid::Uuid;

use crate::{
    load::{self, Step},
    pgbench,
    rates::{Figures, HEAD},
    report::{say, write},
};

const TOOL: &str = "run_perplexity_research";
const LOGIN: &str = "research@nova.local";
/// Rounds of ours and theirs in turn; the medians are told.
const ROUNDS: usize = 3;

pub(crate) async fn measure() -> Result<()> {
    let settings = Settings {
        more: vec![("fsync".to_owned(), "on".to_owned())],
        ..Settings::default()
    };
    let server = Postgres::start(settings).await;
    let database = server.database("nova", nova_local::migrated).await;
    make_jobs(&database).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(load::run(claim(&database)).await.context("claim")?);
        theirs.push(pgbench::run(&database, LOGIN, "claim", "none").await?);
    }
    say(HEAD);
    let figures = Figures::of("claims of jobs", &ours, &theirs);
    write("claims", &figures)
}

/// A job for each client, whose ids pgbench can compute, among many that have ended and many that
/// wait.
async fn make_jobs(database: &Database) -> Result<()> {
    let pool = database.pool();
    sqlx::raw_sql(
        "INSERT INTO users (user_id) VALUES ('u0');
         INSERT INTO blobs (id, user_id, purpose, bucket, object_name, content_type, state, size, crc32c, generation, committed_at)
         VALUES ('00000000-0000-7000-8001-000000000000', 'u0', 'guideline', 'b', 'o', 'text/markdown', 'committed', 1, '\\x00000000', 1, now());
         INSERT INTO articles (id, user_id, guideline_blob_id)
         VALUES ('00000000-0000-7000-8002-000000000000', 'u0', '00000000-0000-7000-8001-000000000000');",
    )
    .execute(&pool)
    .await
    .context("an article")?;
    sqlx::query(
        "INSERT INTO jobs (id, user_id, article_id, tool, dedupe_key, arguments, state, result, finished_at)
         SELECT ('00000000-0000-7000-8004-' || lpad(to_hex(n), 12, '0'))::uuid, 'u0',
                '00000000-0000-7000-8002-000000000000', $1, sha256(n::text::bytea), '{}',
                CASE WHEN n < 1000 THEN 'queued' ELSE 'succeeded' END::job_state,
                CASE WHEN n >= 1000 THEN '{}'::jsonb END, CASE WHEN n >= 1000 THEN now() END
           FROM generate_series(0, 20000) n",
    )
    .bind(TOOL)
    .execute(&pool)
    .await
    .context("the jobs")?;
    sqlx::query("VACUUM ANALYZE").execute(&pool).await?;
    pool.close().await;
    Ok(())
}

/// Each client claims a job of its own, for no time, so that it is to be had again at once.
fn claim(database: &Database) -> Step {
    let store = Store::new(database.pool_as(LOGIN));
    Arc::new(move |client| {
        let store = store.clone();
        Box::pin(async move {
            let id = Uuid::from_u128(0x0000_0000_0000_7000_8004_0000_0000_0000 + client as u128);
            let claimed = store.claim_job(id, TOOL, Duration::ZERO).await?;
            claimed.map(drop).context("a claim was refused")
        })
    })
}
