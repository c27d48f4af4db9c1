//! No object without a row that the sweeper finds, and no linked blob that the sweeper takes.

use nova_store::{Error, NewArticle, NewSource, Origin, Purpose, SourceKind, Store, UserId};
use nova_testkit::postgres::Database;
use uuid::Uuid;

use crate::support::{
    article, blob, committed, database, new_blob, run, store, user, value, wait_for_a_lock, within,
};

fn source(blob_id: Uuid) -> NewSource {
    NewSource {
        id: Uuid::now_v7(),
        kind: SourceKind::ScrapedUrl,
        key: "https://example.com/".to_owned(),
        title: "https://example.com/".to_owned(),
        position: 1,
        blob_id,
        origin: Origin::default(),
    }
}

const NONE: [Uuid; 0] = [];

/// Lets time pass for the sweeper.
async fn pass(database: &Database, time: &str) {
    sqlx::query("UPDATE blobs SET sweep_at = sweep_at - $1::text::interval")
        .bind(time)
        .execute(&database.pool())
        .await
        .unwrap();
}

async fn claimed(sweeper: &Store) -> Vec<Uuid> {
    let mut dead: Vec<Uuid> = sweeper
        .claim_dead_blobs(100)
        .await
        .unwrap()
        .iter()
        .map(|blob| blob.id)
        .collect();
    dead.sort();
    dead
}

#[tokio::test]
async fn whatever_a_crash_leaves_the_sweeper_finds_and_nothing_else() {
    let database = database().await;
    let (uploads, tools) = (store(&database, "upload"), store(&database, "research"));
    let (list, sweeper) = (store(&database, "articles"), store(&database, "sweeper"));
    let alice = user("alice");

    // Kept: an article with its guideline, a source and a document.
    let kept = article(&uploads, &alice).await;
    let text = source(blob(&tools, &alice, Purpose::Scraped).await);
    within(&tools, &alice, async |t| t.upsert_source(kept, &text).await)
        .await
        .unwrap();
    within(&tools, &alice, async |t| {
        t.advance(kept, nova_store::ArticleStatus::Finalizing).await
    })
    .await
    .unwrap();
    let document = blob(&tools, &alice, Purpose::Research).await;
    within(&tools, &alice, async |t| {
        t.link_research(kept, document).await
    })
    .await
    .unwrap();

    // A crash after the first step, whether or not the object was written by then.
    let pending = new_blob(Purpose::Guideline);
    within(&uploads, &alice, async |t| t.begin_blob(&pending).await)
        .await
        .unwrap();
    // A crash between the commit and the link.
    let unlinked = blob(&tools, &alice, Purpose::Scraped).await;
    assert_eq!(claimed(&sweeper).await, NONE, "nothing is due yet");

    // A text that was replaced, a document that was replaced, an article that was erased.
    let newer = source(blob(&tools, &alice, Purpose::Scraped).await);
    within(&tools, &alice, async |t| {
        t.upsert_source(kept, &newer).await
    })
    .await
    .unwrap();
    let second = blob(&tools, &alice, Purpose::Research).await;
    within(&tools, &alice, async |t| {
        t.link_research(kept, second).await
    })
    .await
    .unwrap();
    let erased = article(&uploads, &alice).await;
    let its_text = source(blob(&tools, &alice, Purpose::Scraped).await);
    within(&tools, &alice, async |t| {
        t.upsert_source(erased, &its_text).await
    })
    .await
    .unwrap();
    let its_guideline = within(&tools, &alice, async |t| t.article(erased).await)
        .await
        .unwrap()
        .guideline
        .id;
    within(&list, &alice, async |t| t.delete_article(erased).await)
        .await
        .unwrap();
    assert_eq!(
        claimed(&sweeper).await,
        NONE,
        "a download that has begun may end"
    );

    pass(&database, "11 minutes").await;
    let mut due = vec![text.blob_id, document, its_text.blob_id, its_guideline];
    due.sort();
    assert_eq!(claimed(&sweeper).await, due);
    assert_eq!(claimed(&sweeper).await, NONE, "they are taken");
    pass(&database, "2 minutes").await;
    assert_eq!(
        claimed(&sweeper).await,
        due,
        "that sweeper died; the next one goes on"
    );
    for id in &due {
        assert!(
            !sweeper.blob_deleted(*id).await.unwrap(),
            "a tombstone stays"
        );
        assert!(
            !sweeper.blob_deleted(*id).await.unwrap(),
            "and one that is not due is not removed"
        );
    }
    pass(&database, "1 hour").await;
    assert_eq!(claimed(&sweeper).await, [pending.id]);
    sweeper.blob_deleted(pending.id).await.unwrap();
    pass(&database, "7 days").await;
    assert_eq!(claimed(&sweeper).await, [unlinked]);
    sweeper.blob_deleted(unlinked).await.unwrap();

    // An upload that was cut off may have written its object after the delete: a second look.
    pass(&database, "8 days").await;
    let dead = sweeper.claim_dead_blobs(100).await.unwrap();
    assert_eq!(dead.len(), 6);
    for blob in dead {
        assert!(blob.is_tombstone);
        assert!(sweeper.blob_deleted(blob.id).await.unwrap());
    }
    pass(&database, "1 year").await;
    assert_eq!(claimed(&sweeper).await, NONE);
    assert_eq!(
        value::<i64>(
            &database.pool(),
            "SELECT count(*) FROM blobs WHERE state <> 'committed'"
        )
        .await,
        0
    );
    assert_eq!(
        value::<i64>(
            &database.pool(),
            "SELECT count(*) FROM blobs WHERE sweep_at IS NOT NULL"
        )
        .await,
        0,
        "what is linked is off the list"
    );
    assert_eq!(
        value::<i64>(&database.pool(), "SELECT count(*) FROM blobs").await,
        3,
        "guideline, text, document"
    );
}

