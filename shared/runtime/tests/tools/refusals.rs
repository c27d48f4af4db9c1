//! What the database does not take: the job ends, and nobody is paid for it again.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{long::Setup, support::Settings};

#[tokio::test]
async fn what_the_database_refuses_ends_the_job_at_once_and_the_provider_is_paid_once() {
    let setup = Setup::with_settings(async |_, _| Settings::new()).await;
    let begun = Instant::now();
    let (status, told) = setup.done(&["unfit"]).await;
    assert_eq!(
        (status, &told["title"]),
        (500, &json!("Internal error")),
        "{told}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(setup.paid("unfit"), 1);
    assert_eq!(setup.kept_charged_jobs().await, (0, 0, 1), "and given back");
    let attempts = setup
        .count("SELECT attempts FROM jobs WHERE state = 'failed'")
        .await;
    assert_eq!(attempts, 1);
}

#[tokio::test]
async fn a_nul_of_a_page_or_a_provider_is_left_out_of_what_is_kept() {
    let setup = Setup::with_settings(async |_, _| Settings::new()).await;
    let (status, told) = setup.done(&["gone", "a"]).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        told["failures"],
        json!([{"url": "gone", "reason": "HTTP 404"}])
    );
    assert_eq!(
        setup
            .count("SELECT count(*) FROM sources WHERE page_title = 'text of a'")
            .await,
        1
    );
}
