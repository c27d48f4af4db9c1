//! The local issuer by itself: its key, its addresses, its page.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use nova_testkit::issuer::{Client, Config, Issuer, SigningKey, refuse_on_cloud_run};
use url::Url;

fn issuer(url: &str, key_file: Option<PathBuf>) -> Issuer {
    Issuer::new(Config {
        url: Url::parse(url).unwrap(),
        key_file,
        audience: "https://nova.test".to_owned(),
        clients: vec![Client::public("nova", "Nova")],
    })
    .unwrap()
}

/// A new empty folder; the system's temporary files are swept by the system.
fn folder() -> PathBuf {
    let path = std::env::temp_dir().join(format!("nova-issuer-{}", uuid::Uuid::now_v7()));
    fs::create_dir(&path).unwrap();
    path
}

async fn ask(issuer: &Issuer, request: http::request::Builder, body: &str) -> Response<String> {
    let request: Request<Full<Bytes>> = request.body(Full::from(body.to_owned())).unwrap();
    let (parts, body) = issuer.handle(request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(parts, String::from_utf8(body.to_vec()).unwrap())
}

const AUTHORIZE: &str = "response_type=code&client_id=nova&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fback\
    &state=s%22%3E%3Cb%3E&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

#[test]
fn the_key_is_kept_for_its_owner_alone_and_found_again() {
    let folder = folder();
    let path = folder.join("issuer.pem");
    let made = SigningKey::load_or_create(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let found = SigningKey::load_or_create(&path).unwrap();
    assert_eq!(made.id(), found.id());
    assert_eq!(
        fs::read_dir(&folder).unwrap().count(),
        1,
        "no draft stays behind"
    );
    fs::write(
        &path,
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    assert!(
        SigningKey::load_or_create(&path).is_err(),
        "a broken key is not replaced in silence"
    );
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn issuers_that_start_at_once_agree_on_one_key() {
    let folder = folder();
    let path = folder.join("issuer.pem");
    let ids: Vec<String> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| SigningKey::load_or_create(&path).unwrap().id().to_owned()))
            .collect();
        starts
            .into_iter()
            .map(|start| start.join().unwrap())
            .collect()
    });
    assert!(
        ids.windows(2).all(|pair| pair.first() == pair.last()),
        "{ids:?}"
    );
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_issuer_refuses_to_run_in_the_cloud() {
    assert!(refuse_on_cloud_run(None).is_ok());
    assert!(refuse_on_cloud_run(Some("")).is_ok());
    let error = refuse_on_cloud_run(Some("mcp")).unwrap_err().to_string();
    assert!(error.contains("K_SERVICE=mcp"), "{error}");
}

#[tokio::test]
async fn it_answers_below_its_path_and_where_both_standards_look_for_metadata() {
    let mounted = issuer("http://localhost:8080/oidc", None);
    let at_root = issuer("http://127.0.0.1:9000", None);
    for (issuer, path) in [
        (&mounted, "/oidc/.well-known/openid-configuration"),
        (&mounted, "/oidc/.well-known/oauth-authorization-server"),
        (&mounted, "/.well-known/oauth-authorization-server/oidc"),
        (&mounted, "/.well-known/openid-configuration/oidc"),
        (&at_root, "/.well-known/openid-configuration"),
        (&at_root, "/.well-known/oauth-authorization-server"),
    ] {
        assert!(issuer.answers(path), "{path}");
        let answer = ask(issuer, Request::get(path), "").await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let metadata: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
        assert_eq!(metadata["issuer"], issuer.url());
        assert_eq!(metadata["jwks_uri"], format!("{}/jwks.json", issuer.url()));
    }
    for path in [
        "/",
        "/oidcx",
        "/articles",
        "/.well-known/oauth-protected-resource",
    ] {
        assert!(!mounted.answers(path), "{path}");
    }
    let answer = ask(&mounted, Request::get("/oidc/nowhere"), "").await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let answer = ask(&mounted, Request::get("/oidc/token"), "").await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_key_set_holds_public_halves_only() {
    let issuer = issuer("http://localhost:8080/oidc", None);
    issuer.rotate_to(SigningKey::test_only_rs256().unwrap());
    let answer = ask(&issuer, Request::get("/oidc/jwks.json"), "").await;
    let set: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{private}");
        }
    }
}

