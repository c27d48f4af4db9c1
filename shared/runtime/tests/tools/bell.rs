//! The door at which workers are called for: nobody comes in but who may.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    long::{PAGES, Setup, TOOL},
    support::Nova,
};

const ACCOUNT: &str = "bell@acme.iam.gserviceaccount.com";
const TARGET: (&str, &str) = (
    "CLOUD_TASKS_TARGET_URL",
    "https://{function}-7.europe-west1.run.app",
);
/// The function of these tests.
const AUDIENCE: &str = "https://sample-7.europe-west1.run.app";

fn claims(nova: &Nova, audience: &str) -> Value {
    let issuer = &nova.issuer;
    let mut claims = issuer.claims("1234", &[], audience, Duration::from_mins(5));
    claims["email"] = json!(ACCOUNT);
    claims["email_verified"] = json!(true);
    claims
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_of_the_service_account_for_this_function_calls_a_worker() {
    let settings = [("CLOUD_TASKS_SERVICE_ACCOUNT", ACCOUNT), TARGET];
    let settings = settings.map(|(name, value)| (name, value.to_owned()));
    let setup = Setup::with_settings(async |_, _| settings.to_vec()).await;
    let job = setup.job(&PAGES).await;
    let nova = &setup.nova;
    let good = claims(nova, AUDIENCE);
    let spoiled = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let refused = [
        (
            "of a user",
            nova.issuer.claims(
                "alice",
                &["research:run", "admin"],
                AUDIENCE,
                Duration::from_mins(5),
            ),
        ),
        ("for the users' address", claims(nova, "http://nova.test")),
        (
            "for another function",
            claims(nova, "https://other-7.europe-west1.run.app"),
        ),
        (
            "of another account",
            spoiled("email", json!("bell@evil.iam.gserviceaccount.com")),
        ),
        (
            "of an e-mail that nobody stands for",
            spoiled("email_verified", json!(false)),
        ),
        (
            "of an e-mail that somebody may stand for",
            spoiled("email_verified", json!("true")),
        ),
        (
            "of another issuer",
            spoiled("iss", json!("https://evil.example")),
        ),
        ("that has ended", spoiled("exp", json!(1))),
    ];
    for (whose, claims) in refused {
        let token = nova.issuer.sign(&nova.issuer.header(), &claims);
        assert_eq!(
            nova.ring_with(&token, TOOL, &job).await,
            401,
            "a token {whose}"
        );
    }
    let good = nova.issuer.sign(&nova.issuer.header(), &good);
    let (head, _) = good.rsplit_once('.').unwrap();
    for forged in ["", "garbage", &format!("{head}.AAAA")] {
        assert_eq!(nova.ring_with(forged, TOOL, &job).await, 401, "{forged}");
    }
    assert_eq!(setup.kept_charged_jobs().await, (0, 1, 1), "nobody worked");
    assert_eq!(nova.ring_with(&good, TOOL, &job).await, 200);
    assert_eq!(setup.kept_charged_jobs().await, (4, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_cloud_run_the_door_is_shut_until_it_is_said_who_may_call() {
    let setup = Setup::with_settings(async |_, _| vec![("K_SERVICE", "sample".to_owned())]).await;
    let job = setup.job(&PAGES).await;
    let token = claims(&setup.nova, AUDIENCE);
    let token = setup.nova.issuer.sign(&setup.nova.issuer.header(), &token);
    for token in ["", &token] {
        assert_eq!(setup.nova.ring_with(token, TOOL, &job).await, 403);
    }
    assert_eq!(setup.kept_charged_jobs().await, (0, 1, 1));
}
