//! How long settings, certificates and tokens are used, and what happens at their end.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use cloudsql_connector::{Clock, ErrorKind};
use nova_testkit::cloudsql::{Bearer, Effect, Fault, Step};

use crate::support::{INSTANCE, PRINCIPAL, TokioClock, USER, World, failure, greet};

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_certificate_is_used_until_four_minutes_before_its_end() {
    let world = World::start().await;
    world.cloud.set_token_lifetime(HOUR * 12);
    let (connector, clock) = world.connector_with_clock();
    connector.connect(INSTANCE).await.unwrap();
    clock.advance(MINUTE * 55);
    connector.connect(INSTANCE).await.unwrap();
    assert_eq!(world.asked(Step::Certificate), 1);
    clock.advance(MINUTE * 2);
    connector.connect(INSTANCE).await.unwrap();
    assert_eq!(world.asked(Step::Certificate), 2);
}

#[tokio::test]
async fn a_token_that_ends_before_the_certificate_ends_its_use() {
    let world = World::start().await;
    world.cloud.set_token_lifetime(MINUTE * 20);
    let (connector, clock) = world.connector_with_clock();
    connector.connect(INSTANCE).await.unwrap();
    clock.advance(MINUTE * 15);
    connector.connect(INSTANCE).await.unwrap();
    assert_eq!(world.asked(Step::Certificate), 1);
    clock.advance(MINUTE * 2);
    connector.connect(INSTANCE).await.unwrap();
    assert_eq!(world.asked(Step::Certificate), 2);
}

#[tokio::test]
async fn a_certificate_that_is_issued_short_is_used_and_not_asked_for_again_and_again() {
    let world = World::start().await;
    world.cloud.set_certificate_lifetime(MINUTE * 2);
    let connector = world.connector();
    for _ in 0..5 {
        connector.connect(INSTANCE).await.unwrap();
    }
    assert_eq!(world.asked(Step::Certificate), 1);
}

#[tokio::test]
async fn a_certificate_that_really_expired_between_two_connections_is_replaced() {
    let world = World::start().await;
    world.cloud.set_certificate_lifetime(Duration::from_secs(3));
    let connector = world.connector();
    let mut stream = connector.connect(INSTANCE).await.unwrap();
    greet(&mut stream, USER).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.cloud.set_certificate_lifetime(HOUR);
    let mut stream = connector.connect(INSTANCE).await.unwrap();
    greet(&mut stream, USER).await.unwrap();
    assert_eq!(world.asked(Step::Certificate), 2);
}

#[tokio::test]
async fn a_certificate_that_expired_in_tokios_paused_time_is_replaced() {
    let world = World::start().await;
    world.cloud.set_token_lifetime(HOUR * 12);
    let clock = TokioClock::now();
    let connector = world.builder().clock(clock).build().unwrap();
    connector.connect(INSTANCE).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(MINUTE * 61).await;
    tokio::time::resume();
    world.cloud.set_certificate_lifetime(HOUR * 3);
    connector.connect(INSTANCE).await.unwrap();
    assert_eq!(world.asked(Step::Certificate), 2);
}

#[tokio::test]
async fn a_machine_that_slept_over_the_end_notices_by_the_wall_clock() {
    let world = World::start().await;
    world.cloud.set_token_lifetime(HOUR * 12);
    let (connector, clock) = world.connector_with_clock();
    connector.connect(INSTANCE).await.unwrap();
    // The monotonic clock, and with it every timer, stood still meanwhile.
    clock.advance(HOUR * 9);
    world.cloud.set_certificate_lifetime(HOUR * 12);
    connector.connect(INSTANCE).await.unwrap();
    assert_eq!(
        (world.asked(Step::Certificate), world.count().dial_failures),
        (2, 0)
    );
}

#[tokio::test]
async fn an_old_certificate_serves_on_when_its_refresh_fails() {
    let world = World::start().await;
    world.cloud.set_token_lifetime(HOUR * 12);
    let (connector, clock) = world.connector_with_clock();
    connector.connect(INSTANCE).await.unwrap();
    clock.advance(MINUTE * 57);
    world.inject(Fault::new(Step::Certificate, Effect::Status(403)).times(100));
    connector.connect(INSTANCE).await.unwrap();
    connector.connect(INSTANCE).await.unwrap();
    // The second found a pause: a service in trouble is not asked by every connection.
    assert_eq!(world.asked(Step::Certificate), 2);
    clock.advance(MINUTE * 4);
    let error = failure(&connector, INSTANCE).await;
    assert_eq!(error.status(), Some(403));
}

#[tokio::test]
async fn the_half_that_succeeded_is_kept_when_the_other_fails() {
    for (broken, whole) in [
        (Step::ConnectSettings, Step::Certificate),
        (Step::Certificate, Step::ConnectSettings),
    ] {
        let world = World::start().await;
        let connector = world.connector();
        world.inject(Fault::new(broken, Effect::Garbage).times(2));
        let error = failure(&connector, INSTANCE).await;
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        connector.connect(INSTANCE).await.unwrap();
        assert_eq!(world.asked(whole), 1, "{broken:?}");
    }
}

#[tokio::test]
async fn settings_that_came_before_the_certificate_was_refused_are_kept() {
    let world = World::start().await;
    let (connector, clock) = world.connector_with_clock();
    world.inject(Fault::new(Step::Certificate, Effect::Status(403)));
    let error = failure(&connector, INSTANCE).await;
    assert_eq!(error.status(), Some(403));
    // The refusal is remembered for some seconds.
    clock.advance(Duration::from_secs(10));
    connector.connect(INSTANCE).await.unwrap();
    assert_eq!(world.asked(Step::ConnectSettings), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_prolong_a_refusal() {
    let world = World::start().await;
    let clock = Arc::new(SetClock(Mutex::new(SystemTime::now() + HOUR)));
    let connector = world.builder().clock(Arc::clone(&clock) as _).build();
    let connector = connector.unwrap();
    world.inject(Fault::new(Step::ConnectSettings, Effect::Status(403)));
    assert_eq!(failure(&connector, INSTANCE).await.status(), Some(403));
    assert_eq!(failure(&connector, INSTANCE).await.status(), Some(403));
    assert_eq!(world.asked(Step::ConnectSettings), 1);
    *clock.0.lock().unwrap() -= HOUR;
    connector.connect(INSTANCE).await.unwrap();
}

/// A clock that somebody sets.
#[derive(Debug)]
struct SetClock(Mutex<SystemTime>);

impl Clock for SetClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

#[tokio::test]
async fn the_login_token_is_good_for_nothing_but_logging_in() {
    let world = World::start().await;
    world.connector().connect(INSTANCE).await.unwrap();
    let request = world.requests(Step::Certificate).remove(0);
    let Bearer::Known {
        principal, scopes, ..
    } = request.login_token
    else {
        panic!("{:?}", request.login_token);
    };
    assert_eq!(principal, PRINCIPAL);
    assert_eq!(scopes, ["https://www.googleapis.com/auth/sqlservice.login"]);
}

#[tokio::test]
async fn without_iam_login_no_login_token_is_asked_for() {
    let world = World::start().await;
    let connector = world.builder().iam_login(false).build().unwrap();
    connector.connect(INSTANCE).await.unwrap();
    assert_eq!(
        world.requests(Step::Certificate).remove(0).login_token,
        Bearer::None
    );
    assert_eq!(world.asked(Step::Token), 1);
}
