//! The Admin API against a server that answers what it was told to.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;

use super::*;
use crate::{
    fake::{Answer, Fake},
    http::usual_provider,
    tokens::{CachedTokens, Fixed, TokenError},
};

const SETTINGS: &str = r#"{
    "kind": "sql#connectSettings", "region": "europe-west1", "backendType": "SECOND_GEN",
    "databaseVersion": "POSTGRES_16", "pscEnabled": true, "nodeCount": 2, "new": {"x": [1]},
    "serverCaCert": {"cert": "PEM", "expirationTime": "2030-01-01T00:00:00Z"},
    "serverCaMode": "GOOGLE_MANAGED_CAS_CA",
    "ipAddresses": [{"type": "PRIMARY", "ipAddress": "127.0.0.9"}],
    "dnsNames": [{"name": "a.b.europe-west1.sql-psc.goog.", "dnsScope": "INSTANCE",
        "connectionType": "PRIVATE_SERVICE_CONNECT", "recordManager": "CUSTOMER"}]}"#;

fn instance() -> InstanceName {
    "example.com:proj:europe-west1:main".parse().unwrap()
}

fn api(fake: &Fake) -> AdminApi {
    api_with(fake, Arc::new(Fixed::new("t0ken")))
}

fn api_with(fake: &Fake, tokens: Arc<dyn TokenSource>) -> AdminApi {
    let payer = Some("payer".to_owned());
    AdminApi::new(
        Some(&fake.url("/")),
        "googleapis.com",
        tokens,
        payer,
        Some("app/1"),
        usual_provider(),
    )
    .unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn refusal(status: u16, reason: &str, message: &str) -> Answer {
    let body = json!({"error": {"code": status, "message": message,
        "errors": [{"reason": reason, "domain": "global"}]}});
    Answer::new(status, body.to_string())
}

async fn settings(fake: &Fake) -> Result<ConnectSettings, Error> {
    api(fake).connect_settings(&instance(), soon()).await
}

#[tokio::test]
async fn settings_are_asked_for_as_the_official_connectors_do() {
    let fake = Fake::start([Answer::new(200, SETTINGS)]).await;
    let found = settings(&fake).await.unwrap();
    assert_eq!(found.region, "europe-west1");
    assert_eq!(found.ip_addresses[0].kind, "PRIMARY");
    assert_eq!(found.server_ca_cert.cert, "PEM");
    assert_eq!(
        found.dns_names[0].connection_type,
        "PRIVATE_SERVICE_CONNECT"
    );
    let question = fake.question(0);
    assert_eq!(question.method(), Method::GET);
    assert_eq!(
        question.uri().path(),
        "/sql/v1beta4/projects/example.com:proj/instances/main/connectSettings"
    );
    let headers = question.headers();
    let agent = concat!(
        "cloudsql-connector-rust/",
        env!("CARGO_PKG_VERSION"),
        " app/1"
    );
    assert_eq!(headers["user-agent"], agent);
    assert_eq!(headers["x-goog-api-client"], agent);
    assert_eq!(headers["x-goog-user-project"], "payer");
    assert_eq!(headers["authorization"], "Bearer t0ken");
}

#[tokio::test]
async fn a_field_that_is_missing_or_null_is_nothing() {
    let nothing = r#"{"serverCaCert": {"cert": "PEM"}, "region": null, "databaseVersion": null,
        "ipAddresses": null, "pscEnabled": null, "dnsName": null, "dnsNames": null}"#;
    let little = r#"{"serverCaCert": {"cert": "PEM"}, "ipAddresses": [{"type": null}],
        "dnsNames": [{"name": null, "dnsScope": null, "connectionType": null}]}"#;
    let fake = Fake::start([Answer::new(200, nothing), Answer::new(200, little)]).await;
    let found = settings(&fake).await.unwrap();
    let server_ca_cert = found.server_ca_cert.clone();
    let nothing = ConnectSettings {
        server_ca_cert,
        ..ConnectSettings::default()
    };
    assert_eq!(found, nothing);
    let found = settings(&fake).await.unwrap();
    assert_eq!((found.ip_addresses.len(), found.dns_names.len()), (1, 1));
}

#[tokio::test]
async fn an_answer_without_what_was_asked_for_is_asked_for_once_more_and_then_told() {
    for body in [
        "{}",
        r#"{"serverCaCert": null, "ephemeralCert": null, "connectionName": null}"#,
        r#"{"serverCaCert": {"cert": null}, "ephemeralCert": {"cert": null}}"#,
    ] {
        let fake = Fake::start([Answer::new(200, body)]).await;
        let (api, name) = (api(&fake), instance());
        let settings = api.connect_settings(&name, soon()).await.map(drop);
        let certificate = api.ephemeral_certificate(&name, "KEY", None, soon()).await;
        let resolved = api.instance_of_dns_name("r", "a.b", soon()).await;
        for (step, outcome) in [
            (Step::Settings, settings),
            (Step::Certificate, certificate.map(drop)),
            (Step::Dns, resolved.map(drop)),
        ] {
            let error = outcome.unwrap_err();
            assert_eq!((error.kind(), error.step()), (ErrorKind::Protocol, step));
            assert!(error.detail().contains("is not in it"), "{error:?}");
        }
        assert_eq!(fake.asked(), 6);
    }
}