#[tokio::test]
async fn a_late_uploader_is_told_and_a_repeated_step_changes_nothing() {
    let database = database().await;
    let (uploads, sweeper) = (store(&database, "upload"), store(&database, "sweeper"));
    let alice = user("alice");
    let sized = nova_store::NewBlob {
        declared_size: Some(4),
        ..new_blob(Purpose::Guideline)
    };
    within(&uploads, &alice, async |t| t.begin_blob(&sized).await)
        .await
        .unwrap();
    within(&uploads, &alice, async |t| t.begin_blob(&sized).await)
        .await
        .unwrap();
    let short = committed(sized.id);
    let refused = within(&uploads, &alice, async |t| t.commit_blob(&short).await).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "3 bytes arrived instead of the 4 declared"
    );
    let whole = nova_store::CommittedBlob { size: 4, ..short };
    within(&uploads, &alice, async |t| t.commit_blob(&whole).await)
        .await
        .unwrap();
    within(&uploads, &alice, async |t| t.commit_blob(&whole).await)
        .await
        .unwrap();
    within(&uploads, &alice, async |t| t.begin_blob(&sized).await)
        .await
        .unwrap();
    assert_eq!(
        within(&uploads, &alice, async |t| t.blob(sized.id).await)
            .await
            .unwrap()
            .size,
        4
    );
    let other = nova_store::CommittedBlob {
        generation: 8,
        ..whole
    };
    let refused = within(&uploads, &alice, async |t| t.commit_blob(&other).await).await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );

    let late = new_blob(Purpose::Guideline);
    within(&uploads, &alice, async |t| t.begin_blob(&late).await)
        .await
        .unwrap();
    pass(&database, "61 minutes").await;
    assert_eq!(claimed(&sweeper).await, [late.id]);
    let done = committed(late.id);
    for refused in [
        within(&uploads, &alice, async |t| t.commit_blob(&done).await).await,
        within(&uploads, &alice, async |t| t.begin_blob(&late).await).await,
    ] {
        assert!(
            matches!(refused, Err(Error::Conflict { .. })),
            "{refused:?}"
        );
    }
    let back = sqlx::query("UPDATE blobs SET state = 'pending' WHERE state = 'deleting'")
        .execute(&database.pool())
        .await;
    assert!(
        back.unwrap_err()
            .to_string()
            .contains("cannot go from deleting to pending")
    );
}

/// A blob that was committed long ago and never linked, an article to link it to, and both parties.
struct Race {
    database: Database,
    tools: Store,
    alice: UserId,
    article: Uuid,
    blob: Uuid,
}

impl Race {
    async fn new() -> Self {
        let database = database().await;
        let (uploads, tools) = (store(&database, "upload"), store(&database, "research"));
        let alice = user("alice");
        let article = article(&uploads, &alice).await;
        let blob = blob(&tools, &alice, Purpose::Scraped).await;
        pass(&database, "8 days").await;
        Self {
            database,
            tools,
            alice,
            article,
            blob,
        }
    }

    /// What must never be: a source whose text is not there.
    async fn lost(&self) -> i64 {
        value(
            &self.database.pool(),
            "SELECT count(*) FROM sources s JOIN blobs b ON b.id = s.blob_id WHERE b.state <> 'committed'",
        )
        .await
    }
}

#[tokio::test]
async fn a_sweeper_passes_by_a_blob_that_is_being_linked() {
    let race = Race::new().await;
    let sweeper = store(&race.database, "sweeper");
    let mut tenant = race.tools.tenant(&race.alice).await.unwrap();
    tenant
        .upsert_source(race.article, &source(race.blob))
        .await
        .unwrap();
    assert_eq!(claimed(&sweeper).await, NONE);
    tenant.commit().await.unwrap();
    assert_eq!(claimed(&sweeper).await, NONE);
    assert_eq!(race.lost().await, 0);
}

#[tokio::test]
async fn a_link_waits_for_a_sweeper_at_work_and_is_refused_when_the_blob_is_taken() {
    let race = Race::new().await;
    let sweeper = race.database.pool_as("test_sweeper");
    let mut sweep = sweeper.begin().await.unwrap();
    let taken = sqlx::query("SELECT * FROM claim_dead_blobs(10)")
        .execute(&mut *sweep)
        .await
        .unwrap();
    assert_eq!(taken.rows_affected(), 1);
    let linking = tokio::spawn({
        let (tools, alice, article, source) = (
            race.tools.clone(),
            race.alice.clone(),
            race.article,
            source(race.blob),
        );
        async move {
            within(&tools, &alice, async |t| {
                t.upsert_source(article, &source).await
            })
            .await
        }
    });
    wait_for_a_lock(&race.database.pool()).await;
    sweep.commit().await.unwrap();
    let refused = linking.await.unwrap();
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );
    assert_eq!(race.lost().await, 0);
}

