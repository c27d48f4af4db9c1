//! The first connection, and what runs when nobody connects.

use std::time::Duration;

use cloudsql_connector::Refresh;
use futures_util::future::join_all;
use nova_testkit::cloudsql::{Effect, Fault, Step};

use crate::support::{INSTANCE, USER, World, greet};

#[tokio::test]
async fn nothing_is_asked_before_the_first_connection() {
    let world = World::start().await;
    let connector = world.connector();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(world.cloud.journal().is_empty());
    connector.connect(INSTANCE).await.unwrap();
}

#[tokio::test]
async fn sixty_four_first_connections_at_once_make_one_refresh() {
    let world = World::start().await;
    let connector = world.connector();
    let streams = join_all((0..64).map(|_| connector.connect(INSTANCE))).await;
    assert!(streams.iter().all(Result::is_ok));
    assert_eq!(
        (
            world.asked(Step::ConnectSettings),
            world.asked(Step::Certificate)
        ),
        (1, 1)
    );
    // One for the Admin API, one for the login.
    assert_eq!(world.asked(Step::Token), 2);
    assert_eq!((world.count().refreshes, world.count().open), (1, 64));
}

#[tokio::test]
async fn bytes_are_counted_while_a_connection_is_open() {
    let world = World::start().await;
    let mut stream = world.connector().connect(INSTANCE).await.unwrap();
    greet(&mut stream, USER).await.unwrap();
    let during = world.count();
    assert_eq!((during.open, during.received > 0), (1, true));
    assert!(during.sent > 30, "{during:?}");
    drop(stream);
    let after = world.count();
    assert_eq!((after.received, after.sent), (during.received, during.sent));
}

#[tokio::test]
async fn settings_and_certificate_are_asked_for_at_the_same_time() {
    let world = World::start().await;
    // The certificate has to wait for the key, which may take a while here.
    let delay = Effect::Delay(Duration::from_secs(2));
    world.inject(Fault::new(Step::ConnectSettings, delay));
    world.connector().connect(INSTANCE).await.unwrap();
    let settings = world.requests(Step::ConnectSettings).remove(0);
    let certificate = world.requests(Step::Certificate).remove(0);
    assert!(certificate.arrived < settings.answered.unwrap());
}

#[tokio::test]
async fn a_waiter_who_gives_up_takes_nobody_with_it() {
    let world = World::start().await;
    let connector = world.connector();
    let delay = Effect::Delay(Duration::from_millis(400));
    world.inject(Fault::new(Step::ConnectSettings, delay));
    let first = connector.clone();
    let first = tokio::spawn(async move { first.connect(INSTANCE).await });
    while world.asked(Step::ConnectSettings) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let second = connector.connect(INSTANCE);
    first.abort();
    second.await.unwrap();
    assert_eq!(world.asked(Step::ConnectSettings), 1);
}

/// Tokio counts what it runs and how often it wakes.
#[expect(
    clippy::disallowed_methods,
    reason = "outside of the runtime, which is what is watched"
)]
#[test]
fn while_nobody_connects_no_task_is_alive_and_no_timer_wakes_the_process() {
    let world_runtime = tokio::runtime::Runtime::new().unwrap();
    let world = world_runtime.block_on(World::start());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    // A worker that sleeps already is not told that the time limit it sleeps towards was taken back:
    // it wakes once, at that time.
    let limit = Duration::from_secs(2);
    let connector = world.builder().timeout(limit).build().unwrap();
    let stream = runtime.block_on(connector.connect(INSTANCE)).unwrap();
    drop(stream);
    std::thread::sleep(Duration::from_secs(3));
    let metrics = runtime.metrics();
    assert_eq!(metrics.num_alive_tasks(), 0);
    // A timer or a connection that is still watched would wake the worker, which parks again.
    let parks = metrics.worker_park_count(0);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(metrics.worker_park_count(0), parks, "the worker woke up");
    runtime.block_on(connector.connect(INSTANCE)).unwrap();
}

#[tokio::test]
async fn a_background_refresh_comes_before_anybody_asks() {
    let world = World::start().await;
    // Due at once and again: it has less than four minutes left from the beginning.
    world.cloud.set_certificate_lifetime(Duration::from_mins(2));
    let connector = world
        .builder()
        .refresh(Refresh::Background)
        .build()
        .unwrap();
    connector.connect(INSTANCE).await.unwrap();
    let mut refreshes = 0;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        refreshes = world.count().refreshes;
        if refreshes >= 2 {
            break;
        }
    }
    assert!(refreshes >= 2);
    // Two at once, then one each half minute: a certificate that is issued short is no storm.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(world.count().refreshes <= 3, "{:?}", world.count());
    drop(connector);
}
