use nova_store::{ArticleStatus, Error, NewArticle, Purpose};
use serde_json::json;
use uuid::Uuid;

use crate::support::{article, blob, database, store, user, value, within};

#[tokio::test]
async fn an_article_goes_from_its_upload_to_its_document_and_its_history_says_how() {
    let database = database().await;
    let (uploads, tools) = (store(&database, "upload"), store(&database, "research"));
    let alice = user("alice");
    let id = article(&uploads, &alice).await;
    let call_id = Uuid::now_v7();

    let mut tenant = tools
        .tenant_in_call(&alice, "extract_guidelines_urls", call_id)
        .await
        .unwrap();
    let urls = json!({"other_urls": ["https://example.com/"]});
    let text = serde_json::value::to_raw_value(&urls).unwrap();
    tenant.save_extracted_urls(id, &text).await.unwrap();
    tenant.commit().await.unwrap();
    assert!(
        within(&tools, &alice, async |t| t
            .advance(id, ArticleStatus::Finalizing)
            .await)
        .await
        .unwrap()
    );
    let document = blob(&tools, &alice, Purpose::Research).await;
    within(&tools, &alice, async |t| {
        t.link_research(id, document).await
    })
    .await
    .unwrap();

    let found = within(&store(&database, "download"), &alice, async |t| {
        t.article(id).await
    })
    .await
    .unwrap();
    assert_eq!(found.status, ArticleStatus::Completed);
    assert_eq!(found.title.as_deref(), Some("Guide"));
    let kept = found.extracted_urls.unwrap();
    let kept: serde_json::Value = serde_json::from_str(kept.get()).unwrap();
    assert_eq!(kept, urls);
    assert_eq!(found.guideline.size, 3);
    assert_eq!(found.guideline.crc32c, 0xE306_9283);
    assert_eq!(found.guideline.generation, 7);
    assert_eq!(found.research.unwrap().id, document);
    assert!(found.updated_at > found.created_at);

    let history = within(&store(&database, "articles"), &alice, async |t| {
        t.status_history(id).await
    })
    .await
    .unwrap();
    let moves: Vec<_> = history
        .iter()
        .map(|change| (change.from, change.to))
        .collect();
    assert_eq!(
        moves,
        [
            (None, ArticleStatus::Created),
            (Some(ArticleStatus::Created), ArticleStatus::ExtractingUrls),
            (
                Some(ArticleStatus::ExtractingUrls),
                ArticleStatus::Finalizing
            ),
            (Some(ArticleStatus::Finalizing), ArticleStatus::Completed),
        ]
    );
    assert_eq!(history[1].tool.as_deref(), Some("extract_guidelines_urls"));
    assert_eq!(history[1].call_id, Some(call_id));
    assert_eq!(
        history[2].tool, None,
        "the settings of a call end with its transaction"
    );
}

