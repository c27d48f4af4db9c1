//! Long tools that are called in this process, by who does several steps one after the other.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::BoxFuture;
use http::StatusCode;
use nova_runtime::jobs::Follow;
use nova_store::{Job, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    long::{PAGES, Setup, TOOL},
    support::Settings,
};

/// Lets so many pieces be begun, and counts how often it is told how far they have come.
struct Pieces {
    left: AtomicUsize,
    told: AtomicUsize,
}

impl Pieces {
    fn new(left: usize) -> Arc<Self> {
        Arc::new(Self {
            left: left.into(),
            told: AtomicUsize::new(0),
        })
    }
}

impl Follow for Pieces {
    fn may_go_on(&self) -> BoxFuture<'_, bool> {
        Box::pin(async {
            let one_less = |left: usize| left.checked_sub(1);
            let taken = self
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
            taken.is_ok()
        })
    }

    fn has_come_to(&self, job: &Job) {
        assert_eq!(job.tool, TOOL);
        self.told.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_under_an_id_of_the_callers_is_one_call_however_often_it_is_made() {
    let setup = Setup::with_settings(async |_, _| Settings::new()).await;
    let app = setup.nova.app();
    let (tools, alice) = (setup.tools(&app), "alice".parse::<UserId>().unwrap());
    let (id, follow) = (Uuid::now_v7(), Pieces::new(100));
    let mut answers = Vec::new();
    for pages in [&PAGES[..], &PAGES[..], &["other"]] {
        let arguments = json!({"article_guideline_id": setup.article, "pages": pages});
        let answer = tools.call_tool(TOOL, &alice, id, arguments, Arc::clone(&follow) as _);
        answers.push(serde_json::from_str::<Value>(&answer.await.unwrap()).unwrap());
    }
    assert_eq!(answers[0]["read"], 4);
    assert_eq!((&answers[1], &answers[2]), (&answers[0], &answers[0]));
    assert_eq!(PAGES.map(|page| setup.asked(page)), [1; 4]);
    assert_eq!(setup.kept_charged_jobs().await, (4, 1, 1));
    assert!(follow.told.load(Ordering::SeqCst) > 0);
    assert!(
        setup
            .count("SELECT count(*) FROM jobs WHERE rung_at IS NULL")
            .await
            == 0,
        "nobody else is called for it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_ends_a_job_between_two_pieces_and_what_was_begun_is_kept() {
    let setup = Setup::with_settings(async |_, _| Settings::new()).await;
    let app = setup.nova.app();
    let (tools, alice) = (setup.tools(&app), "alice".parse::<UserId>().unwrap());
    let arguments = json!({"article_guideline_id": setup.article, "pages": PAGES});
    let call = tools.call_tool(TOOL, &alice, Uuid::now_v7(), arguments, Pieces::new(3));
    let problem = call.await.unwrap_err();
    assert_eq!(problem.status(), StatusCode::CONFLICT, "{problem}");
    assert_eq!(setup.kept_charged_jobs().await, (3, 1, 1));
    assert_eq!(setup.asked("d"), 0);
    let cancelled = "SELECT count(*) FROM jobs WHERE state = 'cancelled'";
    assert_eq!(setup.count(cancelled).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_is_not_there_is_told() {
    let setup = Setup::with_settings(async |_, _| Settings::new()).await;
    let app = setup.nova.app();
    let (tools, alice) = (setup.tools(&app), "alice".parse::<UserId>().unwrap());
    let call = tools.call_tool("other", &alice, Uuid::now_v7(), json!({}), Pieces::new(0));
    assert_eq!(call.await.unwrap_err().status(), StatusCode::NOT_FOUND);
}
