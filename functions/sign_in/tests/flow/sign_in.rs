//! The way in, as it should go.

use http::StatusCode;
use serde_json::Value;

use crate::browser::Browser;
use crate::nova::Nova;

#[tokio::test]
async fn a_person_who_opens_a_page_signs_in_and_arrives_at_that_page() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let callback = browser.sign_in_until_callback(&nova, "alice").await;
    let (url, page) = browser.open(&callback).await;
    assert_eq!(url, nova.url("/page?x=1"));
    assert_eq!(page.status, StatusCode::OK);
    let page = page.json();
    assert_eq!(page["user"], "alice");
    assert_eq!(
        page["scopes"], "research:read research:run",
        "and never admin"
    );
    // The next page asks nobody.
    let again = browser.get(&nova.url("/page")).await;
    assert_eq!(again.status, StatusCode::OK);
}

#[tokio::test]
async fn two_people_in_two_browsers_stay_two() {
    let nova = Nova::start().await;
    let (mut one, mut other) = (Browser::default(), Browser::default());
    assert_eq!(one.sign_in(&nova, "alice").await.json()["user"], "alice");
    assert_eq!(other.sign_in(&nova, "bob").await.json()["user"], "bob");
    assert_eq!(one.get(&nova.url("/page")).await.json()["user"], "alice");
}

