//! The way in, as others would like it to go.

use http::StatusCode;
use nova_runtime::http_client::{HttpClient, HttpError};
use serde_json::Value;
use url::Url;

use crate::browser::{Answer, Browser};
use crate::nova::Nova;

fn replaced(url: &Url, name: &str, value: Option<&str>) -> Url {
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .into_owned()
        .filter(|(known, _)| known != name)
        .collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(kept);
    if let Some(value) = value {
        changed.query_pairs_mut().append_pair(name, value);
    }
    changed
}

fn value(url: &Url, wanted: &str) -> String {
    url.query_pairs()
        .find(|(name, _)| name == wanted)
        .unwrap()
        .1
        .into_owned()
}

fn assert_refused(answer: &Answer, browser: &Browser) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    assert!(answer.body.contains("Not signed in"), "{}", answer.body);
    assert!(answer.body.contains("href=\"/sign_in\""), "{}", answer.body);
    assert_eq!(browser.cookie("nova-session"), None);
}

#[tokio::test]
async fn no_link_to_the_sign_in_leads_to_another_site() {
    let nova = Nova::start().await;
    for target in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/%09/evil.example\r\nLocation: https://evil.example",
        "javascript:alert(1)",
        "/sign_in?return_to=https://evil.example",
        "",
    ] {
        let mut browser = Browser::default();
        let mut begin = nova.url("/sign_in");
        begin.query_pairs_mut().append_pair("return_to", target);
        let (form, _) = browser.open(&begin).await;
        let callback = browser.submit(&form, "alice").await.location();
        let end = browser.get(&callback).await.location();
        assert_eq!(end, nova.url("/upload_article_guideline"), "{target:?}");
    }
}

#[tokio::test]
async fn a_place_to_return_to_that_was_changed_in_the_cookie_is_not_believed() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let callback = browser.sign_in_until_callback(&nova, "alice").await;
    let cookie = browser.cookie("nova-sign-in").unwrap();
    let json = base64_decoded(&cookie).replace("/page?x=1", "//evil.example");
    let changed = base64_encoded(&json);
    browser.set_cookie(&nova.url("/"), "nova-sign-in", "/sign_in", &changed);
    let end = browser.get(&callback).await.location();
    assert_eq!(end, nova.url("/upload_article_guideline"));
}

fn base64_decoded(text: &str) -> String {
    use base64::Engine as _;
    String::from_utf8(
        base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(text)
            .unwrap(),
    )
    .unwrap()
}

fn base64_encoded(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

#[tokio::test]
async fn an_answer_that_belongs_to_another_browser_signs_nobody_in() {
    let nova = Nova::start().await;
    let mut attacker = Browser::default();
    let planted = attacker.sign_in_until_callback(&nova, "mallory").await;
    // A victim who began nothing.
    let mut victim = Browser::default();
    assert_refused(&victim.get(&planted).await, &victim);
    // A victim in the middle of a sign-in of her own.
    let mut victim = Browser::default();
    let own = victim.sign_in_until_callback(&nova, "alice").await;
    assert_refused(&victim.get(&planted).await, &victim);
    // The attacker's code with the victim's state: the code verifier does not fit.
    let mixed = replaced(&planted, "state", Some(&value(&own, "state")));
    assert_refused(&victim.get(&mixed).await, &victim);
    // Her own answer still works.
    assert_eq!(victim.open(&own).await.1.json()["user"], "alice");
}

#[tokio::test]
async fn a_state_that_is_missing_wrong_or_nearly_right_is_refused() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let callback = browser.sign_in_until_callback(&nova, "alice").await;
    let state = value(&callback, "state");
    let nearly: String = state.chars().take(42).collect();
    for wrong in [
        None,
        Some(""),
        Some(nearly.as_str()),
        Some(&format!("{state}x")),
        Some(&state.to_uppercase()),
    ] {
        let answer = browser.get(&replaced(&callback, "state", wrong)).await;
        assert_refused(&answer, &browser);
    }
    assert_eq!(nova.issuer.requests("/token"), 0, "nothing was exchanged");
}

#[tokio::test]
async fn a_code_works_once() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let callback = browser.sign_in_until_callback(&nova, "alice").await;
    let attempt = browser.cookie("nova-sign-in").unwrap();
    assert_eq!(browser.open(&callback).await.1.status, StatusCode::OK);
    // The same answer again, in a browser that has the attempt's cookie.
    let mut again = Browser::default();
    again.set_cookie(&nova.url("/"), "nova-sign-in", "/sign_in", &attempt);
    assert_refused(&again.get(&callback).await, &again);
    assert_eq!(nova.issuer.requests("/token"), 2);
}

#[tokio::test]
async fn a_code_that_took_too_long_is_refused() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let callback = browser.sign_in_until_callback(&nova, "alice").await;
    nova.issuer
        .advance_clock(std::time::Duration::from_secs(61));
    assert_refused(&browser.get(&callback).await, &browser);
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_refused() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let callback = browser.sign_in_until_callback(&nova, "alice").await;
    for wrong in [None, Some("https://evil.example"), Some("")] {
        let answer = browser.get(&replaced(&callback, "iss", wrong)).await;
        assert_refused(&answer, &browser);
    }
    assert_eq!(nova.issuer.requests("/token"), 0);
}

#[tokio::test]
async fn the_issuers_refusal_is_told_and_cannot_write_into_the_page() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let callback = browser.sign_in_until_callback(&nova, "alice").await;
    let denied = replaced(&callback, "code", None);
    let answer = browser
        .get(&replaced(
            &denied,
            "error",
            Some("<script>alert(1)</script>"),
        ))
        .await;
    assert_refused(&answer, &browser);
    assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
    assert!(answer.body.contains("&lt;script&gt;"), "{}", answer.body);
}

