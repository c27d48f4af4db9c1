//! Keys that rotate, disappear or cannot be had.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::join_all;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use nova_runtime::clock::ManualClock;
use nova_runtime::identity::{Verifier, VerifierConfig};
use nova_testkit::issuer::{Fault, SigningKey};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use crate::{AUDIENCE, HOUR, KEY_SET, Trust, judge, verifier};

const DISCOVERY: &str = "/.well-known/openid-configuration";
const DAY: Duration = Duration::from_hours(24);
const FORCED: Duration = Duration::from_secs(30);

impl Trust {
    /// A token for days, so that only the keys decide.
    fn long_token(&self) -> String {
        self.issuer.token("alice", &[], AUDIENCE, 30 * DAY)
    }
}

#[tokio::test]
async fn nothing_is_fetched_before_the_first_token_and_once_for_many_at_a_time() {
    let trust = Trust::new().await;
    assert_eq!(trust.issuer.requests(DISCOVERY), 0);
    let tokens: Vec<String> = (0..50).map(|_| trust.token()).collect();
    let judged = join_all(tokens.iter().map(|token| trust.accepts(token))).await;
    assert!(judged.into_iter().all(|accepted| accepted));
    assert_eq!(trust.issuer.requests(DISCOVERY), 1);
    assert_eq!(trust.issuer.requests(KEY_SET), 1);
}

#[tokio::test]
async fn the_keys_are_fetched_again_when_their_time_is_over() {
    let trust = Trust::new().await;
    trust.issuer.set_key_set_max_age(Duration::from_mins(20));
    let token = trust.long_token();
    assert!(trust.accepts(&token).await);
    trust.clock.advance(Duration::from_mins(19));
    assert!(trust.accepts(&token).await);
    assert_eq!(trust.issuer.requests(KEY_SET), 1);
    trust.clock.advance(Duration::from_mins(2));
    assert!(trust.accepts(&token).await);
    assert_eq!(trust.issuer.requests(KEY_SET), 2);
}

#[tokio::test]
async fn a_rotated_key_is_picked_up_by_the_first_token_that_it_signed() {
    let trust = Trust::new().await;
    let old = trust.long_token();
    assert!(trust.accepts(&old).await);
    trust.clock.advance(FORCED);
    trust.issuer.rotate_to(SigningKey::generate().unwrap());
    let new = trust.long_token();
    assert!(trust.accepts(&new).await);
    assert!(trust.accepts(&old).await, "both keys are published");
    assert_eq!(trust.issuer.requests(KEY_SET), 2);
}

#[tokio::test]
async fn a_withdrawn_key_ends_its_tokens_within_the_lifetime_of_the_set() {
    let trust = Trust::new().await;
    let token = trust.long_token();
    assert!(trust.accepts(&token).await);
    trust.issuer.rotate_to(SigningKey::generate().unwrap());
    trust.issuer.withdraw_old_keys();
    assert!(trust.accepts(&token).await, "nobody has told us yet");
    trust.clock.advance(Duration::from_mins(5));
    assert_eq!(trust.judge(&token).await, Err("UnknownKey".to_owned()));
}

#[tokio::test]
async fn a_storm_of_unknown_key_ids_causes_one_fetch_per_window() {
    let trust = Trust::new().await;
    assert!(trust.accepts(&trust.token()).await);
    let attacker = SigningKey::generate().unwrap();
    let claims = trust.issuer.claims("alice", &[], AUDIENCE, 2 * HOUR);
    for window in 1..=3 {
        trust.clock.advance(FORCED);
        let tokens: Vec<String> = (0..200)
            .map(|n| {
                attacker.sign(
                    &json!({"alg": "ES256", "kid": format!("{window}-{n}")}),
                    &claims,
                )
            })
            .collect();
        let judged = join_all(tokens.iter().map(|token| trust.judge(token))).await;
        assert!(
            judged
                .into_iter()
                .all(|judged| judged == Err("UnknownKey".to_owned()))
        );
        assert_eq!(trust.issuer.requests(KEY_SET), 1 + window);
    }
}

#[tokio::test]
async fn many_first_tokens_of_a_new_key_are_all_accepted_with_one_fetch() {
    let trust = Trust::new().await;
    assert!(trust.accepts(&trust.token()).await);
    trust.clock.advance(FORCED);
    trust.issuer.rotate_to(SigningKey::generate().unwrap());
    let tokens: Vec<String> = (0..50).map(|_| trust.token()).collect();
    let judged = join_all(tokens.iter().map(|token| trust.accepts(token))).await;
    assert!(judged.into_iter().all(|accepted| accepted));
    assert_eq!(trust.issuer.requests(KEY_SET), 2);
}

