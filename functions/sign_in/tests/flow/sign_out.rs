//! The way out, and forms that others send in a person's name.

use http::StatusCode;

use crate::browser::Browser;
use crate::nova::Nova;

async fn signed_in(nova: &Nova) -> (Browser, String) {
    let mut browser = Browser::default();
    let page = browser.sign_in(nova, "alice").await.json();
    (browser, page["csrf"].as_str().unwrap().to_owned())
}

fn csrf(value: &str) -> Vec<(String, String)> {
    vec![("csrf_token".to_owned(), value.to_owned())]
}

#[tokio::test]
async fn signing_out_takes_the_cookie_away() {
    let nova = Nova::start().await;
    let (mut browser, token) = signed_in(&nova).await;
    let answer = browser.post(&nova.url("/sign_out"), &csrf(&token)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.contains("Signed out"), "{}", answer.body);
    assert_eq!(browser.cookie("nova-session"), None);
    let page = browser.get(&nova.url("/page")).await;
    assert!(page.location().as_str().contains("/sign_in?return_to="));
}

#[tokio::test]
async fn nobody_else_can_sign_a_person_out_or_post_in_her_name() {
    let nova = Nova::start().await;
    let (_, of_another_session) = signed_in(&nova).await;
    for path in ["/sign_out", "/page"] {
        let (mut browser, token) = signed_in(&nova).await;
        let url = nova.url(path);
        let raised = token.to_uppercase();
        for wrong in [
            vec![],
            csrf(""),
            csrf("x"),
            csrf(&of_another_session),
            csrf(&raised),
        ] {
            let answer = browser.post(&url, &wrong).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {wrong:?}");
        }
        let lookalike = format!("http://{}.evil.example", nova.address.ip());
        for origin in ["https://evil.example", "null", &lookalike] {
            browser.page_origin = Some(origin.to_owned());
            let answer = browser.post(&url, &csrf(&token)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} from {origin}");
        }
        assert!(browser.cookie("nova-session").is_some());
        browser.page_origin = None;
        let answer = browser.post(&url, &csrf(&token)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_session_that_ended_can_be_left() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let expired = nova.issuer.token(
        "alice",
        &[],
        "https://elsewhere.test",
        std::time::Duration::ZERO,
    );
    browser.set_cookie(&nova.url("/"), "nova-session", "/", &expired);
    let form = csrf(&nova_runtime::identity::session::csrf_token(&expired));
    assert_eq!(
        browser.post(&nova.url("/sign_out"), &form).await.status,
        StatusCode::OK
    );
    assert_eq!(browser.cookie("nova-session"), None);
    // And again, with no session at all.
    assert_eq!(
        browser.post(&nova.url("/sign_out"), &[]).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_session_that_ended_leads_to_the_sign_in() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    for cookie in [
        "x",
        "a.b.c",
        &nova.issuer.token(
            "alice",
            &["research:run"],
            "https://elsewhere.test",
            std::time::Duration::from_mins(1),
        ),
    ] {
        browser.set_cookie(&nova.url("/"), "nova-session", "/", cookie);
        let answer = browser.get(&nova.url("/page")).await;
        assert!(answer.location().path() == "/sign_in", "{cookie}");
    }
}
