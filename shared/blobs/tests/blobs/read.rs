//! Downloads: whole, in ranges, broken off and damaged.

use std::time::Duration;

use nova_blobs::{BlobRef, Error};
use nova_runtime::tokens::TokenSource;
use nova_testkit::objects::{Action, Config, Effect, Fault};

use crate::support::{BUCKET, MIB, World, pattern, read_all};

#[tokio::test]
async fn what_was_written_is_read() {
    let world = World::new().await;
    for size in [0, 1, 3 * MIB + 17] {
        let body = pattern(size);
        let blob = world.blob(body.clone()).await;
        let (got, outcome) = read_all(&world, &blob, None).await;
        outcome.unwrap();
        assert!(got == body, "{size}");
    }
}

#[tokio::test]
async fn ranges_are_read_and_cut_at_the_end() {
    let world = World::new().await;
    let body = pattern(1000);
    let blob = world.blob(body.clone()).await;
    for (range, expected) in [
        (0..1, 0..1),
        (10..20, 10..20),
        (990..2000, 990..1000),
        (0..1000, 0..1000),
        (5..5, 5..5),
        (1000..1001, 0..0),
    ] {
        let (got, outcome) = read_all(&world, &blob, Some(range.clone())).await;
        outcome.unwrap();
        assert_eq!(got, body.slice(expected), "{range:?}");
    }
}

#[tokio::test]
async fn what_was_read_whole_a_moment_ago_costs_no_request() {
    let world = World::new().await;
    let body = pattern(10_000);
    let blob = world.blob(body.clone()).await;
    let downloads = || world.objects.count(Action::Download);
    assert_eq!(
        world.blobs.read_up_to(&blob, 100).await.unwrap(),
        body.slice(..100)
    );
    world
        .objects
        .inject(Fault::new(Effect::FlippedBit).on(Action::Download).times(1));
    world.blobs.read_whole(&blob).await.unwrap_err();
    let before = downloads();
    for _ in 0..3 {
        assert_eq!(world.blobs.read_whole(&blob).await.unwrap(), body);
    }
    assert_eq!(downloads() - before, 1);
}

#[tokio::test]
async fn a_download_that_breaks_off_is_taken_up_where_it_ended() {
    let world = World::new().await;
    let body = pattern(3 * MIB);
    let blob = world.blob(body.clone()).await;
    for range in [None, Some(100..2_500_000)] {
        world.objects.inject(
            Fault::new(Effect::CutAnswerAfter(1_000_000))
                .on(Action::Download)
                .times(2),
        );
        world.objects.inject(
            Fault::new(Effect::Status(503))
                .on(Action::Download)
                .times(1),
        );
        let (got, outcome) = read_all(&world, &blob, range.clone()).await;
        outcome.unwrap();
        let whole = 0..body.len() as u64;
        let range = range.unwrap_or(whole);
        let expected = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        assert!(got == body.slice(expected));
        assert!(world.objects.faults_are_used_up());
    }
}

#[tokio::test]
async fn a_download_that_breaks_off_for_ever_ends_with_an_error() {
    let world = World::new().await;
    let blob = world.blob(pattern(MIB)).await;
    world.objects.inject(
        Fault::new(Effect::CutAnswerAfter(1000))
            .on(Action::Download)
            .times(1000),
    );
    let (got, outcome) = read_all(&world, &blob, None).await;
    assert!(outcome.unwrap_err().is_retryable());
    assert!(got.len() < MIB);
    assert!(world.objects.count(Action::Download) < 20);
}

#[tokio::test]
async fn damaged_bytes_are_never_passed_on_as_whole() {
    let world = World::new().await;
    for size in [1, 1000, 3 * MIB] {
        let blob = world.blob(pattern(size)).await;
        for effect in [Effect::FlippedBit, Effect::WrongChecksum] {
            world
                .objects
                .inject(Fault::new(effect.clone()).on(Action::Download));
            let (got, outcome) = read_all(&world, &blob, None).await;
            let error = outcome.unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
            assert!(
                got.len() < size,
                "{effect:?}: {} of {size} bytes were passed on",
                got.len()
            );
        }
    }
}

#[tokio::test]
async fn another_object_under_the_name_is_not_read() {
    let world = World::new().await;
    // Long enough to come in many pieces: not even the first may be passed on.
    let blob = world.blob(pattern(3 * MIB)).await;
    let (got, outcome) = read_all(
        &world,
        &BlobRef {
            generation: blob.generation + 1,
            ..blob.clone()
        },
        None,
    )
    .await;
    assert!(got.is_empty() && matches!(outcome, Err(Error::NotFound { .. })));
    // The row says otherwise than the bucket: the row was tampered with, or the object was.
    for changed in [
        BlobRef {
            crc32c: blob.crc32c ^ 1,
            ..blob.clone()
        },
        BlobRef {
            size: blob.size - 1,
            ..blob.clone()
        },
    ] {
        let (got, outcome) = read_all(&world, &changed, None).await;
        assert!(
            got.is_empty() && matches!(outcome, Err(Error::Corrupt { .. })),
            "{outcome:?}"
        );
    }
    world.blobs.delete(BUCKET, &blob.object_name).await.unwrap();
    assert!(matches!(
        read_all(&world, &blob, None).await.1,
        Err(Error::NotFound { .. })
    ));
}

#[tokio::test]
async fn a_silent_bucket_is_given_up_at_the_deadline() {
    let world = World::with(Config::default(), TokenSource::anonymous(), |settings| {
        settings.deadline = Duration::from_millis(300);
    })
    .await;
    let blob = world.blob("x").await;
    world
        .objects
        .inject(Fault::new(Effect::Delay(Duration::from_mins(1))).on(Action::Download));
    let reading = read_all(&world, &blob, None);
    let (_, outcome) = tokio::time::timeout(Duration::from_secs(5), reading)
        .await
        .unwrap();
    assert!(outcome.unwrap_err().is_retryable());
}
