use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use http::StatusCode;
use nova_store::{CommittedBlob, NewArticle, NewBlob, NewJob, Purpose, UserId};
use nova_testkit::postgres::{Database, Postgres};
use serde_json::value::to_raw_value;

use super::*;

const TOOL: &str = "read_pages";

/// A database with an article of alice's, and a bell whose calls are written down.
struct Setup {
    database: Database,
    alice: UserId,
    article: Uuid,
    calls: Arc<Mutex<Vec<(Uuid, Instant)>>>,
    _bell: Bell,
}

impl Setup {
    /// The first calls fail.
    async fn new(failures: usize) -> Self {
        let database = Postgres::shared().await;
        let database = database.database("nova", crate::migrated).await;
        let calls: Arc<Mutex<Vec<(Uuid, Instant)>>> = Arc::default();
        let written = Arc::clone(&calls);
        let ring: Ring = Arc::new(move |tool, id| {
            assert_eq!(tool, TOOL);
            let mut calls = written.lock().unwrap();
            calls.push((id, Instant::now()));
            let status = if calls.len() > failures {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            Box::pin(async move { status })
        });
        let bell = Bell::start(&database.url, ring).unwrap();
        let alice: UserId = "alice".parse().unwrap();
        Self {
            article: article(&database, &alice).await,
            database,
            alice,
            calls,
            _bell: bell,
        }
    }

    async fn job(&self, number: u8) -> Uuid {
        let store = Store::new(self.database.pool_as("research@nova.local"));
        let mut tenant = store.tenant(&self.alice).await.unwrap();
        let job = NewJob {
            id: Uuid::now_v7(),
            tool: TOOL,
            article: self.article,
            dedupe_key: [number; 32],
            arguments: &to_raw_value(&serde_json::json!({})).unwrap(),
            answer_stays: Duration::ZERO,
            failure_stays: Duration::ZERO,
            replaces: false,
        };
        tenant.enqueue_job(&job).await.unwrap();
        tenant.commit().await.unwrap();
        job.id
    }

    async fn run(&self, sql: &'static str) {
        sqlx::query(sql)
            .execute(&self.database.pool())
            .await
            .unwrap();
    }

    fn calls(&self, job: Uuid) -> Vec<Instant> {
        let calls = self.calls.lock().unwrap();
        let of_job = calls.iter().filter(|(id, _)| *id == job);
        of_job.map(|(_, at)| *at).collect()
    }

    /// When the job was called for this often.
    async fn called(&self, job: Uuid, times: usize) -> Instant {
        for _ in 0..1000 {
            if let Some(at) = self.calls(job).get(times - 1) {
                return *at;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("not called for {times} times in 10 s");
    }
}

async fn article(database: &Database, user: &UserId) -> Uuid {
    let uploads = Store::new(database.pool_as("upload@nova.local"));
    let id = Uuid::now_v7();
    let blob = NewBlob {
        id,
        purpose: Purpose::Guideline,
        bucket: "files".to_owned(),
        object_name: format!("v1/{id}"),
        content_type: "text/markdown".to_owned(),
        declared_size: None,
    };
    let written = CommittedBlob {
        id,
        size: 3,
        crc32c: 0,
        sha256: None,
        generation: 1,
    };
    let article = NewArticle {
        id,
        title: None,
        guideline_blob_id: id,
        idempotency_key: None,
    };
    let mut tenant = uploads.tenant(user).await.unwrap();
    tenant.begin_blob(&blob).await.unwrap();
    tenant.commit_blob(&written).await.unwrap();
    tenant.create_article(&article).await.unwrap();
    tenant.commit().await.unwrap();
    id
}

#[tokio::test]
async fn a_new_job_is_called_for_at_once_and_once() {
    let setup = Setup::new(0).await;
    let mut waits = Vec::new();
    for number in 0..5 {
        let job = setup.job(number).await;
        let committed = Instant::now();
        let called = setup.called(job, 1).await;
        waits.push(called.saturating_duration_since(committed));
        sleep(LOOK / 10).await;
    }
    waits.sort();
    assert!(waits[2] < Duration::from_millis(100), "{waits:?}");
    sleep(LOOK * 2).await;
    assert_eq!(setup.calls.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn a_job_is_called_for_when_its_pause_or_its_workers_lease_is_over_and_not_before() {
    let setup = Setup::new(0).await;
    let job = setup.job(1).await;
    setup.called(job, 1).await;
    let states = [
        "UPDATE jobs SET due_at = now() + interval '1 s', rung_at = NULL",
        "UPDATE jobs SET due_at = now(), state = 'running', lease_until = now() + interval '1 s'",
    ];
    for (calls, state) in states.into_iter().enumerate() {
        let begun = Instant::now();
        setup.run(state).await;
        let called = setup.called(job, calls + 2).await;
        let waited = called.duration_since(begun);
        assert!(waited >= Duration::from_millis(950), "{waited:?}");
    }
    sleep(LOOK * 2).await;
    assert_eq!(setup.calls(job).len(), 3);
}

#[tokio::test]
async fn a_call_that_fails_is_made_again() {
    let setup = Setup::new(2).await;
    let job = setup.job(1).await;
    setup.called(job, 3).await;
}

#[tokio::test]
async fn it_goes_on_after_its_connections_broke() {
    let setup = Setup::new(0).await;
    setup.called(setup.job(1).await, 1).await;
    setup
        .run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE datname = current_database() AND application_name = 'bell'",
        )
        .await;
    setup.called(setup.job(2).await, 1).await;
    sleep(LOOK * 3).await;
    let committed = Instant::now();
    let called = setup.called(setup.job(3).await, 1).await;
    let waited = called.saturating_duration_since(committed);
    assert!(waited < LOOK, "it listens again: {waited:?}");
}
