//! What goes wrong between here and an instance, and what the caller hears of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cloudsql_connector::{ErrorKind, Step as Place, tokens::Fixed};
use nova_testkit::cloudsql::{Effect, Fault, Step};

use crate::support::{INSTANCE, World, failure};

#[tokio::test]
async fn three_times_503_are_waited_out() {
    for step in [Step::ConnectSettings, Step::Certificate] {
        let world = World::start().await;
        world.inject(Fault::new(step, Effect::Status(503)).times(3));
        world.connector().connect(INSTANCE).await.unwrap();
        assert_eq!(world.asked(step), 4);
        assert_eq!(world.count().refresh_failures, 0);
    }
}

#[tokio::test]
async fn with_429_the_wait_that_google_asks_for_is_kept() {
    let world = World::start().await;
    let wait = Duration::from_secs(1);
    world.inject(Fault::new(Step::Certificate, Effect::RetryAfter(429, wait)));
    world.connector().connect(INSTANCE).await.unwrap();
    let requests = world.requests(Step::Certificate);
    let between = requests[1].arrived - requests[0].arrived;
    assert!(between >= wait, "{between:?}");
    assert_eq!(requests.len(), 2);
}

#[tokio::test]
async fn a_wait_that_is_longer_than_the_deadline_is_told_at_once() {
    let world = World::start().await;
    let wait = Duration::from_mins(10);
    world.inject(Fault::new(Step::ConnectSettings, Effect::RetryAfter(429, wait)).times(9));
    let started = Instant::now();
    let error = failure(&world.connector(), INSTANCE).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(
        (error.kind(), error.retry_after()),
        (ErrorKind::Quota, Some(wait))
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn connections_that_google_drops_are_made_again() {
    for step in [Step::ConnectSettings, Step::Certificate, Step::Token] {
        let world = World::start().await;
        world.inject(Fault::new(step, Effect::Drop).times(2));
        let connected = world.connector().connect(INSTANCE).await;
        assert!(connected.is_ok(), "{step:?}: {connected:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_json_is_named_with_its_step() {
    let world = World::start().await;
    world.inject(Fault::new(Step::ConnectSettings, Effect::Garbage).times(9));
    let error = failure(&world.connector(), INSTANCE).await;
    assert_eq!(
        (error.kind(), error.step()),
        (ErrorKind::Protocol, Place::Settings)
    );
}

#[tokio::test]
async fn what_hangs_ends_at_the_deadline_and_says_where() {
    for (step, place) in [
        (Step::Token, Place::Token),
        (Step::ConnectSettings, Place::Settings),
        (Step::Certificate, Place::Certificate),
        (Step::Tls, Place::Tls),
    ] {
        let world = World::start().await;
        world.inject(Fault::new(step, Effect::Hang).times(9));
        let timeout = Duration::from_secs(1);
        let connector = world.builder().timeout(timeout).build().unwrap();
        let (error, took) = loop {
            let started = Instant::now();
            let error = failure(&connector, INSTANCE).await;
            // Where all tests want a key at once, it may take longer than this.
            if error.step() != Place::Key {
                break (error, started.elapsed());
            }
        };
        assert!(
            took < timeout + Duration::from_millis(500),
            "{step:?}: {took:?}"
        );
        assert_eq!(
            (error.kind(), error.step()),
            (ErrorKind::Timeout, place),
            "{error}"
        );
        assert_eq!(error.instance(), Some(INSTANCE));
        assert!(
            error.elapsed().unwrap() >= Duration::from_millis(900),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_refusal_is_told_at_once_with_the_reason_and_the_remedy() {
    for (status, reason, message, remedy) in [
        (
            403,
            "accessNotConfigured",
            "not enabled",
            "gcloud services enable sqladmin.googleapis.com",
        ),
        (403, "notAuthorized", "not allowed", "roles/cloudsql.client"),
    ] {
        let world = World::start().await;
        world.inject(
            Fault::new(
                Step::ConnectSettings,
                Effect::Reason(status, reason, message),
            )
            .times(9),
        );
        let connector = world.connector();
        let error = failure(&connector, INSTANCE).await;
        assert_eq!(
            (error.kind(), error.status()),
            (ErrorKind::Denied, Some(status))
        );
        assert_eq!(error.reason(), Some(reason));
        assert!(error.hint().unwrap().contains(remedy), "{error}");
        assert!(!error.is_retryable());
        assert_eq!(world.asked(Step::ConnectSettings), 1);
        // A moment later the same is known without asking.
        failure(&connector, INSTANCE).await;
        assert_eq!(world.asked(Step::ConnectSettings), 1);
    }
}

#[tokio::test]
async fn a_refusal_of_one_half_does_not_wait_for_the_other() {
    for (refused, slow, place) in [
        (Step::ConnectSettings, Step::Certificate, Place::Settings),
        (Step::Certificate, Step::ConnectSettings, Place::Certificate),
    ] {
        for status in [400, 403, 404] {
            let world = World::start().await;
            let builder = world.builder().timeout(Duration::from_secs(30));
            let connector = builder.build().unwrap();
            world.inject(Fault::new(refused, Effect::Status(status)));
            world.inject(Fault::new(slow, Effect::Hang));
            let started = Instant::now();
            let error = failure(&connector, INSTANCE).await;
            let took = started.elapsed();
            // The certificate has to wait for the key, which may take a while here.
            assert!(took < Duration::from_secs(15), "{took:?}: {error}");
            assert_eq!((error.step(), error.status()), (place, Some(status)));
        }
    }
}

#[tokio::test]
async fn an_instance_that_does_not_exist_is_not_found() {
    let world = World::start().await;
    let error = failure(&world.connector(), "proj:europe-west1:nowhere").await;
    assert_eq!(
        (error.kind(), error.status(), error.step()),
        (ErrorKind::NotFound, Some(404), Place::Settings)
    );
}

#[tokio::test]
async fn another_region_than_the_instance_has_is_named() {
    let world = World::start().await;
    let error = failure(&world.connector(), "proj:us-central1:main").await;
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(
        error
            .to_string()
            .contains("region is europe-west1, asked for us-central1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_dial_that_fails_is_tried_again_with_a_new_certificate_before_anybody_hears_of_it() {
    for step in [Step::Tcp, Step::Tls] {
        let world = World::start().await;
        world.inject(Fault::new(step, Effect::Drop));
        world.connector().connect(INSTANCE).await.unwrap();
        assert_eq!(world.count().refreshes, 2, "{step:?}");
        assert_eq!(world.count().dial_failures, 0);
    }
}

#[tokio::test]
async fn a_slow_handshake_has_all_the_time_that_is_left() {
    let world = World::start().await;
    let connector = world.builder().timeout(Duration::from_secs(4)).build();
    let connector = connector.unwrap();
    while connector.warm_up(INSTANCE).await.is_err() {}
    let slow = Effect::Delay(Duration::from_millis(2500));
    world.inject(Fault::new(Step::Tls, slow));
    connector.connect(INSTANCE).await.unwrap();
    // No second try, and no second certificate.
    let asked = (world.cloud.count(Step::Tcp), world.asked(Step::Certificate));
    assert_eq!(asked, (1, 1));
}

#[tokio::test]
async fn after_a_handshake_that_took_all_the_time_the_next_connection_asks_anew() {
    let world = World::start().await;
    let connector = world.builder().timeout(Duration::from_secs(1)).build();
    let connector = connector.unwrap();
    while connector.warm_up(INSTANCE).await.is_err() {}
    world.inject(Fault::new(Step::Tls, Effect::Hang));
    let error = failure(&connector, INSTANCE).await;
    assert_eq!(
        (error.kind(), error.step()),
        (ErrorKind::Timeout, Place::Tls)
    );
    assert_eq!(world.asked(Step::ConnectSettings), 1);
    connector.connect(INSTANCE).await.unwrap();
    assert_eq!(world.asked(Step::ConnectSettings), 2);
}

#[tokio::test]
async fn an_instance_that_is_down_does_not_use_up_the_quota() {
    let world = World::start().await;
    let connector = world.connector();
    connector.connect(INSTANCE).await.unwrap();
    world.inject(Fault::new(Step::Tls, Effect::Drop).times(1000));
    for _ in 0..20 {
        let error = failure(&connector, INSTANCE).await;
        assert_eq!(
            (error.kind(), error.step()),
            (ErrorKind::Unavailable, Place::Tls)
        );
    }
    assert!(
        world.asked(Step::Certificate) <= 4,
        "{}",
        world.asked(Step::Certificate)
    );
}

#[tokio::test]
async fn no_secret_is_in_an_error_or_in_debug_output() {
    let world = World::start().await;
    let connector = world.connector();
    let stream = connector.connect(INSTANCE).await.unwrap();
    let token = connector
        .tokens()
        .token(&["https://www.googleapis.com/auth/sqlservice.login"]);
    let token = token.await.unwrap();
    let builder = world
        .builder()
        .tokens(Arc::new(Fixed::new(token.secret())))
        .quota_project("payer");
    let shown = format!("{connector:?} {stream:?} {token:?} {builder:?}");
    assert!(!shown.contains(token.secret()), "{shown}");
    assert!(shown.contains("payer"), "{shown}");
    assert!(!shown.contains("BEGIN"), "{shown}");
}
