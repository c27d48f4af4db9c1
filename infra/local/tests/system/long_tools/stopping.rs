//! Functions that are told to end, as Cloud Run tells an instance and Ctrl-C the local cloud.

use std::time::Duration;

use nova_testkit::{
    Gate,
    providers::{Effect, Fault},
};
use tokio::time::{Instant, sleep};

use super::{
    table::{LONG_TOOLS, LongTool},
    world::World,
};

fn tool() -> &'static LongTool {
    let pages = LONG_TOOLS
        .iter()
        .find(|it| it.name == "scrape_and_clean_other_urls");
    pages.unwrap()
}

/// The system is stopped while a piece is kept and two are waited for. Gives how many pieces are
/// kept in the end, and how long it took.
async fn stopped(processes: bool, meanwhile: impl AsyncFnOnce(Gate)) -> (i64, Duration) {
    let world = World::start_as(processes).await;
    let call = world.call(tool(), "stopped").await;
    let gate = call.hold_after(1).await;
    let job = call.begin().await;
    call.reaches(job, 1, &gate, 2).await;
    drop(call);
    let (begun, pool) = (Instant::now(), world.pool.clone());
    let World {
        system,
        server,
        firecrawl,
        ..
    } = world;
    tokio::join!(system.local.stop(), meanwhile(gate));
    let took = begun.elapsed();
    let left = "SELECT state::text, attempts, lease_until IS NULL AND due_at <= now(),
                       (SELECT count(*) FROM job_items WHERE job_id = $1 AND state = 'done')
                  FROM jobs WHERE id = $1";
    let left: (String, i64, bool, i64) = sqlx::query_as(left)
        .bind(job)
        .fetch_one(&pool)
        .await
        .unwrap();
    let kept = left.3;
    assert_eq!(
        left,
        ("queued".to_owned(), 0, true, kept),
        "put back, and no attempt counts"
    );
    assert_eq!(
        i64::try_from(firecrawl.ledger().len()).unwrap(),
        kept,
        "paid"
    );
    drop(server);
    (kept, took)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_told_to_end_keeps_what_comes_in_time_and_puts_the_job_back() {
    let (kept, took) = stopped(true, async |gate| {
        sleep(Duration::from_secs(2)).await;
        gate.open();
    })
    .await;
    assert_eq!(kept, 3, "those that were waited for, and no further one");
    assert!(took < Duration::from_secs(9), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_of_one_process_put_the_job_back_as_well_when_nothing_comes() {
    let (kept, took) = stopped(false, async |_| {}).await;
    assert_eq!(kept, 1);
    assert!(took < Duration::from_secs(9), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_told_to_end_asks_nobody_once_more() {
    let world = World::start_as(false).await;
    let call = world.call(tool(), "busy").await;
    let busy = Fault::new(Effect::RetryAfter(503, 2)).on(&call.word);
    world.firecrawl.inject(busy.times(1000));
    let job = call.begin().await;
    while world.firecrawl.received().len() < tool().at_once {
        sleep(Duration::from_millis(10)).await;
    }
    drop(call);
    world.system.local.stop().await;
    assert_eq!(world.firecrawl.received().len(), tool().at_once);
    let left = "SELECT state::text, attempts FROM jobs WHERE id = $1";
    let left = sqlx::query_as(left).bind(job).fetch_one(&world.pool);
    let left: (String, i64) = left.await.unwrap();
    assert_eq!(left, ("queued".to_owned(), 0), "put back");
}
