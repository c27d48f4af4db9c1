//! Each step can be made to fail, as often as a test wants.

use std::time::{Duration, Instant};

use nova_testkit::cloudsql::{
    ADMIN_SCOPE, CloudSql, Effect, Fault, Instance, LOGIN_SCOPE, Options, Step,
};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::wire::{Answer, Key, Session, connect, get, post, post_form};
use crate::{NAME, SERVICE_ACCOUNT, USER};

const A_WHILE: Duration = Duration::from_millis(300);

async fn settings(cloud: &CloudSql) -> Result<Answer, String> {
    let token = format!("Bearer {}", cloud.token(SERVICE_ACCOUNT, &[ADMIN_SCOPE]));
    let path = "/sql/v1beta4/projects/proj/instances/main/connectSettings";
    let url = format!("{}{path}", cloud.url());
    get(&url, &[("authorization", &token)]).await
}

#[tokio::test]
async fn a_fault_happens_as_often_as_it_was_to_and_no_sooner() {
    let cloud = CloudSql::start().await.unwrap();
    cloud.instance(NAME, Options::default()).await.unwrap();
    cloud.inject(
        Fault::new(Step::ConnectSettings, Effect::Status(503))
            .after(1)
            .times(2),
    );
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(settings(&cloud).await.unwrap().status);
    }
    assert_eq!(seen, [200, 503, 503, 200]);
    assert!(cloud.faults_are_used_up());
    assert_eq!(cloud.count(Step::ConnectSettings), 4);
}

#[tokio::test]
async fn http_fails_in_every_way() {
    let cloud = CloudSql::start().await.unwrap();
    cloud.instance(NAME, Options::default()).await.unwrap();
    let fail = async |effect: Effect| {
        cloud.inject(Fault::new(Step::ConnectSettings, effect));
        settings(&cloud).await
    };
    let limited = fail(Effect::RetryAfter(429, Duration::from_secs(7)))
        .await
        .unwrap();
    assert_eq!(
        (limited.status, limited.reason()),
        (429, "rateLimitExceeded".to_owned())
    );
    assert_eq!(limited.headers["retry-after"], "7");
    let off = Effect::Reason(403, "accessNotConfigured", "The API is off.");
    let off = fail(off).await.unwrap();
    let expected = json!({"error": {
        "code": 403,
        "message": "The API is off.",
        "status": "PERMISSION_DENIED",
        "errors": [{"message": "The API is off.", "domain": "global", "reason": "accessNotConfigured"}],
    }});
    assert_eq!((off.status, off.json()), (403, expected));
    let garbage = fail(Effect::Garbage).await.unwrap();
    assert_eq!(garbage.status, 200);
    assert!(serde_json::from_str::<serde_json::Value>(&garbage.text).is_err());
    assert!(fail(Effect::Drop).await.is_err());
    let asked = Instant::now();
    assert_eq!(fail(Effect::Delay(A_WHILE)).await.unwrap().status, 200);
    assert!(asked.elapsed() >= A_WHILE);
    assert!(timeout(A_WHILE, fail(Effect::Hang)).await.is_err());
}

#[tokio::test]
async fn each_step_over_http_has_its_own_faults() {
    let cloud = CloudSql::start().await.unwrap();
    let url = cloud.url();
    let certificate = "/sql/v1beta4/projects/proj/instances/main:generateEphemeralCert";
    let account = format!("/v1/projects/-/serviceAccounts/{SERVICE_ACCOUNT}:generateAccessToken");
    let metadata = "/computeMetadata/v1/instance/service-accounts/default/token";
    let resolve = "/sql/v1beta4/locations/europe-west1/dns/a.example.:resolveConnectSettings";
    for step in [
        Step::Certificate,
        Step::Impersonation,
        Step::Metadata,
        Step::ResolveSettings,
        Step::Token,
    ] {
        cloud.inject(Fault::new(step, Effect::Status(502)));
        assert_ne!(settings(&cloud).await.unwrap().status, 502);
        let nothing = json!({});
        let answer = match step {
            Step::Certificate => post(&format!("{url}{certificate}"), "", &nothing).await,
            Step::Impersonation => post(&format!("{url}{account}"), "", &nothing).await,
            Step::Metadata => get(&format!("{url}{metadata}"), &[]).await,
            Step::ResolveSettings => get(&format!("{url}{resolve}"), &[]).await,
            _ => Ok(post_form(&format!("{url}/token"), &[]).await),
        };
        assert_eq!(answer.unwrap().status, 502, "{step:?}");
        assert!(cloud.faults_are_used_up(), "{step:?}");
    }
}

async fn started() -> (CloudSql, Instance, Key) {
    let cloud = CloudSql::start().await.unwrap();
    let instance = cloud.instance(NAME, Options::default()).await.unwrap();
    let login = cloud.token(SERVICE_ACCOUNT, &[LOGIN_SCOPE]);
    let key = Key::issued(&cloud, &instance, Some(&login)).await;
    (cloud, instance, key)
}

#[tokio::test]
async fn a_connection_fails_before_its_handshake() {
    let (cloud, instance, key) = started().await;
    for step in [Step::Tcp, Step::Tls] {
        for effect in [Effect::Drop, Effect::Garbage] {
            cloud.inject(Fault::new(step, effect.clone()));
            let shaken = connect(&instance, Some(&key)).await;
            assert!(shaken.is_err(), "{step:?} {effect:?}");
        }
        cloud.inject(Fault::new(step, Effect::Hang));
        let shaken = timeout(A_WHILE, connect(&instance, Some(&key))).await;
        assert!(shaken.is_err(), "{step:?}");
        cloud.inject(Fault::new(step, Effect::Delay(A_WHILE)));
        let asked = Instant::now();
        connect(&instance, Some(&key)).await.unwrap();
        assert!(asked.elapsed() >= A_WHILE, "{step:?}");
    }
    assert!(cloud.faults_are_used_up());
}

#[tokio::test]
async fn a_login_fails_once() {
    let (cloud, instance, key) = started().await;
    let start = async || {
        let stream = connect(&instance, Some(&key)).await.unwrap();
        Session::start(stream, USER, "any").await
    };
    cloud.inject(Fault::new(Step::Login, Effect::Status(500)));
    let (_, refused) = start().await.unwrap();
    assert_eq!(refused.field('C'), "28000");
    cloud.inject(Fault::new(Step::Login, Effect::Drop));
    assert!(start().await.is_err());
    let (mut session, answer) = start().await.unwrap();
    assert_eq!(
        answer.field('C'),
        "57P03",
        "there is no database, but the login went well"
    );
    let ended = session.0.read_u8().await;
    assert!(ended.is_err());
}