#[tokio::test]
async fn a_token_that_arrives_while_its_key_is_being_fetched_waits_for_it() {
    let trust = Trust::new().await;
    assert!(trust.accepts(&trust.token()).await);
    trust.clock.advance(FORCED);
    trust.issuer.rotate_to(SigningKey::generate().unwrap());
    trust.issuer.set_delay(Duration::from_millis(200));
    let (first, second) = (trust.token(), trust.token());
    let later = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        trust.clock.advance(Duration::from_millis(50));
        trust.accepts(&second).await
    };
    assert_eq!(tokio::join!(trust.accepts(&first), later), (true, true));
    assert_eq!(trust.issuer.requests(KEY_SET), 2);
}

#[tokio::test]
async fn while_the_issuer_is_down_known_keys_work_for_a_day_and_no_longer() {
    let trust = Trust::new().await;
    let token = trust.long_token();
    assert!(trust.accepts(&token).await);
    trust.issuer.set_fault(Some(Fault::Unavailable));
    trust.clock.advance(Duration::from_hours(12));
    assert!(trust.accepts(&token).await);
    let asked = trust.issuer.requests(KEY_SET);
    for _ in 0..20 {
        assert!(trust.accepts(&token).await);
    }
    assert_eq!(
        trust.issuer.requests(KEY_SET),
        asked,
        "a failure is remembered for a moment"
    );
    trust.clock.advance(Duration::from_secs(10));
    assert!(trust.accepts(&token).await);
    assert!(trust.issuer.requests(DISCOVERY) > 1, "and then tried again");
    trust.clock.advance(Duration::from_hours(13));
    assert_eq!(trust.judge(&token).await, Err("KeysUnavailable".to_owned()));
    trust.issuer.set_fault(None);
    trust.clock.advance(Duration::from_secs(10));
    assert!(trust.accepts(&token).await);
}

