//! Files under names that later contents take over.

use bytes::Bytes;
use nova_blobs::{Checksum, Error, Object, checksum};
use nova_testkit::objects::{Action, Effect, Fault};

use crate::support::{BUCKET, MIB, NO_LIMIT, World, incoming, pattern};

const NAME: &str = "exports/day=2026-03-29/part-0000";

async fn replace(world: &World, seen: Option<&Object>, body: &Bytes) -> Result<Object, Error> {
    let body = incoming(body);
    let blobs = &world.blobs;
    blobs
        .replace(NAME, "text/plain", seen, body, NO_LIMIT)
        .await
}

#[tokio::test]
async fn a_file_takes_the_place_of_the_one_that_was_seen_and_of_no_other() {
    let world = World::new().await;
    // In one request, and in a session.
    for size in [1000, 20 * MIB] {
        let (first, second) = (pattern(size), pattern(size + 1));
        let before = world.blobs.stat(BUCKET, NAME).await.ok();
        let made = replace(&world, before.as_ref(), &first).await.unwrap();
        let again = replace(&world, Some(&made), &second).await.unwrap();
        assert!(again.generation > made.generation);
        let late = replace(&world, Some(&made), &first).await;
        assert!(matches!(late, Err(Error::Precondition { .. })), "{late:?}");
        let unseen = replace(&world, None, &first).await;
        assert!(
            matches!(unseen, Err(Error::Precondition { .. })),
            "{unseen:?}"
        );
        assert_eq!(world.blobs.stat(BUCKET, NAME).await.unwrap(), again);
        assert_eq!(
            Checksum::from(&again),
            checksum(incoming(&second)).await.unwrap()
        );
        assert_eq!(world.object().generation, again.generation);
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_told_from_somebody_elses_write() {
    let world = World::new().await;
    for size in [1000, 20 * MIB] {
        let body = pattern(size);
        let before = world.blobs.stat(BUCKET, NAME).await.ok();
        let action = if size < MIB {
            Action::UploadMultipart
        } else {
            Action::ContinueSession
        };
        let last = if size < MIB { 0 } else { 2 };
        let lost = Fault::new(Effect::CutAfter).on(action).after(last);
        world.objects.inject(lost);
        let written = replace(&world, before.as_ref(), &body).await.unwrap();
        assert_eq!(written.generation, world.object().generation);
        assert!(world.objects.faults_are_used_up());
    }
}
