//! Nobody sees or changes another user's rows: not by an id, not by a query that forgets the
//! owner, not through a connection that somebody else has used before.

use nova_store::{Error, NewArticle, NewSource, Origin, Purpose, SourceKind, Store};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{article, blob, database, pool, store, user, value, within};

#[tokio::test]
async fn two_users_on_one_connection_never_see_each_other() {
    let database = database().await;
    let uploads = store(&database, "upload");
    let users = [
        user("alice"),
        user("O'Brien \\ 'x'); DROP TABLE articles; --"),
    ];
    let mut articles = Vec::new();
    for user in &users {
        articles.push([article(&uploads, user).await, article(&uploads, user).await]);
    }
    let tools = Store::new(pool(&database, "research", 1));
    for turn in 0..40 {
        let (mine, theirs) = (turn % 2, (turn + 1) % 2);
        let mut tenant = tools.tenant(&users[mine]).await.unwrap();
        let page = tenant.articles(None, 10).await.unwrap();
        let mut seen: Vec<Uuid> = page.articles.iter().map(|article| article.id).collect();
        seen.reverse();
        assert_eq!(seen, articles[mine]);
        let other = tenant.article(articles[theirs][0]).await;
        assert!(
            matches!(other, Err(Error::NotFound { what: "article" })),
            "{other:?}"
        );
        if turn % 3 == 0 {
            tenant.commit().await.unwrap();
        } else {
            drop(tenant);
        }
    }
    // Outside of a transaction nobody is anybody.
    let nobody = pool(&database, "research", 1);
    assert_eq!(
        value::<i64>(&nobody, "SELECT count(*) FROM articles").await,
        0
    );
    assert!(value::<bool>(&nobody, "SELECT app_user() IS NULL").await);
}

/// A statement as it must never be written, in a transaction of `user`.
async fn careless(pool: &PgPool, user: &str, statement: &'static str) -> Result<u64, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    sqlx::query("SELECT set_config('app.user_id', $1, true)")
        .bind(user)
        .execute(&mut *transaction)
        .await?;
    let touched = sqlx::query(statement).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(touched.rows_affected())
}

#[tokio::test]
async fn what_a_statement_forgets_row_level_security_refuses() {
    let database = database().await;
    let uploads = store(&database, "upload");
    for name in ["alice", "bob", "bob"] {
        article(&uploads, &user(name)).await;
    }
    let tools = pool(&database, "research", 2);
    assert_eq!(
        careless(&tools, "alice", "SELECT id FROM articles")
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        careless(&tools, "alice", "SELECT id FROM blobs")
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        careless(&tools, "alice", "SELECT user_id FROM users")
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        careless(&tools, "alice", "SELECT seq FROM article_status_history")
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        careless(
            &tools,
            "alice",
            "UPDATE articles SET title = 'mine' WHERE user_id = 'bob'"
        )
        .await
        .unwrap(),
        0
    );
    assert_eq!(
        careless(&tools, "alice", "UPDATE articles SET title = 'mine'")
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        careless(&tools, "", "SELECT id FROM articles")
            .await
            .unwrap(),
        0
    );
    let forged = careless(
        &tools,
        "alice",
        "INSERT INTO blobs (id, user_id, purpose, bucket, object_name, content_type)
         VALUES (gen_random_uuid(), 'bob', 'research', 'files', 'x', 'text/markdown')",
    )
    .await;
    assert!(
        forged
            .unwrap_err()
            .to_string()
            .contains("row-level security")
    );
    for (family, statement) in [
        ("research", "SET ROLE nova_owner"),
        ("research", "SELECT upload_session FROM blobs"),
        ("upload", "SELECT token_hash FROM upload_grants"),
        ("upload", "UPDATE upload_grants SET expires_at = 'infinity'"),
        ("research", "UPDATE usage_counters SET used = 0"),
        ("research", "UPDATE users SET tier = 'unlimited'"),
        ("research", "DELETE FROM articles"),
        ("download", "UPDATE articles SET title = ''"),
        ("research", "DELETE FROM sources"),
        (
            "usage",
            "SELECT charge_tool_call('tool', gen_random_uuid(), 0)",
        ),
        ("sweeper", "DELETE FROM blobs"),
        ("health", "SELECT id FROM articles"),
    ] {
        let refused = careless(&pool(&database, family, 1), "alice", statement).await;
        assert!(
            refused
                .unwrap_err()
                .to_string()
                .contains("permission denied"),
            "{family}: {statement}"
        );
    }
    let past = careless(
        &tools,
        "alice",
        "SELECT set_config('row_security', 'off', true)",
    )
    .await;
    past.unwrap();
    let mut transaction = tools.begin().await.unwrap();
    sqlx::query("SET LOCAL row_security = off")
        .execute(&mut *transaction)
        .await
        .unwrap();
    let refused = sqlx::query("SELECT id FROM articles")
        .execute(&mut *transaction)
        .await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("row-level security")
    );
}

