//! The program as it is started, on a database, a bucket and a BigQuery that speak the wire.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::time::Duration;

use nova_testkit::{
    Gate,
    objects::{self, Action},
    providers::{Answer, Effect, Fault},
};
use serde_json::{Value, json};

use crate::world::{Exported, SALT, World};

const WENT_WELL: i32 = 0;
const LEFT_TO_THE_NEXT: i32 = 1;
const WRONG_SETTINGS: i32 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_loads_nothing_and_a_late_change_loads_its_day_alone() {
    let world = World::new().await;
    for days_ago in [0, 1, 10, 35, 36] {
        world.calls(days_ago, 30).await;
    }
    let first = world.run(&[]).await;
    assert_eq!(first.code, WENT_WELL, "{}", first.log);
    assert_eq!(first.summary(), Exported::loaded(3, 90), "{}", first.log);
    assert_eq!(
        world.loaded_days(),
        [1, 10, 35],
        "of five weeks, without today"
    );
    for days_ago in [1, 10, 35] {
        world.assert_is_a_copy(days_ago).await;
    }
    let table = world.bigquery.table("tool_call_usage").unwrap();
    assert!(table.requires_filter);
    assert_eq!(table.partitioned_by, "created_at");
    assert_eq!(table.clustered_by, ["user_id", "tool_name"]);

    let second = world.run(&[]).await;
    assert_eq!(
        (second.code, second.summary()),
        (WENT_WELL, Exported::unchanged(3))
    );
    assert_eq!((world.bigquery.jobs().len(), world.uploads()), (3, 3));

    // A call is given back ten days later, and so are all of another day.
    world.sql("DELETE FROM tool_call_usage WHERE id = (SELECT id FROM tool_call_usage WHERE created_at < now() - interval '9 days' AND created_at > now() - interval '11 days' LIMIT 1)").await;
    let third = world.run(&[]).await;
    let expected = Exported {
        loaded: 1,
        rows: 29,
        unchanged: 2,
        failed: 0,
    };
    assert_eq!(third.summary(), expected, "{}", third.log);
    assert_eq!(world.loaded_days(), [1, 10, 35, 10]);
    world.assert_is_a_copy(10).await;
    world
        .sql("DELETE FROM tool_call_usage WHERE created_at < now() - interval '30 days'")
        .await;
    assert_eq!(world.run(&[]).await.code, WENT_WELL);
    assert_eq!(world.rows(35), [] as [Value; 0]);

    let further = world.run(&["--days", "40"]).await;
    assert_eq!(
        further.summary(),
        Exported::unchanged(3),
        "the day that is empty too"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobodys_name_leaves_and_who_is_erased_stays_the_same_nobody() {
    let world = World::new().await;
    world.calls(1, 20).await;
    world.calls(20, 20).await;
    assert_eq!(world.run(&[]).await.code, WENT_WELL);
    let before = world.rows(1);
    let exported = world.everything_in_the_bucket().await;
    for name in ["alice", "example.com", "bob", "erased"] {
        assert!(!exported.contains(name), "{name} left");
        assert!(before.iter().all(|row| !row.to_string().contains(name)));
    }
    // Each has the same ten calls of a day, and one pseudonym.
    let mut users: Vec<&Value> = before.iter().map(|row| &row["user_id"]).collect();
    users.sort_by_key(ToString::to_string);
    users.dedup();
    assert_eq!(users.len(), 2);

    world
        .sql(&format!("SELECT erase_user('alice@example.com', '{SALT}')"))
        .await;
    assert_eq!(world.run(&[]).await.code, WENT_WELL);
    let after = world.rows(1);
    let ids = |rows: &[Value]| -> Vec<(Value, Value)> {
        rows.iter()
            .map(|row| (row["id"].clone(), row["user_id"].clone()))
            .collect()
    };
    assert_eq!(ids(&after), ids(&before));
    let articles = |rows: &[Value]| {
        rows.iter()
            .filter(|row| !row["article_id"].is_null())
            .count()
    };
    assert_eq!(
        (articles(&before), articles(&after)),
        (20, 10),
        "the articles are gone"
    );
    assert!(!world.everything_in_the_bucket().await.contains("erased"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_it_is_killed_the_next_run_completes_what_it_began() {
    // In the upload, before the load, and while it is loaded.
    for moment in 0..3 {
        let world = World::new().await;
        world.calls(3, 50).await;
        let gate = Gate::new();
        match moment {
            0 => world.objects.inject(
                objects::Fault::new(objects::Effect::Hold(gate.clone()))
                    .on(Action::UploadMultipart),
            ),
            1 => world
                .bigquery
                .inject(Fault::new(Effect::Hold(gate.clone())).on("sourceUris")),
            _ => world.bigquery.hold_loads(gate.clone()),
        }
        let mut run = world.start(&[]);
        while gate.held() == 0 {
            assert!(
                run.try_wait().unwrap().is_none(),
                "it ended before {moment}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        run.kill().await.unwrap();
        gate.open();
        let next = world.run(&[]).await;
        assert_eq!(next.code, WENT_WELL, "{moment}: {}", next.log);
        world.assert_is_a_copy(3).await;
        assert_eq!(world.loaded_days(), [3], "{moment}: it was loaded once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_content_never_comes_after_a_newer_one() {
    let world = World::new().await;
    world.calls(2, 10).await;
    let gate = Gate::new();
    world.bigquery.hold_loads(gate.clone());
    let mut run = world.start(&[]);
    while gate.held() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    run.kill().await.unwrap();
    let old = world.object(2).generation;

    world.calls(2, 10).await;
    let looks = || {
        let received = world.bigquery.received();
        received
            .iter()
            .filter(|it| it.path().contains("/jobs/"))
            .count()
    };
    let before = looks();
    let (next, ()) = tokio::join!(world.run(&[]), async {
        // It finds the load at work, and looks again and again.
        while looks() < before + 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(world.object(2).generation, old);
        gate.open();
    });
    assert_eq!(next.summary(), Exported::loaded(1, 20), "{}", next.log);
    world.assert_is_a_copy(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_load_each_day_once() {
    let world = World::new().await;
    for days_ago in 1..5 {
        world.calls(days_ago, 10).await;
    }
    let (one, other) = tokio::join!(world.run(&[]), world.run(&[]));
    assert_eq!((one.code, other.code), (0, 0), "{}\n{}", one.log, other.log);
    let mut days = world.loaded_days();
    days.sort_unstable();
    assert_eq!(days, [1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_waited_for() {
    let world = World::new().await;
    world.calls(1, 10).await;
    let slowly = json!({"error": {"code": 403, "message": "Exceeded rate limits", "errors": [{"reason": "rateLimitExceeded"}]}});
    for fault in [
        Fault::new(Effect::Status(503)).on("/datasets/"),
        Fault::new(Effect::RetryAfter(503, 1)).on("/jobs/"),
        Fault::new(Effect::Answer(Answer::json(403, &slowly))).on("sourceUris"),
        // It has begun, and its answer is lost.
        Fault::new(Effect::CutAfter(10)).on("sourceUris"),
        Fault::new(Effect::CutBefore).on("/jobs/").after(1),
    ] {
        world.bigquery.inject(fault);
    }
    let unwell = objects::Fault::new(objects::Effect::Status(503)).times(2);
    world.objects.inject(unwell);
    let run = world.run(&[]).await;
    assert_eq!(run.code, WENT_WELL, "{}", run.log);
    assert_eq!(run.summary(), Exported::loaded(1, 10));
    assert!(world.bigquery.faults_are_used_up() && world.objects.faults_are_used_up());
    assert_eq!(world.loaded_days(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_fails_is_tried_again_by_a_number_and_told_when_that_does_not_help() {
    let world = World::new().await;
    world.calls(1, 10).await;
    world.calls(2, 10).await;
    world
        .bigquery
        .fail_next_load("backendError", "Backend error. Job aborted.");
    world.bigquery.fail_next_load(
        "invalid",
        "Provided Schema does not match Table acme:nova.tool_call_usage.",
    );
    let run = world.run(&[]).await;
    assert_eq!(run.code, LEFT_TO_THE_NEXT, "{}", run.log);
    let expected = Exported {
        loaded: 1,
        rows: 10,
        unchanged: 0,
        failed: 1,
    };
    assert_eq!(
        run.summary(),
        expected,
        "the other day is loaded all the same"
    );
    for told in [
        "rename it: the next run makes it anew",
        "Provided Schema does not match Table",
    ] {
        assert!(run.log.contains(told), "{told}: {}", run.log);
    }
    let jobs = world.bigquery.jobs();
    let numbers: Vec<&str> = jobs
        .iter()
        .filter_map(|job| job.id.rsplit('_').next())
        .collect();
    assert_eq!(numbers, ["1", "2", "1"]);

    let next = world.run(&[]).await;
    let expected = Exported {
        loaded: 1,
        rows: 10,
        unchanged: 1,
        failed: 0,
    };
    assert_eq!(
        (next.code, next.summary()),
        (WENT_WELL, expected),
        "{}",
        next.log
    );
    world.assert_is_a_copy(1).await;
    assert_eq!(world.uploads(), 2, "the files were there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_configured_is_told_and_nothing_is_asked() {
    let world = World::new().await;
    world.calls(1, 10).await;
    let not = world.run_with(&[("BQ_DATASET_ID", "")], &[]).await;
    assert_eq!(
        (not.code, not.answer.as_str()),
        (WENT_WELL, "BQ_DATASET_ID is not set: nothing is exported\n")
    );
    for (setting, value, told) in [
        ("USER_ID_SALT", "", "set USER_ID_SALT"),
        (
            "USER_ID_SALT",
            "too short",
            "USER_ID_SALT: at least 16 characters",
        ),
        ("GOOGLE_CLOUD_PROJECT", "", "set GOOGLE_CLOUD_PROJECT"),
        ("BLOB_BUCKET", "", "BLOB_BUCKET is not set"),
        (
            "BQ_DATASET_ID",
            "acme.nova",
            "BQ_DATASET_ID=acme.nova: the id of a dataset",
        ),
    ] {
        let run = world.run_with(&[(setting, value)], &[]).await;
        assert_eq!(run.code, WRONG_SETTINGS, "{setting}: {}", run.log);
        assert!(
            run.log.contains(told) && !run.log.contains("too short"),
            "{}",
            run.log
        );
    }
    assert_eq!(world.bigquery.received().len(), 0);

    let elsewhere = world
        .run_with(&[("BQ_DATASET_ID", "nova_other")], &[])
        .await;
    assert_eq!(elsewhere.code, WRONG_SETTINGS);
    assert!(
        elsewhere.log.contains("make it, or correct BQ_DATASET_ID"),
        "{}",
        elsewhere.log
    );
    let denied = world
        .run_with(&[("GOOGLE_CLOUD_PROJECT", "other")], &[])
        .await;
    assert_eq!(denied.code, LEFT_TO_THE_NEXT);
    assert!(denied.log.contains("bigquery.jobUser"), "{}", denied.log);
    assert_eq!(world.uploads(), 0);
}