#[tokio::test]
async fn with_keys_at_hand_nobody_waits_for_an_issuer_that_hangs() {
    let trust = Trust::new().await;
    let token = trust.long_token();
    assert!(trust.accepts(&token).await);
    trust.issuer.set_fault(Some(Fault::Silent));
    trust.clock.advance(HOUR);
    let started = Instant::now();
    let probing = trust.accepts(&token);
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        for _ in 0..100 {
            assert!(trust.accepts(&token).await);
        }
        started.elapsed()
    };
    // One caller pays for the attempt, within its deadline; a hundred others do not notice.
    let (probed, waited) = tokio::join!(probing, others);
    assert!(probed);
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn without_keys_a_failing_issuer_is_our_trouble_and_not_the_callers() {
    for fault in [
        Fault::Unavailable,
        Fault::NotJson,
        Fault::Oversized,
        Fault::Redirect,
    ] {
        let trust = Trust::new().await;
        trust.issuer.set_fault(Some(fault));
        let token = trust.token();
        let error = trust.verifier.verify(&token).await.unwrap_err();
        assert!(error.is_unavailable(), "{fault:?}: {error:?}");
        let asked = trust.issuer.requests(DISCOVERY);
        assert!((1..=2).contains(&asked), "{fault:?}: {asked} attempts");
        assert!(
            trust
                .verifier
                .verify(&token)
                .await
                .unwrap_err()
                .is_unavailable()
        );
        assert_eq!(
            trust.issuer.requests(DISCOVERY),
            asked,
            "{fault:?}: at once again"
        );
        trust.issuer.set_fault(None);
        trust.clock.advance(Duration::from_secs(10));
        assert!(trust.accepts(&token).await, "{fault:?}");
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_while_keys_are_fetched_leaves_nobody_waiting() {
    let trust = Trust::new().await;
    let token = trust.token();
    trust.issuer.set_fault(Some(Fault::Silent));
    let gone = tokio::time::timeout(Duration::from_millis(50), trust.verifier.verify(&token)).await;
    assert!(gone.is_err());
    trust.issuer.set_fault(None);
    assert!(trust.accepts(&token).await);
}

#[tokio::test]
async fn an_issuer_that_is_not_there_costs_a_moment() {
    let clock = Arc::new(ManualClock::at(SystemTime::now()));
    let config = VerifierConfig::oidc("http://127.0.0.1:1", vec![AUDIENCE.to_owned()]);
    let trust = Trust::new().await;
    let started = Instant::now();
    let judged = judge(&verifier(config, &clock), &trust.token()).await;
    assert_eq!(judged, Err("KeysUnavailable".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(3));
}

/// Serves fixed documents by path, as an issuer that is not ours.
async fn documents(pages: impl Fn(&str) -> Vec<(&'static str, Value)>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let pages: Arc<Vec<(&str, String)>> = Arc::new(
        pages(&url)
            .into_iter()
            .map(|(path, value)| (path, value.to_string()))
            .collect(),
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let pages = Arc::clone(&pages);
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let found = pages.iter().find(|(path, _)| *path == request.uri().path());
                let mut response = http::Response::new(Full::new(Bytes::new()));
                match found {
                    Some((_, body)) => *response.body_mut() = Full::from(body.clone()),
                    None => *response.status_mut() = http::StatusCode::NOT_FOUND,
                }
                async move { Ok::<_, std::convert::Infallible>(response) }
            });
            tokio::spawn(async move {
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _gone = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    url
}

fn trusting(config: VerifierConfig) -> Verifier {
    verifier(config, &Arc::new(ManualClock::at(SystemTime::now())))
}

#[tokio::test]
async fn metadata_of_another_issuer_or_with_unsafe_addresses_is_not_believed() {
    let key = SigningKey::generate().unwrap();
    let keys = json!({"keys": [key.public_jwk()]});
    for (issuer, jwks_uri) in [
        (Some("https://evil.example"), None),
        (Some(""), None),
        (None, Some("file:///etc/passwd")),
        (None, Some("ftp://127.0.0.1/jwks")),
        (None, Some("/jwks")),
        (None, Some("")),
    ] {
        let url = documents(|url| {
            let own_keys = format!("{url}/jwks");
            let metadata = json!({
                "issuer": issuer.unwrap_or(url),
                "jwks_uri": jwks_uri.unwrap_or(&own_keys),
            });
            vec![
                ("/.well-known/openid-configuration", metadata),
                ("/jwks", keys.clone()),
            ]
        })
        .await;
        let verifier = trusting(VerifierConfig::oidc(&url, vec![AUDIENCE.to_owned()]));
        let claims = json!({"iss": url, "aud": AUDIENCE, "sub": "alice", "exp": 4_000_000_000_u64});
        let token = key.sign(&json!({"alg": "ES256", "kid": key.id()}), &claims);
        let judged = judge(&verifier, &token).await;
        assert_eq!(
            judged,
            Err("KeysUnavailable".to_owned()),
            "{issuer:?} {jwks_uri:?}"
        );
    }
}

#[tokio::test]
async fn keys_for_other_uses_are_not_used_and_do_no_harm() {
    let key = SigningKey::generate().unwrap();
    let changed = |name: &str, value: Value| {
        let mut jwk = key.public_jwk();
        jwk[name] = value;
        jwk
    };
    let spoiled = [
        changed("use", json!("enc")),
        changed("alg", json!("ES384")),
        changed("alg", json!("RS256")),
        changed("crv", json!("P-384")),
        changed("kty", json!("oct")),
        changed("key_ops", json!(["sign"])),
        changed("x", json!("AAAA")),
        changed("x", json!("not base64!")),
        changed("y", json!(null)),
        json!(null),
        json!("key"),
        json!({"kty": "RSA", "kid": key.id(), "n": "AQAB", "e": "AQAB"}),
        json!({"kty": "oct", "kid": key.id(), "k": "c2VjcmV0"}),
    ];
    for (is_usable, keys) in spoiled
        .iter()
        .map(|spoiled| (false, vec![spoiled.clone()]))
        .chain(
            spoiled
                .iter()
                .map(|spoiled| (true, vec![spoiled.clone(), key.public_jwk()])),
        )
    {
        let shown = json!(keys).to_string();
        let url = documents(|_| vec![("/jwks", json!({ "keys": keys }))]).await;
        let mut config = VerifierConfig::oidc("https://issuer.test", vec![AUDIENCE.to_owned()]);
        config.jwks_url = Some(Url::parse(&format!("{url}/jwks")).unwrap());
        let claims = json!({"iss": "https://issuer.test", "aud": AUDIENCE, "sub": "alice", "exp": 4_000_000_000_u64});
        let token = key.sign(&json!({"alg": "ES256", "kid": key.id()}), &claims);
        assert_eq!(
            judge(&trusting(config), &token).await.is_ok(),
            is_usable,
            "{shown}"
        );
    }
}

#[tokio::test]
async fn descope_tokens_are_accepted_in_the_forms_that_descope_writes() {
    let key = SigningKey::test_only_rs256().unwrap();
    let keys = json!({"keys": [key.public_jwk()]});
    let url = documents(|_| vec![("/local/.well-known/jwks.json", keys.clone())]).await;
    let config = VerifierConfig::descope(&Url::parse(&url).unwrap(), "local").unwrap();
    let verifier = trusting(config);
    for (iss, expected) in [
        (format!("{url}/v1/apps/local"), Ok("alice".to_owned())),
        (format!("{url}/local"), Ok("alice".to_owned())),
        ("local".to_owned(), Ok("alice".to_owned())),
        (format!("{url}/v1/apps/other"), Err("Issuer".to_owned())),
        (url.clone(), Err("Issuer".to_owned())),
    ] {
        let claims = json!({"iss": iss, "aud": "local", "sub": "alice", "exp": 4_000_000_000_u64});
        let token = key.sign(&json!({"alg": "RS256", "kid": key.id()}), &claims);
        assert_eq!(judge(&verifier, &token).await, expected, "{iss}");
    }
}
