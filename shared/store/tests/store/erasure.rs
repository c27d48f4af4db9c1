use nova_store::{CallUsage, CalledFor, Charge, Error, NewUploadGrant, Purpose};
use uuid::Uuid;

use crate::support::{
    article, blob, database, new_blob, provider_call, run, store, user, value, within,
};

#[tokio::test]
async fn erasing_a_user_leaves_the_totals_and_nothing_of_the_person() {
    let database = database().await;
    let (uploads, tools, sweeper) = (
        store(&database, "upload"),
        store(&database, "research"),
        store(&database, "sweeper"),
    );
    let (alice, bob) = (user("alice"), user("bob"));
    let sql = database.pool();
    for user in [&alice, &bob] {
        let id = article(&uploads, user).await;
        let grant = NewUploadGrant {
            id: Uuid::now_v7(),
            token_hash: [user.as_str().as_bytes()[0]; 32],
            article: None,
            target: "/upload_article_guideline".to_owned(),
            content_type: "text/markdown".to_owned(),
            max_bytes: 1,
        };
        within(&uploads, user, async |t| {
            t.create_upload_grant(&grant).await
        })
        .await
        .unwrap();
        for _ in 0..3 {
            let charge = Charge {
                tool: "tool",
                call_id: Uuid::now_v7(),
                article: Some(id),
                default_limit: 100,
            };
            within(&tools, user, async |t| t.charge(&charge).await)
                .await
                .unwrap();
        }
        let (called_for, receipt) = (
            CalledFor {
                article: id,
                job: Uuid::now_v7(),
                tool: "tool",
                position: 0,
            },
            provider_call(CallUsage::default()),
        );
        within(&tools, user, async |t| {
            t.keep_calls(called_for, &[receipt]).await
        })
        .await
        .unwrap();
        let refunded = Charge {
            tool: "tool",
            call_id: Uuid::now_v7(),
            article: None,
            default_limit: 100,
        };
        within(&tools, user, async |t| t.charge(&refunded).await)
            .await
            .unwrap();
        within(&tools, user, async |t| {
            t.refund(refunded.call_id, "ours").await
        })
        .await
        .unwrap();
    }
    blob(&tools, &alice, Purpose::Scraped).await;

    assert!(!sweeper.erase_user(&alice, "salt").await.unwrap());
    assert_eq!(
        sweeper.users_being_erased(10).await.unwrap(),
        std::slice::from_ref(&alice)
    );
    let late = new_blob(Purpose::Guideline);
    let refused = within(&uploads, &alice, async |t| t.begin_blob(&late).await).await;
    assert!(
        matches!(&refused, Err(Error::Refused { code, .. }) if code == "NV005"),
        "{refused:?}"
    );
    assert!(
        within(&store(&database, "articles"), &alice, async |t| t
            .articles(None, 10)
            .await)
        .await
        .unwrap()
        .articles
        .is_empty()
    );

    // Something that was under way at the first call.
    run(
        &sql,
        "INSERT INTO usage_counters (user_id, year_month, used)
         SELECT 'alice', year_month, 1 FROM usage_counters WHERE user_id LIKE 'erased:%';
         INSERT INTO tool_call_usage (id, user_id, tool_name, year_month)
         SELECT gen_random_uuid(), user_id, 'tool', year_month FROM usage_counters WHERE user_id = 'alice'",
    )
    .await;

    // The objects go, then the tombstones, then the user.
    for _ in 0..2 {
        for dead in sweeper.claim_dead_blobs(10).await.unwrap() {
            sweeper.blob_deleted(dead.id).await.unwrap();
        }
        assert!(!sweeper.erase_user(&alice, "salt").await.unwrap());
        run(
            &sql,
            "UPDATE blobs SET sweep_at = sweep_at - interval '9 days' WHERE user_id = 'alice'",
        )
        .await;
    }
    assert!(
        !sweeper.erase_user(&alice, "salt").await.unwrap(),
        "not while a transaction may still be under way"
    );
    run(&sql, "UPDATE users SET erasing_since = erasing_since - interval '11 minutes' WHERE user_id = 'alice'").await;
    assert!(sweeper.erase_user(&alice, "salt").await.unwrap());
    assert!(sweeper.erase_user(&alice, "salt").await.unwrap());

    let tables: Vec<String> = value(
        &sql,
        "SELECT array_agg(table_name::text) FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'user_id'",
    )
    .await;
    for table in tables {
        let left = format!("SELECT count(*) FROM {table} WHERE user_id = 'alice'");
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(left))
            .fetch_one(&sql)
            .await
            .unwrap();
        assert_eq!(left, 0, "{table}");
    }
    assert_eq!(
        value::<i64>(
            &sql,
            "SELECT count(*) FROM tool_call_usage WHERE user_id LIKE 'erased:%'"
        )
        .await,
        4
    );
    assert_eq!(
        value::<i64>(
            &sql,
            "SELECT count(*) FROM tool_call_usage WHERE user_id = 'bob'"
        )
        .await,
        3
    );
    assert_eq!(
        value::<i64>(
            &sql,
            "SELECT count(*) FROM provider_calls WHERE user_id LIKE 'erased:%' AND article_id IS NULL"
        )
        .await,
        1,
        "what was paid stays paid"
    );
    assert_eq!(value::<i64>(&sql, "SELECT count(*) FROM articles").await, 1);
    assert_eq!(
        value::<i64>(&sql, "SELECT count(*) FROM usage_drift").await,
        0
    );
}
