//! A function that dies in the middle of uploads: nothing is lost, and nothing is left unfound.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use http::StatusCode;
use nova_local::local::BUCKET;
use nova_store::Store;
use nova_testkit::objects::{Action, Effect, Fault};
use sqlx::PgPool;

use crate::system::System;

/// From the start of the uploads to the crash: before, around and after the object is written.
const MOMENTS_MS: [u64; 3] = [15, 60, 120];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_uploads_leaves_no_row_without_its_object_and_no_object_unfound() {
    for moment in MOMENTS_MS {
        let system = Arc::new(System::start_with(&[], true).await);
        // Half of the uploads wait at the bucket, so that each step has somebody in it.
        let slow = Fault::new(Effect::Delay(Duration::from_millis(50)))
            .after(4)
            .times(4);
        system
            .local
            .objects
            .inject(slow.on(Action::UploadMultipart));
        let uploads: Vec<_> = (0..8)
            .map(|number| {
                let system = Arc::clone(&system);
                tokio::spawn(async move {
                    system
                        .post_guideline("alice", format!("# {number}"), &[])
                        .await
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(moment)).await;
        system.local.kill("upload_article_guideline").await.unwrap();
        let mut acknowledged = BTreeSet::new();
        for upload in uploads {
            let answer = upload.await.unwrap();
            if answer.status == StatusCode::CREATED {
                acknowledged.insert(answer.json()["article_id"].as_str().unwrap().to_owned());
            }
        }
        let pool = system.database.pool();
        let articles = articles(&pool).await;
        assert!(
            acknowledged.is_subset(&articles),
            "acknowledged at {moment} ms, and lost"
        );
        every_committed_row_has_its_object(&system, &pool).await;
        every_other_object_is_found_by_the_sweeper(&system, &pool).await;
    }
}

async fn articles(pool: &PgPool) -> BTreeSet<String> {
    let ids: Vec<String> = sqlx::query_scalar("SELECT id::text FROM articles")
        .fetch_all(pool)
        .await
        .unwrap();
    ids.into_iter().collect()
}

async fn every_committed_row_has_its_object(system: &System, pool: &PgPool) {
    let rows: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT object_name, generation, size FROM blobs WHERE state = 'committed'")
            .fetch_all(pool)
            .await
            .unwrap();
    let objects: BTreeSet<(String, i64, i64)> = system
        .local
        .objects
        .objects(BUCKET)
        .into_iter()
        .map(|object| {
            (
                object.name,
                object.generation,
                i64::try_from(object.size).unwrap(),
            )
        })
        .collect();
    for row in rows {
        assert!(objects.contains(&row), "{row:?} has no object");
    }
    let dangling: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM articles a JOIN blobs b ON b.id = a.guideline_blob_id
          WHERE b.state <> 'committed'",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(dangling, 0, "articles whose guideline is not committed");
}

/// Ten days later, as the sweeper will see it.
async fn every_other_object_is_found_by_the_sweeper(system: &System, pool: &PgPool) {
    sqlx::query("UPDATE blobs SET sweep_at = sweep_at - interval '10 days'")
        .execute(pool)
        .await
        .unwrap();
    let referred: Vec<String> = sqlx::query_scalar(
        "SELECT object_name FROM blobs b JOIN articles a ON a.guideline_blob_id = b.id",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let dead = Store::new(pool.clone())
        .claim_dead_blobs(1000)
        .await
        .unwrap();
    let found: BTreeSet<String> = referred
        .into_iter()
        .chain(dead.into_iter().map(|blob| blob.object_name))
        .collect();
    for object in system.local.objects.objects(BUCKET) {
        assert!(
            found.contains(&object.name),
            "nobody will find {}",
            object.name
        );
    }
}
