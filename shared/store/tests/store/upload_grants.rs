//! Grants for single uploads: one use however many come at once, for nobody else, and for a while.

use std::time::Duration;

use nova_store::{Error, NewUploadGrant, Store, UserId};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{article, database, pool, run, store, user, value, within};

fn grant(article: Option<Uuid>, token: u8) -> NewUploadGrant {
    NewUploadGrant {
        id: Uuid::now_v7(),
        token_hash: [token; 32],
        article,
        target: "/upload_article_guideline".to_owned(),
        content_type: "text/markdown".to_owned(),
        max_bytes: 1000,
    }
}

async fn give(store: &Store, user: &UserId, grant: &NewUploadGrant) -> Result<(), Error> {
    within(store, user, async |t| t.create_upload_grant(grant).await)
        .await
        .map(drop)
}

async fn using(store: &Store, user: &UserId, id: Uuid) -> Result<(), Error> {
    within(store, user, async |t| t.use_upload_grant(id).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_who_use_a_grant_at_once_one_does() {
    let database = database().await;
    let uploads = Store::new(pool(&database, "upload", 20));
    let alice = user("alice");
    let given = grant(None, 1);
    give(&uploads, &alice, &given).await.unwrap();
    let mut all = JoinSet::new();
    for _ in 0..20 {
        let (uploads, alice, id) = (uploads.clone(), alice.clone(), given.id);
        all.spawn(async move { using(&uploads, &alice, id).await });
    }
    let (mut used, mut refused) = (0, 0);
    while let Some(outcome) = all.join_next().await {
        match outcome.unwrap() {
            Ok(()) => used += 1,
            Err(Error::Conflict { .. }) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!((used, refused), (1, 19));
}

#[tokio::test]
async fn an_upload_that_is_not_kept_leaves_its_grant_to_the_next_try() {
    let database = database().await;
    let uploads = store(&database, "upload");
    let alice = user("alice");
    let given = grant(None, 1);
    give(&uploads, &alice, &given).await.unwrap();
    let mut tenant = uploads.tenant(&alice).await.unwrap();
    tenant.use_upload_grant(given.id).await.unwrap();
    drop(tenant);
    let found = uploads.find_upload_grant([1; 32]).await.unwrap().unwrap();
    assert!(!found.is_used && !found.is_expired, "{found:?}");
    using(&uploads, &alice, given.id).await.unwrap();
    let found = uploads.find_upload_grant([1; 32]).await.unwrap().unwrap();
    assert!(found.is_used, "{found:?}");
}

#[tokio::test]
async fn a_grant_is_found_by_its_token_alone_and_used_by_its_user_alone() {
    let database = database().await;
    let uploads = store(&database, "upload");
    let (alice, bob) = (user("alice"), user("bob"));
    let given = grant(None, 1);
    give(&uploads, &alice, &given).await.unwrap();
    assert_eq!(uploads.find_upload_grant([2; 32]).await.unwrap(), None);
    let found = uploads.find_upload_grant([1; 32]).await.unwrap().unwrap();
    assert_eq!((&found.user, found.id), (&alice, given.id));
    assert_eq!(
        (found.target, found.content_type, found.max_bytes),
        (given.target, given.content_type, given.max_bytes)
    );
    let foreign = using(&uploads, &bob, given.id).await;
    assert!(
        matches!(foreign, Err(Error::Conflict { .. })),
        "{foreign:?}"
    );
    using(&uploads, &alice, given.id).await.unwrap();
}

#[tokio::test]
async fn nobody_gets_a_grant_for_another_users_article_and_it_goes_with_its_article() {
    let database = database().await;
    let uploads = store(&database, "upload");
    let (alice, bob) = (user("alice"), user("bob"));
    let hers = article(&uploads, &alice).await;
    let refused = give(&uploads, &bob, &grant(Some(hers), 1)).await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );
    give(&uploads, &alice, &grant(Some(hers), 2)).await.unwrap();
    let list = store(&database, "articles");
    within(&list, &alice, async |t| t.delete_article(hers).await)
        .await
        .unwrap();
    assert_eq!(uploads.find_upload_grant([2; 32]).await.unwrap(), None);
}

#[tokio::test]
async fn its_user_alone_is_told_whether_the_guideline_came() {
    let database = database().await;
    let uploads = store(&database, "upload");
    let (alice, bob) = (user("alice"), user("bob"));
    let given = grant(None, 1);
    give(&uploads, &alice, &given).await.unwrap();
    let came = async |who: &UserId, id| {
        within(&uploads, who, async |t| t.is_guideline_uploaded(id).await).await
    };
    assert!(!came(&alice, given.id).await.unwrap());
    let foreign = came(&bob, given.id).await;
    assert!(
        matches!(foreign, Err(Error::NotFound { .. })),
        "{foreign:?}"
    );
    let file = grant(Some(article(&uploads, &alice).await), 2);
    give(&uploads, &alice, &file).await.unwrap();
    let other = came(&alice, file.id).await;
    assert!(matches!(other, Err(Error::NotFound { .. })), "{other:?}");
    using(&uploads, &alice, given.id).await.unwrap();
    assert!(came(&alice, given.id).await.unwrap());
}

#[tokio::test]
async fn a_grant_lasts_ten_minutes_and_is_told_to_have_expired_until_it_is_swept() {
    let database = database().await;
    let (uploads, sweeper) = (store(&database, "upload"), store(&database, "sweeper"));
    give(&uploads, &user("alice"), &grant(None, 1))
        .await
        .unwrap();
    let sql = database.pool();
    let lifetime = "SELECT expires_at - created_at = interval '10 minutes' FROM upload_grants";
    assert!(value::<bool>(&sql, lifetime).await);
    let hour = Duration::from_hours(1);
    run(&sql, "UPDATE upload_grants SET expires_at = now()").await;
    let found = uploads.find_upload_grant([1; 32]).await.unwrap().unwrap();
    assert!(found.is_expired, "{found:?}");
    assert_eq!(sweeper.expire_upload_grants(hour, 10).await.unwrap(), 0);
    let old = "UPDATE upload_grants SET expires_at = now() - interval '61 minutes'";
    run(&sql, old).await;
    assert_eq!(sweeper.expire_upload_grants(hour, 10).await.unwrap(), 1);
    assert_eq!(uploads.find_upload_grant([1; 32]).await.unwrap(), None);
}