#[tokio::test]
async fn the_page_is_escaped_and_runs_nothing() {
    let issuer = issuer("http://localhost:8080/oidc", None);
    let answer = ask(
        &issuer,
        Request::get(format!("/oidc/authorize?{AUTHORIZE}")),
        "",
    )
    .await;
    assert_eq!(answer.status(), StatusCode::OK, "{}", answer.body());
    assert!(
        answer.body().contains("value=\"s&quot;&gt;&lt;b&gt;\""),
        "{}",
        answer.body()
    );
    let (_, rest) = answer.body().split_once("<style>").unwrap();
    let (style, _) = rest.split_once("</style>").unwrap();
    let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(
        policy.contains(&format!("style-src 'sha256-{hash}'")),
        "{policy}"
    );
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
}

#[tokio::test]
async fn a_form_is_refused_when_either_header_says_that_it_comes_from_elsewhere() {
    let issuer = issuer("http://localhost:8080/oidc", None);
    let form = format!("{AUTHORIZE}&user=alice");
    for (headers, expected) in [
        (vec![], StatusCode::SEE_OTHER),
        (
            vec![("origin", "http://localhost:8080")],
            StatusCode::SEE_OTHER,
        ),
        (
            vec![("sec-fetch-site", "same-origin")],
            StatusCode::SEE_OTHER,
        ),
        (
            vec![("origin", "https://evil.example")],
            StatusCode::BAD_REQUEST,
        ),
        (vec![("origin", "null")], StatusCode::BAD_REQUEST),
        (
            vec![("origin", "http://localhost:8081")],
            StatusCode::BAD_REQUEST,
        ),
        (
            vec![("sec-fetch-site", "cross-site")],
            StatusCode::BAD_REQUEST,
        ),
        (
            vec![("sec-fetch-site", "same-site")],
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let mut request = Request::post("/oidc/authorize");
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let answer = ask(&issuer, request, &form).await;
        assert_eq!(answer.status(), expected, "{headers:?}");
    }
}

#[tokio::test]
async fn registration_takes_addresses_to_return_to_and_nothing_that_a_browser_would_run() {
    let issuer = issuer("http://localhost:8080/oidc", None);
    for (content_type, body, expected) in [
        (
            "application/json",
            r#"{"redirect_uris":["cursor://callback"]}"#,
            StatusCode::CREATED,
        ),
        (
            "application/json",
            r#"{"redirect_uris":["javascript:alert(1)"]}"#,
            StatusCode::BAD_REQUEST,
        ),
        (
            "application/json",
            r#"{"redirect_uris":["/relative"]}"#,
            StatusCode::BAD_REQUEST,
        ),
        (
            "application/json",
            r#"{"redirect_uris":[]}"#,
            StatusCode::BAD_REQUEST,
        ),
        ("application/json", "{}", StatusCode::BAD_REQUEST),
        ("application/json", "", StatusCode::BAD_REQUEST),
        // What a page of another site can send without asking first.
        (
            "text/plain",
            r#"{"redirect_uris":["https://evil.example"]}"#,
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let request = Request::post("/oidc/register").header("content-type", content_type);
        let answer = ask(&issuer, request, body).await;
        assert_eq!(answer.status(), expected, "{content_type} {body}");
    }
}

#[tokio::test]
async fn a_program_named_by_the_address_of_its_description_returns_to_this_machine_alone() {
    let issuer = issuer("http://localhost:8080/oidc", None);
    let described = "https%3A%2F%2Fagent.example%2Fclient.json";
    let here = "http%3A%2F%2F127.0.0.1%3A1%2Fback";
    for (client, back, expected) in [
        (described, here, StatusCode::OK),
        (
            described,
            "https%3A%2F%2Fagent.example%2Fback",
            StatusCode::BAD_REQUEST,
        ),
        (
            described,
            "http%3A%2F%2Flocalhost%3A8080%2Farticles",
            StatusCode::OK,
        ),
        (
            "http%3A%2F%2Fagent.example%2Fclient.json",
            here,
            StatusCode::BAD_REQUEST,
        ),
        ("https%3A%2F%2Fagent.example", here, StatusCode::BAD_REQUEST),
        (
            "https%3A%2F%2Fnova%40agent.example%2Fc",
            here,
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let query = AUTHORIZE
            .replace("client_id=nova", &format!("client_id={client}"))
            .replace(here, back);
        let answer = ask(
            &issuer,
            Request::get(format!("/oidc/authorize?{query}")),
            "",
        )
        .await;
        assert_eq!(answer.status(), expected, "{client} {back}");
        if expected == StatusCode::OK {
            assert!(answer.body().contains("<strong>agent.example</strong>"));
        }
    }
}
