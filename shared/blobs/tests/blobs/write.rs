//! Uploads: small ones in one request, large ones in chunks, and what happens when either goes wrong.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use nova_blobs::{Error, Upload, object_name};
use nova_runtime::tokens::TokenSource;
use nova_store::Purpose;
use nova_testkit::objects::{Action, Config, Effect, Fault};

use crate::support::{BUCKET, MIB, NO_LIMIT, World, incoming, pattern};

fn sha256(bytes: &[u8]) -> [u8; 32] {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes)
        .as_ref()
        .try_into()
        .unwrap()
}

/// The bytes really in the bucket are those, and what came back describes them.
async fn assert_written(
    world: &World,
    body: &Bytes,
    outcome: Result<nova_blobs::CommittedBlob, Error>,
) {
    let written = outcome.unwrap();
    let object = world.object();
    assert_eq!(
        (written.size, written.crc32c),
        (body.len() as u64, crc32c::crc32c(body))
    );
    assert_eq!(
        (object.size, object.crc32c, object.generation),
        (written.size, written.crc32c, written.generation)
    );
    assert_eq!(written.sha256, Some(sha256(body)));
    assert_eq!(object.name, object_name(&world.user, written.id));
    assert_eq!(object.content_type, "text/plain");
    assert!(world.objects.faults_are_used_up());
    world.commit(&written).await;
}

#[tokio::test]
async fn a_small_body_goes_in_one_request() {
    let world = World::new().await;
    let body = pattern(100_000);
    let outcome = world.write(body.clone()).await;
    assert_written(&world, &body, outcome).await;
    assert_eq!(world.objects.seen().len(), 1);
    assert!(
        world
            .object()
            .name
            .starts_with("v1/2bd806c97f0e00af1a1fc3328fa763a9/"),
        "{}",
        world.object().name
    );
}

#[tokio::test]
async fn bodies_of_every_awkward_size_arrive_whole() {
    for size in [
        0,
        1,
        8 * MIB - 1,
        8 * MIB,
        8 * MIB + 1,
        16 * MIB,
        16 * MIB + 77,
    ] {
        let world = World::new().await;
        let body = pattern(size);
        let outcome = world.write(body.clone()).await;
        assert_written(&world, &body, outcome).await;
    }
}

#[tokio::test]
async fn a_small_upload_survives_what_passes() {
    for effect in [
        Effect::Status(503),
        Effect::Status(429),
        Effect::Status(408),
        Effect::CutBefore,
        Effect::CutAfter,
        Effect::CutRequestAfter(1000),
    ] {
        let world = World::new().await;
        world.objects.inject(
            Fault::new(effect.clone())
                .on(Action::UploadMultipart)
                .times(2),
        );
        let body = pattern(100_000);
        let outcome = world.write(body.clone()).await;
        assert!(outcome.is_ok(), "{effect:?}: {outcome:?}");
        assert_written(&world, &body, outcome).await;
    }
}

#[tokio::test]
async fn an_answer_lost_after_the_upload_is_found_out_and_not_taken_for_a_conflict() {
    let world = World::new().await;
    world
        .objects
        .inject(Fault::new(Effect::CutAfter).on(Action::UploadMultipart));
    let body = pattern(100_000);
    let outcome = world.write(body.clone()).await;
    assert_written(&world, &body, outcome).await;
    let statuses: Vec<_> = world
        .objects
        .seen()
        .iter()
        .map(|seen| (seen.action, seen.status))
        .collect();
    assert_eq!(
        statuses,
        [
            (Action::UploadMultipart, None),
            (Action::UploadMultipart, Some(412)),
            (Action::Stat, Some(200))
        ]
    );
}

#[tokio::test]
async fn a_large_upload_survives_what_passes_at_every_step() {
    let body = pattern(16 * MIB + 12_345);
    for action in [Action::StartSession, Action::ContinueSession] {
        for after in [0, 1, 2] {
            if action == Action::StartSession && after > 0 {
                continue;
            }
            for effect in [
                Effect::Status(503),
                Effect::StatusRetryAfter(429, 0),
                Effect::CutBefore,
                Effect::CutAfter,
                Effect::CutRequestAfter(3_000_000),
                Effect::CutRequestAfter(0),
            ] {
                let world = World::new().await;
                // A session starts with a short body, which the longer cut does not reach.
                if action == Action::StartSession
                    && matches!(effect, Effect::CutRequestAfter(3_000_000))
                {
                    continue;
                }
                world
                    .objects
                    .inject(Fault::new(effect.clone()).on(action).after(after));
                let outcome = world.write(body.clone()).await;
                assert!(
                    outcome.is_ok(),
                    "{action:?} {after} {effect:?}: {outcome:?}"
                );
                assert_written(&world, &body, outcome).await;
            }
        }
    }
}