#[tokio::test]
async fn garbage_at_any_step_is_an_answer_and_no_fault() {
    let nova = Nova::start().await;
    for cookie in ["", "x", "e30", "bnVsbA", "%00", "eyJzdGF0ZSI6MX0"] {
        let mut browser = Browser::default();
        browser.set_cookie(&nova.url("/"), "nova-sign-in", "/sign_in", cookie);
        for query in [
            "",
            "?",
            "?code=x",
            "?state=",
            "?code=x&state=y",
            "?%ff=%fe",
            "?error=x",
        ] {
            let answer = browser
                .get(&nova.url(&format!("/sign_in/callback{query}")))
                .await;
            assert_refused(&answer, &browser);
        }
    }
}

/// Exchanges a code by hand, with some fields replaced.
async fn exchange(nova: &Nova, callback: &Url, changed: &[(&str, &str)]) -> Result<Value, String> {
    let code = value(callback, "code");
    let redirect = nova.url("/sign_in/callback").to_string();
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect.as_str()),
        ("client_id", "nova"),
    ];
    for (name, value) in changed {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    let endpoint = Url::parse(&format!("{}/token", nova.issuer.url())).unwrap();
    match HttpClient::new().post_form(&endpoint, &fields, None).await {
        Ok(tokens) => Ok(tokens),
        Err(HttpError::Status { body, .. }) => {
            let body: Value = serde_json::from_slice(&body).unwrap();
            Err(body["error"].as_str().unwrap().to_owned())
        }
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_stolen_code_is_worth_nothing_without_its_verifier() {
    let nova = Nova::start().await;
    let wrong = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let short = "short";
    for verifier in [None, Some(""), Some(wrong), Some(challenge), Some(short)] {
        let mut browser = Browser::default();
        let callback = browser.sign_in_until_callback(&nova, "alice").await;
        let changed: Vec<_> = verifier
            .map(|verifier| ("code_verifier", verifier))
            .into_iter()
            .collect();
        let outcome = exchange(&nova, &callback, &changed).await;
        assert_eq!(outcome, Err("invalid_grant".to_owned()), "{verifier:?}");
        // And the attempt has spent it for the owner as well.
        assert_refused(&browser.get(&callback).await, &browser);
    }
}

#[tokio::test]
async fn a_code_is_bound_to_client_address_and_resource() {
    let nova = Nova::start().await;
    for (changed, expected) in [
        (("client_id", "somebody"), "invalid_client"),
        (
            ("redirect_uri", "http://127.0.0.1:1/other"),
            "invalid_grant",
        ),
        (("resource", "https://other.test"), "invalid_target"),
        (("grant_type", "password"), "unsupported_grant_type"),
        (("code", "unknown"), "invalid_grant"),
    ] {
        let mut browser = Browser::default();
        let callback = browser.sign_in_until_callback(&nova, "alice").await;
        let attempt = base64_decoded(&browser.cookie("nova-sign-in").unwrap());
        let attempt: Value = serde_json::from_str(&attempt).unwrap();
        let verifier = attempt["verifier"].as_str().unwrap();
        let outcome = exchange(&nova, &callback, &[("code_verifier", verifier), changed]).await;
        assert_eq!(outcome, Err(expected.to_owned()), "{changed:?}");
    }
}

#[tokio::test]
async fn the_issuers_form_cannot_be_sent_by_another_site() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let (form, _) = browser.open(&nova.url("/page")).await;
    for origin in ["https://evil.example", "null"] {
        browser.page_origin = Some(origin.to_owned());
        let answer = browser.submit(&form, "alice").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{origin}");
        assert!(answer.location.is_none());
    }
}

#[tokio::test]
async fn the_issuer_sends_nobody_to_an_address_that_it_was_not_told() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let (form, _) = browser.open(&nova.url("/page")).await;
    for target in [
        "https://evil.example/callback",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "javascript:alert(1)",
        "//evil.example",
        "",
    ] {
        let changed = replaced(&form, "redirect_uri", Some(target));
        for answer in [
            browser.get(&changed).await,
            browser.submit(&changed, "alice").await,
        ] {
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{target}");
            assert!(answer.location.is_none(), "{target}");
        }
    }
    let unknown = replaced(&form, "client_id", Some("registered.AAAA"));
    assert_eq!(browser.get(&unknown).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_issuer_demands_pkce_and_a_name() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let (form, _) = browser.open(&nova.url("/page")).await;
    for (name, wrong, expected) in [
        ("code_challenge", None, "invalid_request"),
        ("code_challenge", Some("short"), "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("response_type", Some("token"), "unsupported_response_type"),
        ("resource", Some("no address"), "invalid_target"),
        (
            "resource",
            Some("https://nova.test/#here"),
            "invalid_target",
        ),
        ("scope", Some("everything"), "invalid_scope"),
    ] {
        let changed = replaced(&form, name, wrong);
        let back = browser.get(&changed).await.location();
        assert_eq!(value(&back, "error"), expected, "{name} {wrong:?}");
        assert_eq!(value(&back, "state"), value(&form, "state"));
        assert_eq!(value(&back, "iss"), nova.issuer.url());
    }
    for user in ["", "  ", "a\nb", &"x".repeat(256)] {
        let answer = browser.submit(&form, user).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{user:?}");
    }
    let mut twice = form.clone();
    twice.query_pairs_mut().append_pair("state", "another");
    assert_eq!(browser.get(&twice).await.status, StatusCode::BAD_REQUEST);
}