#[tokio::test]
async fn a_move_that_the_workflow_lacks_leaves_the_status_and_a_forced_one_is_a_conflict() {
    let database = database().await;
    let (uploads, tools) = (store(&database, "upload"), store(&database, "research"));
    let alice = user("alice");
    let id = article(&uploads, &alice).await;

    assert!(
        !within(&tools, &alice, async |t| t
            .advance(id, ArticleStatus::ScrapingResearch)
            .await)
        .await
        .unwrap()
    );
    assert!(
        !within(&tools, &alice, async |t| t
            .advance(id, ArticleStatus::Created)
            .await)
        .await
        .unwrap()
    );
    let found = within(&tools, &alice, async |t| t.article(id).await)
        .await
        .unwrap();
    assert_eq!(found.status, ArticleStatus::Created);

    let forced = sqlx::query("UPDATE articles SET status = 'completed'");
    let forced = Error::from(forced.execute(&database.pool()).await.unwrap_err());
    assert!(
        matches!(&forced, Error::Conflict { what, .. } if what.contains("moved on")),
        "{forced:?}"
    );
    let missing = within(&tools, &alice, async |t| {
        t.advance(Uuid::now_v7(), ArticleStatus::Failed).await
    })
    .await;
    assert!(
        matches!(missing, Err(Error::NotFound { what: "article" })),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a_document_is_linked_also_where_another_tool_has_moved_the_article_on() {
    let database = database().await;
    let (uploads, tools) = (store(&database, "upload"), store(&database, "research"));
    let alice = user("alice");
    let id = article(&uploads, &alice).await;
    for status in [ArticleStatus::Finalizing, ArticleStatus::Researching] {
        within(&tools, &alice, async |t| t.advance(id, status).await)
            .await
            .unwrap();
    }
    let document = blob(&tools, &alice, Purpose::Research).await;
    within(&tools, &alice, async |t| {
        t.link_research(id, document).await
    })
    .await
    .unwrap();
    let found = within(&tools, &alice, async |t| t.article(id).await)
        .await
        .unwrap();
    assert_eq!(found.research.unwrap().id, document);
    assert_eq!(found.status, ArticleStatus::Researching);
}

#[tokio::test]
async fn any_tool_may_be_called_again_after_a_document_or_a_failure() {
    let database = database().await;
    let pool = database.pool();
    for rest in ["completed", "failed", "finalizing"] {
        let reachable: Vec<String> = sqlx::query_scalar(
            "SELECT to_status::text FROM article_status_transitions WHERE from_status = $1::article_status",
        )
        .bind(rest)
        .fetch_all(&pool)
        .await
        .unwrap();
        for step in &ArticleStatus::ALL[1..7] {
            let there = rest == step.as_str() || reachable.contains(&step.to_string());
            assert!(there, "{rest} to {step}");
        }
    }
}

#[tokio::test]
async fn the_enums_here_are_the_enums_of_the_database() {
    let database = database().await;
    let statuses: Vec<String> = value(
        &database.pool(),
        "SELECT enum_range(NULL::article_status)::text[]",
    )
    .await;
    assert_eq!(
        statuses,
        ArticleStatus::ALL
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    );
    let kinds: Vec<String> = value(
        &database.pool(),
        "SELECT enum_range(NULL::source_kind)::text[]",
    )
    .await;
    assert_eq!(
        kinds,
        nova_store::SourceKind::ALL
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    );
    let check: String = value(
        &database.pool(),
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'blobs_purpose_check'",
    )
    .await;
    for purpose in Purpose::ALL {
        assert!(
            check.contains(&format!("'{purpose}'")),
            "{purpose} in {check}"
        );
    }
}

#[tokio::test]
async fn an_upload_that_is_repeated_makes_one_article() {
    let database = database().await;
    let uploads = store(&database, "upload");
    let alice = user("alice");
    let guideline_blob_id = blob(&uploads, &alice, Purpose::Guideline).await;
    let first = NewArticle {
        id: Uuid::now_v7(),
        title: None,
        guideline_blob_id,
        idempotency_key: Some("key".to_owned()),
    };
    let again = NewArticle {
        id: Uuid::now_v7(),
        ..first.clone()
    };
    let id = within(&uploads, &alice, async |t| t.create_article(&first).await)
        .await
        .unwrap();
    assert_eq!(id, first.id);
    assert_eq!(
        within(&uploads, &alice, async |t| t.create_article(&again).await)
            .await
            .unwrap(),
        id
    );
    assert_eq!(
        within(&uploads, &alice, async |t| t.create_article(&first).await)
            .await
            .unwrap(),
        id
    );
    assert_eq!(
        value::<i64>(&database.pool(), "SELECT count(*) FROM articles").await,
        1
    );

    // Bob may use the same key; he may not use the same id.
    let bob = user("bob");
    let guideline_blob_id = blob(&uploads, &bob, Purpose::Guideline).await;
    let bobs = NewArticle {
        id: Uuid::now_v7(),
        guideline_blob_id,
        ..first.clone()
    };
    assert_eq!(
        within(&uploads, &bob, async |t| t.create_article(&bobs).await)
            .await
            .unwrap(),
        bobs.id
    );
    let taken = NewArticle {
        guideline_blob_id,
        idempotency_key: None,
        ..first
    };
    let refused = within(&uploads, &bob, async |t| t.create_article(&taken).await).await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn pages_hold_every_article_once_while_others_come_and_go() {
    let database = database().await;
    let (uploads, list) = (store(&database, "upload"), store(&database, "articles"));
    let (alice, bob) = (user("alice"), user("bob"));
    let mut expected = Vec::new();
    for _ in 0..7 {
        expected.push(article(&uploads, &alice).await);
        article(&uploads, &bob).await;
    }
    // Two that were uploaded in the same instant.
    sqlx::query("UPDATE articles SET created_at = (SELECT created_at FROM articles WHERE id = $1) WHERE id = $2")
        .bind(expected[2])
        .bind(expected[3])
        .execute(&database.pool())
        .await
        .unwrap();
    expected.reverse();

    let mut seen = Vec::new();
    let mut next = None;
    loop {
        let page = within(&list, &alice, async |t| t.articles(next, 3).await)
            .await
            .unwrap();
        assert!(page.articles.len() <= 3);
        seen.extend(page.articles.iter().map(|article| article.id));
        if seen.len() == 3 {
            article(&uploads, &alice).await;
            within(&list, &alice, async |t| t.delete_article(seen[0]).await)
                .await
                .unwrap();
        }
        let Some(cursor) = page.next else { break };
        next = Some(cursor.to_string().parse().unwrap());
    }
    assert_eq!(seen, expected);
    for wrong in [
        "",
        "1",
        "x.y",
        "1.2",
        "99999999999999999999.00000000000000000000000000000000",
        "-1.00000000000000000000000000000000",
        "-300000000000000000.00000000000000000000000000000000",
    ] {
        assert!(wrong.parse::<nova_store::Cursor>().is_err(), "{wrong}");
    }
}