#[tokio::test]
async fn the_question_how_far_an_upload_got_may_fail_too() {
    let world = World::new().await;
    world.objects.inject(
        Fault::new(Effect::CutRequestAfter(3_000_000))
            .on(Action::ContinueSession)
            .after(1),
    );
    world.objects.inject(
        Fault::new(Effect::Status(503))
            .on(Action::ContinueSession)
            .after(1),
    );
    world.objects.inject(
        Fault::new(Effect::CutAfter)
            .on(Action::ContinueSession)
            .after(1),
    );
    let body = pattern(20 * MIB);
    let outcome = world.write(body.clone()).await;
    assert_written(&world, &body, outcome).await;
    let statuses: Vec<_> = world
        .objects
        .seen()
        .iter()
        .map(|seen| seen.status)
        .collect();
    let (start, chunk, question) = (Some(200), Some(308), Some(308));
    assert_eq!(
        statuses,
        [
            start,
            chunk,
            None,
            Some(503),
            None,
            question,
            chunk,
            Some(200)
        ]
    );
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let world = World::new().await;
    world
        .objects
        .inject(Fault::new(Effect::StatusRetryAfter(503, 1)).on(Action::StartSession));
    let begun = Instant::now();
    world.write(pattern(9 * MIB)).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn what_does_not_pass_is_not_retried_and_has_a_name() {
    for (status, is_denied) in [(401, true), (403, true), (400, false)] {
        let world = World::new().await;
        world.objects.inject(Fault::new(Effect::Status(status)));
        let error = world.write("x").await.unwrap_err();
        assert_eq!(matches!(error, Error::Denied(_)), is_denied, "{error:?}");
        assert!(!error.is_retryable());
        assert_eq!(world.objects.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_bucket_that_stays_away_is_given_up_at_the_deadline() {
    for size in [1000, 9 * MIB] {
        let world = World::with(Config::default(), TokenSource::anonymous(), |settings| {
            settings.deadline = Duration::from_secs(2);
        })
        .await;
        world
            .objects
            .inject(Fault::new(Effect::Status(503)).times(1000));
        let begun = Instant::now();
        let error = world.write(pattern(size)).await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "{:?}",
            begun.elapsed()
        );
        assert!(world.objects.seen().len() > 1);
    }
}

#[tokio::test]
async fn a_bucket_that_never_answers_is_given_up_at_the_deadline() {
    let world = World::with(Config::default(), TokenSource::anonymous(), |settings| {
        settings.deadline = Duration::from_millis(300);
    })
    .await;
    world
        .objects
        .inject(Fault::new(Effect::Delay(Duration::from_mins(1))));
    let error = tokio::time::timeout(Duration::from_secs(5), world.write("x"))
        .await
        .unwrap()
        .unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn one_byte_too_many_is_refused_and_leaves_nothing_but_the_row() {
    for limit in [1000, 9 * MIB] {
        let world = World::new().await;
        let upload = Upload::new(Purpose::LocalFile, "text/plain");
        let (id, most) = (upload.id, limit as u64);
        let endless = stream::repeat_with(|| Ok(Bytes::from(vec![7; 1000])));
        let error = world
            .blobs
            .write(&world.user, upload, endless.boxed(), most)
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::TooLarge { limit } if limit == most),
            "{error:?}"
        );
        assert!(world.objects.objects(BUCKET).is_empty());
        assert_eq!(
            world.objects.count(Action::CancelSession),
            usize::from(limit > 8 * MIB)
        );
        assert_eq!(
            world
                .swept()
                .await
                .iter()
                .map(|dead| dead.id)
                .collect::<Vec<_>>(),
            [id]
        );

        let exact = incoming(&pattern(limit));
        let upload = Upload::new(Purpose::LocalFile, "text/plain");
        world
            .blobs
            .write(&world.user, upload, exact, most)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_declared_size_is_held_to() {
    let world = World::new().await;
    let upload = |declared| Upload {
        declared_size: Some(declared),
        ..Upload::new(Purpose::Guideline, "text/markdown")
    };
    for arrived in [9, 11] {
        let error = world
            .write_as(upload(10), pattern(arrived))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::WrongSize { declared: 10, arrived: found } if found == arrived as u64),
            "{error:?}"
        );
    }
    assert!(world.objects.seen().is_empty());
    let too_large = world.write_as(upload(NO_LIMIT + 1), "x").await.unwrap_err();
    assert!(matches!(too_large, Error::TooLarge { .. }));
    assert_eq!(
        world.swept().await.len(),
        2,
        "what is too large by its own account does not even get a row"
    );
    world.write_as(upload(10), pattern(10)).await.unwrap();
}

#[tokio::test]
async fn a_body_that_breaks_off_ends_the_upload() {
    for size in [1000, 9 * MIB] {
        let world = World::new().await;
        let broken = stream::once(async { Err("the client hung up".into()) });
        let body = incoming(&pattern(size)).chain(broken).boxed();
        let upload = Upload::new(Purpose::LocalFile, "text/plain");
        let error = world
            .blobs
            .write(&world.user, upload, body, NO_LIMIT)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Body(_)), "{error:?}");
        assert!(world.objects.objects(BUCKET).is_empty());
        assert_eq!(
            world.objects.count(Action::CancelSession),
            usize::from(size > 8 * MIB)
        );
    }
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_only_what_the_sweeper_finds() {
    for size in [1000, 20 * MIB] {
        let world = World::new().await;
        // The bucket hangs at the last request.
        let skip = if size > 8 * MIB { 3 } else { 0 };
        world
            .objects
            .inject(Fault::new(Effect::Delay(Duration::from_millis(400))).after(skip));
        let upload = Upload::new(Purpose::LocalFile, "text/plain");
        let id = upload.id;
        let writing = world.write_as(upload, pattern(size));
        assert!(
            tokio::time::timeout(Duration::from_millis(350), writing)
                .await
                .is_err()
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
        let known: Vec<_> = world
            .swept()
            .await
            .iter()
            .map(|dead| (dead.id, dead.object_name.clone()))
            .collect();
        assert_eq!(known.len(), 1);
        for object in world.objects.objects(BUCKET) {
            assert_eq!(known, [(id, object.name)]);
        }
    }
}

#[tokio::test]
async fn an_upload_that_is_repeated_finds_what_is_there() {
    for size in [1000, 9 * MIB] {
        let world = World::new().await;
        let upload = Upload::new(Purpose::LocalFile, "text/plain");
        let body = pattern(size);
        let first = world.write_as(upload.clone(), body.clone()).await.unwrap();
        let before = world.write_as(upload.clone(), body.clone()).await.unwrap();
        world.commit(&first).await;
        let after = world.write_as(upload.clone(), body.clone()).await.unwrap();
        world.commit(&after).await;
        assert_eq!(
            (first.generation, before.generation),
            (before.generation, after.generation)
        );

        let other = world.write_as(upload, pattern(size + 1)).await.unwrap_err();
        assert!(matches!(other, Error::Corrupt { .. }), "{other:?}");
        assert_eq!(
            world.object().crc32c,
            first.crc32c,
            "what was there is as it was"
        );
    }
}

#[tokio::test]
async fn a_checksum_that_does_not_fit_is_never_passed_on() {
    for (size, action) in [
        (1000, Action::UploadMultipart),
        (9 * MIB, Action::ContinueSession),
    ] {
        let world = World::new().await;
        let skip = u32::from(action == Action::ContinueSession);
        world
            .objects
            .inject(Fault::new(Effect::WrongChecksum).on(action).after(skip));
        let error = world.write(pattern(size)).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        assert_eq!(world.swept().await.len(), 1);
    }
}

#[tokio::test]
async fn every_request_carries_the_token() {
    let config = || Config {
        token: Some("secret".to_owned()),
        ..Config::default()
    };
    let world = World::with(config(), TokenSource::fixed("secret"), |_| {}).await;
    for size in [10, 9 * MIB] {
        let written = world.write(pattern(size)).await.unwrap();
        let name = object_name(&world.user, written.id);
        world.blobs.stat(BUCKET, &name).await.unwrap();
        world.blobs.delete(BUCKET, &name).await.unwrap();
    }
    let stranger = World::with(config(), TokenSource::anonymous(), |_| {}).await;
    assert!(matches!(
        stranger.write("x").await.unwrap_err(),
        Error::Denied(_)
    ));
    assert!(matches!(
        stranger.write(pattern(9 * MIB)).await.unwrap_err(),
        Error::Denied(_)
    ));
}

#[tokio::test]
async fn a_database_that_is_away_is_said_before_a_byte_is_sent() {
    let world = World::new().await;
    let gone = nova_store::Store::new(
        sqlx::postgres::PgPoolOptions::new()
            .acquire_timeout(Duration::from_millis(100))
            .connect_lazy("postgres://nobody@127.0.0.1:1/none")
            .unwrap(),
    );
    let settings = nova_blobs::Settings::new(BUCKET, Some(world.objects.url.parse().unwrap()));
    let http = nova_runtime::http_client::HttpClient::new();
    let blobs = nova_blobs::Blobs::open(settings, http, TokenSource::anonymous(), gone);
    let upload = Upload::new(Purpose::LocalFile, "text/plain");
    let error = blobs
        .write(&world.user, upload, nova_blobs::whole("x"), 10)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Store(_)) && error.is_retryable(),
        "{error:?}"
    );
    assert!(world.objects.seen().is_empty());
}
