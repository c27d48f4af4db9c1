//! Issuers that fail in the middle, and issuers that want more than PKCE.

use http::StatusCode;
use nova_testkit::issuer::{Client, Fault};

use crate::browser::Browser;
use crate::nova::Nova;

#[tokio::test]
async fn an_issuer_that_is_down_is_a_503_with_a_time_to_come_back() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    nova.issuer.set_fault(Some(Fault::Unavailable));
    let answer = browser.get(&nova.url("/sign_in")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key("retry-after"));
    assert!(answer.body.contains("does not answer"), "{}", answer.body);
    nova.issuer.set_fault(None);
    let callback = browser.sign_in_until_callback(&nova, "alice").await;
    nova.issuer.set_fault(Some(Fault::Unavailable));
    let answer = browser.get(&callback).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    // The code was not spent and the attempt is still there: reloading helps.
    nova.issuer.set_fault(None);
    assert_eq!(browser.open(&callback).await.1.json()["user"], "alice");
}

#[tokio::test]
async fn a_client_with_a_secret_shows_it() {
    let secret = "s3cret: with+odd&characters=ü";
    for (known, shown, is_right) in [(secret, secret, true), (secret, "wrong", false)] {
        let client = Client::confidential("nova", "Nova", known);
        let nova = Nova::with(client, &[("OIDC_CLIENT_SECRET", shown)]).await;
        let mut browser = Browser::default();
        let answer = browser.sign_in(&nova, "alice").await;
        if is_right {
            assert_eq!(answer.json()["user"], "alice");
        } else {
            // The operator's mistake, not the person's.
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(browser.cookie("nova-session"), None);
        }
    }
}

#[tokio::test]
async fn a_token_that_nova_would_not_accept_starts_no_session() {
    // Nova wants an audience that the issuer is not asked for, as after a wrong setting.
    let client = Client::public("nova", "Nova");
    let nova = Nova::with(client, &[("OIDC_AUDIENCE", "a-project-id")]).await;
    let mut browser = Browser::default();
    let answer = browser.sign_in(&nova, "alice").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(browser.cookie("nova-session"), None);
    assert!(
        !answer.body.contains("audience"),
        "the cause is for the log: {}",
        answer.body
    );
}

#[test]
fn without_an_issuer_the_function_says_what_to_set() {
    use nova_runtime::{Config, Environment};
    let config = Config::read(&Environment::default()).unwrap();
    let Err(error) = sign_in::FUNCTION.set_up(config) else {
        panic!("it started")
    };
    assert!(error.to_string().contains("OIDC_ISSUER"), "{error}");
}