#[tokio::test]
async fn a_certificate_is_asked_for_with_the_key_and_the_login_token_if_there_is_one() {
    let answer = r#"{"ephemeralCert": {"cert": "PEM", "kind": "sql#sslCert"}}"#;
    let fake = Fake::start([Answer::new(200, answer)]).await;
    let (api, name) = (api(&fake), instance());
    let login = Token::new("log1n", SystemTime::now());
    for login in [None, Some(&login)] {
        let found = api.ephemeral_certificate(&name, "KEY", login, soon()).await;
        assert_eq!(found.unwrap(), "PEM");
    }
    let body = |number| -> serde_json::Value {
        serde_json::from_slice(fake.question(number).body()).unwrap()
    };
    assert_eq!(body(0), json!({"public_key": "KEY"}));
    assert_eq!(
        body(1),
        json!({"public_key": "KEY", "access_token": "log1n"})
    );
    let question = fake.question(0);
    assert_eq!(question.method(), Method::POST);
    assert_eq!(
        question.uri().path(),
        "/sql/v1beta4/projects/example.com:proj/instances/main:generateEphemeralCert"
    );
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let fake = Fake::start([
        Answer::new(503, ""),
        Answer::hang_up(),
        Answer::new(408, ""),
        Answer::new(429, "").header("retry-after", "0"),
        Answer::new(200, SETTINGS),
    ])
    .await;
    settings(&fake).await.unwrap();
    assert_eq!(fake.asked(), 5);
}

#[tokio::test]
async fn after_five_more_attempts_the_caller_hears_of_it() {
    let fake = Fake::start([Answer::new(503, "<html>")]).await;
    let error = settings(&fake).await.unwrap_err();
    assert_eq!(fake.asked(), 6);
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Unavailable, Some(503))
    );
    assert_eq!(
        error.message(),
        "127.0.0.1 answered 503 Service Unavailable"
    );
}

#[tokio::test]
async fn what_was_asked_to_be_waited_is_waited() {
    let fake = Fake::start([
        Answer::new(429, "").header("retry-after", "1"),
        Answer::new(200, SETTINGS),
    ])
    .await;
    let started = Instant::now();
    settings(&fake).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_told_at_once() {
    let answer = refusal(429, "rateLimitExceeded", "Too many.").header("retry-after", "60");
    let fake = Fake::start([answer]).await;
    let started = Instant::now();
    let error = settings(&fake).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(fake.asked(), 1);
    assert_eq!(error.kind(), ErrorKind::Quota);
    assert_eq!(error.retry_after(), Some(Duration::from_mins(1)));
    assert!(error.hint().unwrap().contains("quota"));
}

#[tokio::test]
async fn a_refusal_is_told_at_once_with_googles_words_and_what_to_do() {
    for (status, reason, kind, remedy) in [
        (400, "invalid", ErrorKind::Configuration, None),
        (
            403,
            "accessNotConfigured",
            ErrorKind::Denied,
            Some("gcloud services enable"),
        ),
        (
            403,
            "notAuthorized",
            ErrorKind::Denied,
            Some("grant roles/cloudsql.client to the caller"),
        ),
        (
            404,
            "instanceDoesNotExist",
            ErrorKind::NotFound,
            Some("no such instance"),
        ),
    ] {
        let fake = Fake::start([refusal(status, reason, "No.")]).await;
        let error = settings(&fake).await.unwrap_err();
        assert_eq!(fake.asked(), 1);
        assert_eq!((error.kind(), error.step()), (kind, Step::Settings));
        assert_eq!(
            (error.status(), error.reason()),
            (Some(status), Some(reason))
        );
        assert_eq!(error.message(), "No.");
        assert!(!error.is_retryable());
        match remedy {
            Some(remedy) => assert!(error.hint().unwrap().contains(remedy), "{error}"),
            None => assert_eq!(error.hint(), None),
        }
    }
}

/// Gives another token each time, and says whose they are.
struct Counted(AtomicUsize);

impl TokenSource for Counted {
    fn token<'a>(&'a self, scopes: &'a [&'a str]) -> BoxFuture<'a, Result<Token, TokenError>> {
        assert_eq!(scopes, [ADMIN_SCOPE]);
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        let ends = SystemTime::now() + Duration::from_hours(1);
        Box::pin(std::future::ready(Ok(Token::new(
            format!("t{number}"),
            ends,
        ))))
    }

    fn principal(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(std::future::ready(Some("sa@proj.iam".to_owned())))
    }
}

fn counted() -> Arc<dyn TokenSource> {
    Arc::new(CachedTokens::new(Arc::new(Counted(AtomicUsize::new(0)))))
}