#[tokio::test]
async fn a_link_goes_through_when_the_sweeper_dies_at_work() {
    let race = Race::new().await;
    let sweeper = race.database.pool_as("test_sweeper");
    let mut sweep = sweeper.begin().await.unwrap();
    sqlx::query("SELECT * FROM claim_dead_blobs(10)")
        .execute(&mut *sweep)
        .await
        .unwrap();
    let linking = tokio::spawn({
        let (tools, alice, article, source) = (
            race.tools.clone(),
            race.alice.clone(),
            race.article,
            source(race.blob),
        );
        async move {
            within(&tools, &alice, async |t| {
                t.upsert_source(article, &source).await
            })
            .await
        }
    });
    wait_for_a_lock(&race.database.pool()).await;
    sweep.rollback().await.unwrap();
    linking.await.unwrap().unwrap();
    assert_eq!(claimed(&store(&race.database, "sweeper")).await, NONE);
    assert_eq!(race.lost().await, 0);
}

/// Why there are triggers at all. If this ever fails, `PostgreSQL` has become kinder than it was.
#[tokio::test]
async fn with_the_foreign_key_alone_the_blob_would_be_lost() {
    let race = Race::new().await;
    run(
        &race.database.pool(),
        "DROP TRIGGER blob_changed ON sources",
    )
    .await;
    let mut tenant = race.tools.tenant(&race.alice).await.unwrap();
    tenant
        .upsert_source(race.article, &source(race.blob))
        .await
        .unwrap();
    run(
        &race.database.pool(),
        "UPDATE blobs SET state = 'deleting' WHERE sweep_at < now() AND state = 'committed'",
    )
    .await;
    tenant.commit().await.unwrap();
    assert_eq!(race.lost().await, 1);
}

#[tokio::test]
async fn a_blob_that_two_rows_share_is_released_by_the_last() {
    let race = Race::new().await;
    let list = store(&race.database, "articles");
    let shared = NewArticle {
        id: Uuid::now_v7(),
        title: None,
        guideline_blob_id: race.blob,
        idempotency_key: None,
    };
    within(&store(&race.database, "upload"), &race.alice, async |t| {
        t.create_article(&shared).await
    })
    .await
    .unwrap();
    let text = source(race.blob);
    within(&race.tools, &race.alice, async |t| {
        t.upsert_source(race.article, &text).await
    })
    .await
    .unwrap();
    let state = async || {
        value::<String>(
            &race.database.pool(),
            "SELECT state::text FROM blobs WHERE purpose = 'scraped'",
        )
        .await
    };

    // The release waits for a link in progress, and then sees it.
    within(&list, &race.alice, async |t| {
        t.delete_article(shared.id).await
    })
    .await
    .unwrap();
    assert_eq!(state().await, "committed");
    let mut tenant = race.tools.tenant(&race.alice).await.unwrap();
    let second = NewSource {
        key: "https://example.com/2".to_owned(),
        ..source(race.blob)
    };
    tenant.upsert_source(race.article, &second).await.unwrap();
    let releasing = tokio::spawn({
        let pool = race.database.pool();
        async move {
            run(
                &pool,
                "DELETE FROM sources WHERE source_key = 'https://example.com/'",
            )
            .await;
        }
    });
    wait_for_a_lock(&race.database.pool()).await;
    tenant.commit().await.unwrap();
    releasing.await.unwrap();
    assert_eq!(state().await, "committed");
    within(&list, &race.alice, async |t| {
        t.delete_article(race.article).await
    })
    .await
    .unwrap();
    assert_eq!(state().await, "deleting");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sweepers_at_once_share_the_work_and_no_blob_is_taken_twice() {
    let database = database().await;
    run(
        &database.pool(),
        "INSERT INTO users (user_id) VALUES ('alice');
         INSERT INTO blobs (id, user_id, purpose, bucket, object_name, content_type, sweep_at)
         SELECT gen_random_uuid(), 'alice', 'scraped', 'files', n::text, 'text/markdown', now() - interval '1 hour'
           FROM generate_series(1, 200) n",
    )
    .await;
    let sweeper = Store::new(crate::support::pool(&database, "sweeper", 8));
    let mut sweeps = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let sweeper = sweeper.clone();
        sweeps.spawn(async move {
            let mut taken = Vec::new();
            loop {
                let dead = sweeper.claim_dead_blobs(7).await.unwrap();
                if dead.is_empty() {
                    return taken;
                }
                taken.extend(dead.into_iter().map(|blob| blob.id));
            }
        });
    }
    let mut all: Vec<Uuid> = sweeps.join_all().await.into_iter().flatten().collect();
    assert_eq!(all.len(), 200);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 200);
}