#[tokio::test]
async fn the_issuer_is_asked_with_pkce_state_nonce_and_our_resource() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let answer = browser.get(&nova.url("/sign_in?return_to=/page")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let location = answer.location();
    assert!(
        location
            .as_str()
            .starts_with(&format!("{}/authorize?", nova.issuer.url()))
    );
    let asked = |wanted: &str| {
        let found = location.query_pairs().find(|(name, _)| name == wanted);
        found
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    assert_eq!(asked("response_type"), "code");
    assert_eq!(asked("client_id"), "nova");
    assert_eq!(
        asked("redirect_uri"),
        nova.url("/sign_in/callback").as_str()
    );
    assert_eq!(asked("scope"), "openid research:read research:run");
    assert_eq!(asked("code_challenge_method"), "S256");
    assert_eq!(asked("resource"), format!("http://{}", nova.address));
    for random in ["state", "nonce", "code_challenge"] {
        assert_eq!(asked(random).len(), 43, "{random}");
    }
    let again = browser.get(&nova.url("/sign_in")).await.location();
    for random in ["state", "nonce", "code_challenge"] {
        let other = again
            .query_pairs()
            .find(|(name, _)| name == random)
            .unwrap()
            .1;
        assert_ne!(asked(random), other, "{random}");
    }
}

#[tokio::test]
async fn cookies_are_out_of_reach_of_scripts_and_other_sites_and_the_token_is_in_no_address() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let begun = browser.get(&nova.url("/sign_in")).await;
    let [attempt] = begun.set_cookies.as_slice() else {
        panic!("{:?}", begun.set_cookies)
    };
    assert!(
        attempt.ends_with("; Path=/sign_in; Max-Age=600; HttpOnly; SameSite=Lax"),
        "{attempt}"
    );
    let callback = browser.submit(&begun.location(), "alice").await.location();
    let ended = browser.get(&callback).await;
    let [session, forgotten] = ended.set_cookies.as_slice() else {
        panic!("{:?}", ended.set_cookies)
    };
    assert!(session.starts_with("nova-session=ey"), "{session}");
    assert!(session.ends_with("; HttpOnly; SameSite=Lax"), "{session}");
    let lifetime = session
        .split("Max-Age=")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    assert!(
        (3_500..=3_600).contains(&lifetime.parse::<u32>().unwrap()),
        "{lifetime}"
    );
    assert!(
        forgotten.starts_with("nova-sign-in=; Path=/sign_in; Max-Age=0;"),
        "{forgotten}"
    );
    let token = browser.cookie("nova-session").unwrap();
    for address in [begun.location(), callback, ended.location()] {
        assert!(!address.as_str().contains(&token), "{address}");
    }
    assert_eq!(ended.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn over_https_the_cookies_are_secure() {
    let settings = [("SERVER_URL", "https://nova.example")];
    let nova = Nova::with(
        nova_testkit::issuer::Client::public("nova", "Nova"),
        &settings,
    )
    .await;
    let mut browser = Browser::default();
    let begun = browser.get(&nova.url("/sign_in")).await;
    let [attempt] = begun.set_cookies.as_slice() else {
        panic!("{:?}", begun.set_cookies)
    };
    assert!(attempt.starts_with("__Secure-nova-sign-in="), "{attempt}");
    assert!(
        attempt.ends_with("; HttpOnly; SameSite=Lax; Secure"),
        "{attempt}"
    );
    let ended = browser.post(&nova.url("/sign_out"), &[]).await;
    let [session] = ended.set_cookies.as_slice() else {
        panic!("{:?}", ended.set_cookies)
    };
    assert!(
        session.starts_with("__Host-nova-session=; Path=/; Max-Age=0"),
        "{session}"
    );
}

#[tokio::test]
async fn a_sign_in_begun_on_another_name_of_this_machine_begins_where_it_will_end() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    let mut localhost = nova.url("/sign_in?return_to=%2Fpage");
    localhost.set_host(Some("localhost")).unwrap();
    let answer = browser.get(&localhost).await;
    assert_eq!(answer.location(), nova.url("/sign_in?return_to=%2Fpage"));
    assert!(answer.set_cookies.is_empty());
    let (url, form) = browser.open(&localhost).await;
    assert_eq!(form.status, StatusCode::OK);
    let callback = browser.submit(&url, "alice").await.location();
    assert_eq!(browser.open(&callback).await.0, nova.url("/page"));
}

#[tokio::test]
async fn programs_find_the_issuer_and_the_scopes() {
    let nova = Nova::start().await;
    let mut browser = Browser::default();
    for (path, resource) in [("", ""), ("/mcp", "/mcp")] {
        let url = nova.url(&format!("/.well-known/oauth-protected-resource{path}"));
        let answer = browser.get(&url).await;
        let document: Value = answer.json();
        assert_eq!(
            document["resource"],
            format!("http://{}{resource}", nova.address)
        );
        assert_eq!(
            document["authorization_servers"],
            serde_json::json!([nova.issuer.url()])
        );
        assert_eq!(
            document["scopes_supported"],
            serde_json::json!(["research:read", "research:run"])
        );
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        // Who calls it by another name is told of that, or would not believe it.
        let mut localhost = url;
        localhost.set_host(Some("localhost")).unwrap();
        let document: Value = browser.get(&localhost).await.json();
        let port = nova.address.port();
        let called = format!("http://localhost:{port}{resource}");
        assert_eq!(document["resource"], called);
    }
}

#[tokio::test]
async fn a_program_that_registers_itself_gets_a_token_that_nova_accepts() {
    let nova = Nova::start().await;
    let http = nova_runtime::HttpClient::new();
    let request = http::Request::post(format!("{}/register", nova.issuer.url()))
        .header("content-type", "application/json")
        .body(
            r#"{"client_name": "An <agent>", "redirect_uris": ["http://127.0.0.1:1/back"]}"#.into(),
        );
    let limits = nova_runtime::http_client::Limits::default();
    let registered = http.send(request.unwrap(), limits).await.unwrap();
    assert_eq!(registered.status(), StatusCode::CREATED);
    let client: Value = serde_json::from_slice(registered.body()).unwrap();
    let mut authorize = url::Url::parse(&format!("{}/authorize", nova.issuer.url())).unwrap();
    authorize.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", client["client_id"].as_str().unwrap()),
        // Another port of this machine than the registered one: RFC 8252.
        ("redirect_uri", "http://127.0.0.1:4711/back"),
        ("resource", &format!("http://{}/mcp", nova.address)),
        // The example of RFC 7636.
        (
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        ),
        ("code_challenge_method", "S256"),
    ]);
    let mut browser = Browser::default();
    let form = browser.get(&authorize).await;
    assert!(form.body.contains("An &lt;agent&gt;"), "{}", form.body);
    let back = browser.submit(&authorize, "carol").await.location();
    let code = back
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned();
    let endpoint = url::Url::parse(&format!("{}/token", nova.issuer.url())).unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://127.0.0.1:4711/back"),
        ("client_id", client["client_id"].as_str().unwrap()),
        (
            "code_verifier",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
        ("resource", &format!("http://{}/mcp", nova.address)),
    ];
    let tokens: Value = http.post_form(&endpoint, &fields, None).await.unwrap();
    assert_eq!(tokens["scope"], "research:read research:run");
    assert!(tokens.get("id_token").is_none(), "nobody asked for one");
    let request = http::Request::get(nova.url("/page").as_str())
        .header(
            "authorization",
            format!("Bearer {}", tokens["access_token"].as_str().unwrap()),
        )
        .body(bytes::Bytes::new());
    let page = http.send(request.unwrap(), limits).await.unwrap();
    let page: Value = serde_json::from_slice(page.body()).unwrap();
    assert_eq!(page["user"], "carol");
    assert_eq!(
        page["csrf"],
        Value::Null,
        "a token in the header is no browser session"
    );
}
