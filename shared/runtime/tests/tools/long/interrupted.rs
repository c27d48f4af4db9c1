//! Jobs that are interrupted again and again.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{Provider, Setup, TOOL, tools};
use crate::support::ring;

impl Setup {
    /// A worker of its own process does a job, and is killed when this has come to pass.
    async fn killed_when(&self, job: &str, happens: impl AsyncFnOnce()) {
        let worker = self.nova.instance(&tools(&self.provider));
        let ringing = {
            let (address, job) = (worker.address, job.to_owned());
            tokio::spawn(async move { ring(address, TOOL, &job).await })
        };
        happens().await;
        worker.kill();
        assert_ne!(ringing.await.unwrap(), 200, "whoever rang rings again");
        // Until all that it waited for is gone with it.
        sleep(Duration::from_millis(100)).await;
        self.worker_is_given_up().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_gets_further_each_time_is_done_however_often_its_worker_is_killed() {
    let pages = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let setup = Setup::new(Provider::with_gate(0)).await;
    let job = setup.job(&pages).await;
    for kept in 1..=7 {
        setup
            .killed_when(&job, async || {
                setup.provider.gate.as_ref().unwrap().add_permits(1);
                setup.wait_until_kept(kept).await;
            })
            .await;
    }
    setup.provider.open();
    assert_eq!(setup.nova.ring(TOOL, &job).await, 200);
    let (status, answer) = setup.call(&pages, "0").await;
    assert_eq!((status, &answer["read"]), (200, &json!(8)), "{answer}");
    assert_eq!(setup.kept_charged_jobs().await, (8, 1, 1));
    let once = pages.map(|page| (page.to_owned(), 1));
    assert_eq!(setup.provider.paid(), once.into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_gets_no_further_is_given_up_and_given_back() {
    let setup = Setup::new(Provider::with_gate(0)).await;
    let job = setup.job(&["a"]).await;
    for asked in 1..=5 {
        setup
            .killed_when(&job, async || {
                while setup.asked("a") < asked {
                    sleep(Duration::from_millis(5)).await;
                }
            })
            .await;
    }
    assert_eq!(setup.nova.ring(TOOL, &job).await, 200);
    assert_eq!(setup.asked("a"), 5, "and not once more");
    let (status, _) = setup.call(&["a"], "0").await;
    assert_eq!(status, 500);
    assert_eq!(setup.kept_charged_jobs().await, (0, 0, 1), "given back");
}