#[tokio::test]
async fn a_kept_token_that_is_refused_is_replaced_once() {
    let refused = refusal(401, "authError", "Invalid Credentials");
    let fake = Fake::start([refused.clone(), Answer::new(200, SETTINGS)]).await;
    let api = api_with(&fake, counted());
    api.connect_settings(&instance(), soon()).await.unwrap();
    assert_eq!(fake.question(0).headers()["authorization"], "Bearer t0");
    assert_eq!(fake.question(1).headers()["authorization"], "Bearer t1");

    let fake = Fake::start([refused]).await;
    let api = api_with(&fake, counted());
    let error = api.connect_settings(&instance(), soon()).await.unwrap_err();
    assert_eq!(fake.asked(), 2);
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Denied, Some(401))
    );
    assert!(error.hint().unwrap().contains("credentials"));
}

#[tokio::test]
async fn the_only_token_there_is_is_not_tried_twice() {
    let fake = Fake::start([refusal(401, "authError", "Invalid Credentials")]).await;
    let error = settings(&fake).await.unwrap_err();
    assert_eq!((fake.asked(), error.status()), (1, Some(401)));
}

#[tokio::test]
async fn who_lacks_a_role_is_named() {
    let fake = Fake::start([refusal(403, "notAuthorized", "No.")]).await;
    let api = api_with(&fake, counted());
    let error = api.connect_settings(&instance(), soon()).await.unwrap_err();
    assert!(
        error
            .hint()
            .unwrap()
            .contains("roles/cloudsql.client to sa@proj.iam")
    );
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_asked_for_once_more() {
    for garbage in ["{", "[]", r#"{"region": 7}"#, "s3cret"] {
        let fake = Fake::start([Answer::new(200, garbage), Answer::new(200, SETTINGS)]).await;
        settings(&fake).await.unwrap();
        let fake = Fake::start([Answer::new(200, garbage)]).await;
        let error = settings(&fake).await.unwrap_err();
        assert_eq!((fake.asked(), error.kind()), (2, ErrorKind::Protocol));
        assert!(!format!("{error:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn a_hang_ends_at_the_deadline_and_tells_what_was_wrong_before() {
    let hang = Answer::new(200, "").after(Duration::from_mins(1));
    let fake = Fake::start([Answer::new(503, ""), hang]).await;
    let (started, deadline) = (Instant::now(), Instant::now() + Duration::from_secs(1));
    let error = api(&fake).connect_settings(&instance(), deadline).await;
    let error = error.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(
        (error.kind(), error.step()),
        (ErrorKind::Timeout, Step::Settings)
    );
    assert!(error.detail().contains("503"), "{}", error.detail());
}

#[tokio::test]
async fn a_token_that_does_not_come_ends_at_the_deadline_too() {
    struct Never;
    impl TokenSource for Never {
        fn token<'a>(&'a self, _: &'a [&'a str]) -> BoxFuture<'a, Result<Token, TokenError>> {
            Box::pin(std::future::pending())
        }
    }
    let fake = Fake::start([Answer::new(200, SETTINGS)]).await;
    let api = api_with(&fake, Arc::new(Never));
    let deadline = Instant::now() + Duration::from_millis(50);
    let error = api
        .connect_settings(&instance(), deadline)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.step()),
        (ErrorKind::Timeout, Step::Token)
    );
}

#[tokio::test]
async fn calls_share_a_connection_while_it_is_held() {
    let fake = Fake::start([Answer::new(200, SETTINGS)]).await;
    let (api, name) = (api(&fake), instance());
    let _held = api.hold();
    api.connect_settings(&name, soon()).await.unwrap();
    api.connect_settings(&name, soon()).await.unwrap();
    assert_eq!(fake.connections(), 1);
}

#[tokio::test]
async fn a_dns_name_that_could_change_the_address_is_not_asked_for() {
    let fake = Fake::start([Answer::new(200, "{}")]).await;
    for name in ["a/b.sql.goog", "a?b", "", "a%2fb"] {
        let found = api(&fake).instance_of_dns_name("r", name, soon()).await;
        assert_eq!(found.unwrap_err().kind(), ErrorKind::Configuration);
    }
    let found = api(&fake).instance_of_dns_name("r/..", "a.b", soon()).await;
    assert!(found.is_err());
    assert_eq!(fake.asked(), 0);
}

#[tokio::test]
async fn the_address_follows_the_universe_unless_it_is_said() {
    let api = |endpoint, universe| {
        let tokens = Arc::new(Fixed::new("t"));
        AdminApi::new(endpoint, universe, tokens, None, None, usual_provider())
            .map(|api| api.endpoint)
    };
    assert_eq!(api(None, "u.goog").unwrap(), "https://sqladmin.u.goog");
    assert_eq!(api(Some("http://h:1/x/"), "u").unwrap(), "http://h:1/x");
    for bad in [
        "sqladmin.googleapis.com",
        "ftp://x",
        "https://",
        "",
        "http://x?y",
    ] {
        assert!(api(Some(bad), "u").is_err(), "{bad}");
    }
}
