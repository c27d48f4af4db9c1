//! Jobs: one for the same work, held by one worker, nothing paid twice, nothing lost.

use std::time::Duration;

use nova_store::{
    ClaimedJob, Ended, Enqueued, Error, Heartbeat, ItemState, JOBS_CHANNEL, Job, JobState, NewJob,
    Settled, Settlement, Store, Tenant, UserId,
};
use nova_testkit::postgres::Database;
use serde_json::{json, value::RawValue};
use sqlx::postgres::PgListener;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{article, database, pool, run, store, user, value, wait_for_a_lock, within};

const TOOL: &str = "scrape_and_clean_other_urls";
const LEASE: Duration = Duration::from_mins(1);

fn raw(value: &serde_json::Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

async fn enqueue(store: &Store, user: &UserId, article: Uuid, key: u8) -> Result<Enqueued, Error> {
    let arguments = raw(&json!({"n": key}));
    let job = NewJob {
        id: Uuid::now_v7(),
        tool: TOOL,
        article,
        dedupe_key: [key; 32],
        arguments: &arguments,
        answer_stays: Duration::from_mins(10),
        failure_stays: Duration::from_mins(1),
        replaces: false,
    };
    within(store, user, async |tenant| tenant.enqueue_job(&job).await).await
}

fn id_of(enqueued: &Enqueued) -> Uuid {
    let (Enqueued::Created(job) | Enqueued::Attached(job)) = enqueued;
    job.id
}

/// A user with an article and a job of three pieces, claimed once.
struct Setup {
    database: Database,
    store: Store,
    alice: UserId,
    article: Uuid,
    job: ClaimedJob,
}

fn keys() -> Vec<String> {
    ["a", "b", "c"].map(str::to_owned).to_vec()
}

impl Setup {
    async fn new() -> Self {
        let database = database().await;
        let (store, alice) = (store(&database, "research"), user("alice"));
        let article = article(&crate::support::store(&database, "upload"), &alice).await;
        let id = id_of(&enqueue(&store, &alice, article, 1).await.unwrap());
        let job = store.claim_job(id, TOOL, LEASE).await.unwrap().unwrap();
        let setup = Self {
            database,
            store,
            alice,
            article,
            job,
        };
        setup.plan(setup.job.fence).await.unwrap();
        setup
    }

    async fn plan(&self, fence: i64) -> Option<Vec<nova_store::JobItem>> {
        let (id, keys) = (self.job.id, keys());
        within(&self.store, &self.alice, async |t| {
            t.plan_job(id, fence, &keys).await
        })
        .await
        .unwrap()
    }

    async fn settle(&self, fence: i64, key: &str) -> Settlement {
        let (id, result) = (self.job.id, raw(&json!({"key": key})));
        within(&self.store, &self.alice, async |t| {
            t.settle_item(id, fence, key, Settled::Done(&result)).await
        })
        .await
        .unwrap()
    }

    async fn beat(&self, fence: i64) -> Heartbeat {
        let id = self.job.id;
        within(&self.store, &self.alice, async |t| {
            t.keep_job(id, fence, LEASE, Some("reading")).await
        })
        .await
        .unwrap()
    }

    async fn end(&self, fence: i64) -> bool {
        let (id, result) = (self.job.id, raw(&json!({"status": "success"})));
        within(&self.store, &self.alice, async |t| {
            t.end_job(id, fence, Ended::Succeeded(&result)).await
        })
        .await
        .unwrap()
    }

    async fn state(&self) -> Job {
        let id = self.job.id;
        within(&self.store, &self.alice, async |t| t.job(id).await)
            .await
            .unwrap()
    }

    /// As after a minute in which the worker said nothing.
    async fn worker_dies(&self) {
        run(
            &self.database.pool(),
            "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE state = 'running'",
        )
        .await;
    }

    async fn claim(&self) -> Option<ClaimedJob> {
        self.store
            .claim_job(self.job.id, TOOL, LEASE)
            .await
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_identical_calls_at_once_make_one_job() {
    let database = database().await;
    let alice = user("alice");
    let article = article(&store(&database, "upload"), &alice).await;
    let store = Store::new(pool(&database, "research", 10));
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let (store, alice) = (store.clone(), alice.clone());
        calls.spawn(async move { enqueue(&store, &alice, article, 1).await.unwrap() });
    }
    let all = calls.join_all().await;
    let created = all
        .iter()
        .filter(|one| matches!(one, Enqueued::Created(_)))
        .count();
    assert_eq!(created, 1);
    assert!(all.iter().all(|one| id_of(one) == id_of(&all[0])));
    let other = enqueue(&store, &alice, article, 2).await.unwrap();
    assert!(matches!(other, Enqueued::Created(_)), "other arguments");
}

#[tokio::test]
async fn how_a_job_ended_is_told_for_a_while_and_then_it_is_done_anew() {
    let setup = Setup::new().await;
    assert!(setup.end(1).await);
    let again = || enqueue(&setup.store, &setup.alice, setup.article, 1);
    let Enqueued::Attached(job) = again().await.unwrap() else {
        panic!("a second job")
    };
    assert_eq!(job.state, JobState::Succeeded);
    assert_eq!(job.result.unwrap().get(), r#"{"status": "success"}"#);
    let sql = setup.database.pool();
    run(
        &sql,
        "UPDATE jobs SET finished_at = now() - interval '11 min'",
    )
    .await;
    let Enqueued::Created(second) = again().await.unwrap() else {
        panic!("an old answer")
    };
    let claimed = setup.store.claim_job(second.id, TOOL, LEASE).await;
    let fence = claimed.unwrap().unwrap().fence;
    let error = raw(&json!({"status": 502}));
    let failed = within(&setup.store, &setup.alice, async |t| {
        t.end_job(second.id, fence, Ended::Failed(&error)).await
    })
    .await;
    assert!(failed.unwrap());
    let Enqueued::Attached(job) = again().await.unwrap() else {
        panic!("nobody learns why it failed")
    };
    assert_eq!(job.error.unwrap().get(), r#"{"status": 502}"#);
    run(
        &sql,
        "UPDATE jobs SET finished_at = now() - interval '61 s' WHERE state = 'failed'",
    )
    .await;
    assert!(matches!(again().await.unwrap(), Enqueued::Created(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_eight_workers_one_gets_the_job() {
    let database = database().await;
    let alice = user("alice");
    let article = article(&store(&database, "upload"), &alice).await;
    let store = Store::new(pool(&database, "research", 8));
    let id = id_of(&enqueue(&store, &alice, article, 1).await.unwrap());
    let mut workers = JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        workers.spawn(async move { store.claim_job(id, TOOL, LEASE).await.unwrap() });
    }
    let claims = workers.join_all().await;
    assert_eq!(claims.iter().flatten().count(), 1);
    let other = store.claim_job(id, "another_tool", LEASE).await.unwrap();
    assert!(other.is_none());
}

#[tokio::test]
async fn after_a_crash_only_what_was_not_settled_is_left_to_do() {
    let setup = Setup::new().await;
    assert_eq!(setup.settle(1, "b").await, Settlement::Kept);
    assert!(setup.claim().await.is_none(), "its worker lives");
    setup.worker_dies().await;
    let second = setup.claim().await.unwrap();
    assert_eq!((second.fence, second.attempts), (2, 1));
    assert_eq!(second.arguments.get(), r#"{"n": 1}"#);
    let items = setup.plan(2).await.unwrap();
    let states: Vec<_> = items
        .iter()
        .map(|item| (item.key.as_str(), item.state))
        .collect();
    assert_eq!(
        states,
        [
            ("a", ItemState::Pending),
            ("b", ItemState::Done),
            ("c", ItemState::Pending)
        ]
    );
    assert_eq!(items[1].result.as_ref().unwrap().get(), r#"{"key": "b"}"#);
    assert_eq!(setup.settle(2, "b").await, Settlement::Before);
    assert_eq!(setup.settle(2, "a").await, Settlement::Kept);
    let state = setup.state().await;
    assert_eq!((state.settled, state.total), (2, 3));
}

#[tokio::test]
async fn claims_that_settle_nothing_are_counted_and_one_that_gets_further_begins_anew() {
    let setup = Setup::new().await;
    let mut counted = Vec::new();
    // By the claims with these numbers pieces are settled, or none.
    for settles in [None, None, Some("a"), None, Some("b"), Some("c")] {
        setup.worker_dies().await;
        let claim = setup.claim().await.unwrap();
        if let Some(key) = settles {
            assert_eq!(setup.settle(claim.fence, key).await, Settlement::Kept);
            let again = setup.settle(claim.fence, key).await;
            assert_eq!(again, Settlement::Before, "which is no progress");
        }
        counted.push(claim.attempts);
    }
    assert_eq!(counted, [2, 3, 4, 1, 2, 1]);
}

#[tokio::test]
async fn further_pieces_are_listed_with_what_told_of_them_or_not_at_all() {
    let setup = Setup::new().await;
    let (id, result) = (setup.job.id, raw(&json!({})));
    let extend = async |tenant: &mut Tenant, fence, keys: &[&str]| {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        tenant.extend_job(id, fence, &keys).await.unwrap()
    };
    let mut dies = setup.store.tenant(&setup.alice).await.unwrap();
    assert!(extend(&mut dies, 1, &["d"]).await);
    drop(dies);
    assert_eq!(setup.state().await.total, 3);
    assert!(
        !extend(
            &mut setup.store.tenant(&setup.alice).await.unwrap(),
            2,
            &["d"]
        )
        .await
    );

    // Side by side: the second waits for the first, and comes behind it.
    let mut first = setup.store.tenant(&setup.alice).await.unwrap();
    assert!(extend(&mut first, 1, &["d", "a"]).await);
    let settled = first.settle_item(id, 1, "a", Settled::Done(&result)).await;
    assert_eq!(settled.unwrap(), Settlement::Kept);
    let second = within(&setup.store, &setup.alice, async |t| {
        let keys = ["e".to_owned(), "f".to_owned()];
        assert!(t.extend_job(id, 1, &keys).await?);
        t.settle_item(id, 1, "b", Settled::Done(&result)).await
    });
    let sql = setup.database.pool();
    let commits = async {
        wait_for_a_lock(&sql).await;
        first.commit().await.unwrap();
    };
    let (second, ()) = tokio::join!(second, commits);
    assert_eq!(second.unwrap(), Settlement::Kept);
    let items = setup.plan(1).await.unwrap();
    let keys: Vec<&str> = items.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(keys, ["a", "b", "c", "d", "e", "f"]);
    let state = setup.state().await;
    assert_eq!((state.settled, state.total), (2, 6));
}

#[tokio::test]
async fn a_worker_that_was_given_up_changes_nothing_any_more() {
    let setup = Setup::new().await;
    setup.worker_dies().await;
    let second = setup.claim().await.unwrap().fence;
    let held = Heartbeat::Held {
        cancel_requested: false,
    };
    assert_eq!(
        (setup.beat(1).await, setup.beat(second).await),
        (Heartbeat::Lost, held)
    );
    assert_eq!(setup.settle(1, "a").await, Settlement::Lost);
    assert!(setup.plan(1).await.is_none());
    assert!(!setup.end(1).await);
    let requeued = within(&setup.store, &setup.alice, async |t| {
        t.requeue_job(setup.job.id, 1, Duration::ZERO, true).await
    });
    assert!(!requeued.await.unwrap());
    let state = setup.state().await;
    assert_eq!((state.state, state.settled), (JobState::Running, 0));
    assert_eq!(state.note.as_deref(), Some("reading"));
    assert!(setup.end(second).await);
}

#[tokio::test]
async fn whoever_takes_a_job_over_waits_for_a_save_that_is_under_way() {
    let setup = Setup::new().await;
    let id = setup.job.id;
    setup.worker_dies().await;
    let result = raw(&json!({}));
    let mut saving = setup.store.tenant(&setup.alice).await.unwrap();
    let settled = saving.settle_item(id, 1, "a", Settled::Done(&result)).await;
    assert_eq!(settled.unwrap(), Settlement::Kept);
    let store = setup.store.clone();
    let takeover = tokio::spawn(async move { store.claim_job(id, TOOL, LEASE).await.unwrap() });
    wait_for_a_lock(&setup.database.pool()).await;
    assert!(!takeover.is_finished());
    saving.commit().await.unwrap();
    let second = takeover.await.unwrap().unwrap();
    let items = setup.plan(second.fence).await.unwrap();
    assert_eq!(items[0].state, ItemState::Done, "paid for, and seen");
}

#[tokio::test]
async fn a_job_that_nobody_has_stops_at_once_and_one_that_runs_is_told() {
    let setup = Setup::new().await;
    let queued = id_of(
        &enqueue(&setup.store, &setup.alice, setup.article, 2)
            .await
            .unwrap(),
    );
    let cancel = async |id| {
        within(&setup.store, &setup.alice, async |t| t.cancel_job(id).await)
            .await
            .unwrap()
    };
    assert_eq!(cancel(queued).await.state, JobState::Cancelled);
    let claimed = setup.store.claim_job(queued, TOOL, LEASE).await.unwrap();
    assert!(claimed.is_none());
    assert_eq!(setup.settle(1, "a").await, Settlement::Kept);
    let running = cancel(setup.job.id).await;
    assert_eq!(
        (running.state, running.cancel_requested),
        (JobState::Running, true)
    );
    assert_eq!(
        setup.beat(1).await,
        Heartbeat::Held {
            cancel_requested: true
        }
    );
    let id = setup.job.id;
    let ended = within(&setup.store, &setup.alice, async |t| {
        t.end_job(id, 1, Ended::Cancelled).await
    });
    assert!(ended.await.unwrap());
    let state = cancel(id).await;
    assert_eq!((state.state, state.settled), (JobState::Cancelled, 1));
}

#[tokio::test]
async fn a_pause_is_kept_and_a_stop_in_good_order_is_no_attempt() {
    let setup = Setup::new().await;
    let requeue = async |fence, pause, counts| {
        within(&setup.store, &setup.alice, async |t| {
            t.requeue_job(setup.job.id, fence, pause, counts).await
        })
        .await
        .unwrap()
    };
    assert!(requeue(1, Duration::ZERO, false).await);
    let second = setup.claim().await.unwrap();
    assert_eq!((second.fence, second.attempts), (2, 1));
    assert!(requeue(2, Duration::from_hours(1), true).await);
    assert!(setup.claim().await.is_none(), "not due");
    run(&setup.database.pool(), "UPDATE jobs SET due_at = now()").await;
    let third = setup.claim().await.unwrap();
    assert_eq!((third.fence, third.attempts), (3, 2));
}

#[tokio::test]
async fn what_was_committed_and_never_rung_is_rung_by_the_sweeper_once() {
    let setup = Setup::new().await;
    let sweeper = store(&setup.database, "sweeper");
    let waiting = async |grace| sweeper.jobs_to_ring(grace, 10).await.unwrap();
    let queued = id_of(
        &enqueue(&setup.store, &setup.alice, setup.article, 2)
            .await
            .unwrap(),
    );
    assert!(
        waiting(Duration::from_secs(10)).await.is_empty(),
        "it may still be rung by who made it"
    );
    assert_eq!(
        waiting(Duration::ZERO).await,
        [(queued, TOOL.to_owned())],
        "the other is held"
    );
    assert!(waiting(Duration::ZERO).await.is_empty(), "it was rung");
    setup.worker_dies().await;
    assert_eq!(
        waiting(Duration::ZERO).await,
        [(setup.job.id, TOOL.to_owned())]
    );
    run(
        &setup.database.pool(),
        "UPDATE jobs SET rung_at = now() - interval '2 min'",
    )
    .await;
    assert_eq!(
        waiting(Duration::ZERO).await.len(),
        2,
        "nobody came when they were rung"
    );
}

#[tokio::test]
async fn a_job_is_its_owners_and_goes_with_the_article() {
    let setup = Setup::new().await;
    let bob = user("bob");
    let id = setup.job.id;
    let theirs = within(&setup.store, &bob, async |t| t.job(id).await).await;
    assert!(matches!(theirs, Err(Error::NotFound { what: "job" })));
    let cancelled = within(&setup.store, &bob, async |t| t.cancel_job(id).await).await;
    assert!(matches!(cancelled, Err(Error::NotFound { what: "job" })));
    let beat = within(&setup.store, &bob, async |t| {
        t.keep_job(id, 1, LEASE, None).await
    })
    .await;
    assert_eq!(beat.unwrap(), Heartbeat::Lost);
    let on_alices_article = enqueue(&setup.store, &bob, setup.article, 1).await;
    assert!(matches!(on_alices_article, Err(Error::Conflict { .. })));
    let same_key_of_bob: i64 = value(&setup.database.pool(), "SELECT count(*) FROM jobs").await;
    assert_eq!(same_key_of_bob, 1);
    let articles = store(&setup.database, "articles");
    within(&articles, &setup.alice, async |t| {
        t.delete_article(setup.article).await
    })
    .await
    .unwrap();
    let left: i64 = value(&setup.database.pool(), "SELECT count(*) FROM job_items").await;
    assert_eq!(left, 0);
}

#[tokio::test]
async fn every_step_is_announced_and_old_jobs_expire() {
    let setup = Setup::new().await;
    let mut listener = PgListener::connect_with(&setup.database.pool_as("test_research"))
        .await
        .unwrap();
    listener.listen(JOBS_CHANNEL).await.unwrap();
    setup.settle(1, "a").await;
    let heard = tokio::time::timeout(Duration::from_secs(5), listener.recv()).await;
    assert_eq!(heard.unwrap().unwrap().payload(), setup.job.id.to_string());
    setup.end(1).await;
    let heard = tokio::time::timeout(Duration::from_secs(5), listener.recv()).await;
    assert_eq!(heard.unwrap().unwrap().payload(), setup.job.id.to_string());
    let sweeper = store(&setup.database, "sweeper");
    let day = Duration::from_hours(24);
    assert_eq!(sweeper.expire_jobs(day, 10).await.unwrap(), 0);
    run(
        &setup.database.pool(),
        "UPDATE jobs SET finished_at = now() - interval '25 h'",
    )
    .await;
    assert_eq!(sweeper.expire_jobs(day, 10).await.unwrap(), 1);
}
