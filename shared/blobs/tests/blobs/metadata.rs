//! Looking, listing and deleting.

use nova_blobs::{Error, object_name};
use nova_store::UserId;
use nova_testkit::objects::{Action, Effect, Fault};

use crate::support::{BUCKET, World};

#[tokio::test]
async fn an_object_is_described_as_it_was_written() {
    let world = World::new().await;
    let blob = world.blob("hello").await;
    let object = world.blobs.stat(BUCKET, &blob.object_name).await.unwrap();
    assert_eq!(
        (
            object.name,
            object.generation,
            object.size,
            object.crc32c,
            object.content_type
        ),
        (
            blob.object_name,
            blob.generation,
            5,
            crc32c::crc32c(b"hello"),
            "text/plain".to_owned()
        )
    );
    let missing = world.blobs.stat(BUCKET, "v1/../%2F ü?#").await.unwrap_err();
    assert!(
        matches!(&missing, Error::NotFound { object } if object == "v1/../%2F ü?#"),
        "{missing:?}"
    );
}

#[tokio::test]
async fn calls_survive_what_passes() {
    let world = World::new().await;
    let blob = world.blob("hello").await;
    for effect in [
        Effect::Status(503),
        Effect::StatusRetryAfter(429, 0),
        Effect::CutBefore,
        Effect::CutAnswerAfter(10),
    ] {
        world
            .objects
            .inject(Fault::new(effect).on(Action::Stat).times(2));
        world.blobs.stat(BUCKET, &blob.object_name).await.unwrap();
        assert!(world.objects.faults_are_used_up());
    }
}

#[tokio::test]
async fn deleting_is_done_when_the_object_is_gone_however_that_came() {
    let world = World::new().await;
    let blob = world.blob("hello").await;
    world
        .objects
        .inject(Fault::new(Effect::CutAfter).on(Action::Delete));
    world.blobs.delete(BUCKET, &blob.object_name).await.unwrap();
    assert!(world.objects.objects(BUCKET).is_empty());
    world.blobs.delete(BUCKET, &blob.object_name).await.unwrap();
    let statuses: Vec<_> = world
        .objects
        .seen()
        .iter()
        .filter(|seen| seen.action == Action::Delete)
        .map(|seen| seen.status)
        .collect();
    assert_eq!(statuses, [None, Some(404), Some(404)]);
    world
        .objects
        .inject(Fault::new(Effect::Status(403)).on(Action::Delete));
    assert!(matches!(
        world.blobs.delete(BUCKET, "x").await.unwrap_err(),
        Error::Denied(_)
    ));
}

#[tokio::test]
async fn a_list_has_every_object_of_the_prefix_once() {
    let world = World::new().await;
    let mut expected = Vec::new();
    for n in 0..5 {
        expected.push(world.blob(format!("{n}")).await.object_name);
    }
    expected.sort();
    let folder = object_name(&world.user, uuid::Uuid::nil());
    let folder = folder.rsplit_once('/').unwrap().0;
    let page = world.blobs.list(folder, None).await.unwrap();
    assert_eq!(
        page.objects
            .iter()
            .map(|object| object.name.clone())
            .collect::<Vec<_>>(),
        expected
    );
    assert_eq!(page.next, None);
    let from = world
        .blobs
        .list(folder, expected.get(2).map(String::as_str))
        .await
        .unwrap();
    assert_eq!(from.objects.len(), 2);
    assert!(
        world
            .blobs
            .list("v2/", None)
            .await
            .unwrap()
            .objects
            .is_empty()
    );
}

#[test]
fn users_have_folders_that_do_not_tell_who_they_are() {
    let name = |user: &str| {
        object_name(
            &UserId::try_from(user.to_owned()).unwrap(),
            uuid::Uuid::nil(),
        )
    };
    assert_ne!(name("alice"), name("bob"));
    assert_ne!(name("a/b"), name("a"));
    for user in ["alice", "../..", "a/b", "ü"] {
        let name = name(user);
        assert!(!name.contains("alice") && !name.contains(".."));
        assert_eq!((name.len(), name.split('/').count()), (3 + 32 + 1 + 36, 3));
    }
}