#[tokio::test]
async fn a_row_cannot_point_at_another_users_row() {
    let database = database().await;
    let (uploads, tools) = (store(&database, "upload"), store(&database, "research"));
    let (alice, bob) = (user("alice"), user("bob"));
    let (hers, his) = (
        article(&uploads, &alice).await,
        article(&uploads, &bob).await,
    );
    let (her_blob, his_blob) = (
        blob(&tools, &alice, Purpose::Scraped).await,
        blob(&tools, &bob, Purpose::Scraped).await,
    );
    let his_file = NewSource {
        id: Uuid::now_v7(),
        kind: SourceKind::LocalFile,
        key: "his.md".to_owned(),
        title: "his.md".to_owned(),
        position: 1,
        blob_id: blob(&uploads, &bob, Purpose::LocalFile).await,
        origin: Origin::default(),
    };
    within(&uploads, &bob, async |t| {
        t.upsert_source(his, &his_file).await
    })
    .await
    .unwrap();
    let source = |blob_id| NewSource {
        id: Uuid::now_v7(),
        kind: SourceKind::ScrapedUrl,
        key: "https://example.com/".to_owned(),
        title: "https://example.com/".to_owned(),
        position: 1,
        blob_id,
        origin: Origin::default(),
    };
    let (from_his_blob, into_his_article) = (source(his_blob), source(her_blob));
    let refused = within(&tools, &alice, async |t| {
        t.upsert_source(hers, &from_his_blob).await
    })
    .await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );
    let refused = within(&tools, &alice, async |t| {
        t.upsert_source(his, &into_his_article).await
    })
    .await;
    assert!(
        matches!(refused, Err(Error::NotFound { .. })),
        "{refused:?}"
    );
    let article = NewArticle {
        id: Uuid::now_v7(),
        title: None,
        guideline_blob_id: his_blob,
        idempotency_key: None,
    };
    let refused = within(&uploads, &alice, async |t| t.create_article(&article).await).await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );
    for missing in [
        within(&tools, &alice, async |t| t.blob(his_blob).await)
            .await
            .map(drop),
        within(&tools, &alice, async |t| {
            t.save_extracted_urls(his, serde_json::value::RawValue::NULL)
                .await
        })
        .await,
        within(&tools, &alice, async |t| {
            t.link_research(his, her_blob).await
        })
        .await,
        within(&tools, &alice, async |t| t.status_history(his).await)
            .await
            .map(drop),
        within(&store(&database, "articles"), &alice, async |t| {
            t.delete_article(his).await
        })
        .await,
        within(&uploads, &alice, async |t| {
            t.delete_source(his, SourceKind::LocalFile, "his.md").await
        })
        .await,
    ] {
        assert!(
            matches!(missing, Err(Error::NotFound { .. })),
            "{missing:?}"
        );
    }
    assert!(
        within(&tools, &alice, async |t| t.document_sources(his).await)
            .await
            .unwrap()
            .is_empty()
    );
    let still = within(&tools, &bob, async |t| t.document_sources(his).await).await;
    assert_eq!(still.unwrap().len(), 1);
}

#[tokio::test]
async fn dropping_a_tenant_undoes_everything() {
    let database = database().await;
    let uploads = store(&database, "upload");
    let alice = user("alice");
    let guideline = crate::support::new_blob(Purpose::Guideline);
    let mut tenant = uploads.tenant(&alice).await.unwrap();
    tenant.begin_blob(&guideline).await.unwrap();
    drop(tenant);
    let mut tenant = uploads.tenant(&alice).await.unwrap();
    let committed = crate::support::committed(guideline.id);
    let gone = tenant.commit_blob(&committed).await;
    assert!(
        matches!(gone, Err(Error::NotFound { what: "blob" })),
        "{gone:?}"
    );
    assert_eq!(
        value::<i64>(&database.pool(), "SELECT count(*) FROM users").await,
        0
    );
}

#[tokio::test]
async fn after_a_failed_statement_nothing_is_saved_and_the_commit_says_so() {
    let database = database().await;
    let uploads = store(&database, "upload");
    let alice = user("alice");
    let pending = crate::support::new_blob(Purpose::Guideline);
    let article = NewArticle {
        id: Uuid::now_v7(),
        title: None,
        guideline_blob_id: pending.id,
        idempotency_key: None,
    };
    let mut tenant = uploads.tenant(&alice).await.unwrap();
    tenant.begin_blob(&pending).await.unwrap();
    let refused = tenant.create_article(&article).await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );
    let lost = tenant.commit().await;
    assert!(matches!(lost, Err(Error::Database(_))), "{lost:?}");

    // What this crate says about an answer that was well spoils nothing.
    let mut tenant = uploads.tenant(&alice).await.unwrap();
    tenant.begin_blob(&pending).await.unwrap();
    let missing = tenant.blob(Uuid::now_v7()).await;
    assert!(
        matches!(missing, Err(Error::NotFound { .. })),
        "{missing:?}"
    );
    tenant.commit().await.unwrap();
    assert_eq!(
        value::<i64>(&database.pool(), "SELECT count(*) FROM blobs").await,
        1
    );
}
