//! Where tokens come from: a key, a refresh token, the metadata server, another account.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nova_testkit::cloudsql::{ADMIN_SCOPE, Bearer, CLOUD_SCOPE, CloudSql, LOGIN_SCOPE, Step};
use nova_testkit::issuer::SigningKey;
use serde_json::{Value, json};

use crate::SERVICE_ACCOUNT;
use crate::wire::{Answer, get, post, post_form};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}

fn claims(cloud: &CloudSql) -> Value {
    json!({
        "iss": SERVICE_ACCOUNT,
        "aud": format!("{}/token", cloud.url()),
        "scope": LOGIN_SCOPE,
        "iat": now(),
        "exp": now() + 3_600,
    })
}

async fn exchange(cloud: &CloudSql, key: &SigningKey, claims: &Value) -> Answer {
    let header = json!({"alg": key.algorithm(), "typ": "JWT"});
    let assertion = key.sign(&header, claims);
    let form = [("grant_type", JWT_BEARER), ("assertion", &assertion)];
    post_form(&format!("{}/token", cloud.url()), &form).await
}

#[tokio::test]
async fn the_key_of_the_file_gets_tokens() {
    let cloud = CloudSql::start().await.unwrap();
    let file = cloud.key_file();
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let file: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(file["client_email"], SERVICE_ACCOUNT);
    assert_eq!(file["token_uri"], format!("{}/token", cloud.url()));
    let key = SigningKey::test_only_rs256().unwrap();
    cloud.set_token_lifetime(Duration::from_secs(90));
    let answer = exchange(&cloud, &key, &claims(&cloud)).await.json();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 90);
    assert_eq!(answer["scope"], LOGIN_SCOPE);
    assert_eq!(cloud.requests(Step::Token)[0].scopes, [LOGIN_SCOPE]);
}

#[tokio::test]
async fn what_is_wrong_with_an_assertion_is_noticed() {
    let cloud = CloudSql::start().await.unwrap();
    let right = SigningKey::test_only_rs256().unwrap();
    let other = SigningKey::generate().unwrap();
    let but = |name: &str, value: Value| {
        let mut claims = claims(&cloud);
        claims[name] = value;
        claims
    };
    for (key, claims, error) in [
        (&other, claims(&cloud), "invalid_grant"),
        (&right, but("iss", json!("who@proj.iam")), "invalid_grant"),
        (
            &right,
            but("aud", json!("https://elsewhere")),
            "invalid_grant",
        ),
        (&right, but("exp", json!(now() - 100)), "invalid_grant"),
        (&right, but("exp", json!(now() + 7_200)), "invalid_grant"),
        (&right, but("iat", json!(now() + 1_000)), "invalid_grant"),
        (&right, but("scope", json!("")), "invalid_scope"),
    ] {
        let answer = exchange(&cloud, key, &claims).await;
        assert_eq!(answer.status, 400, "{claims}");
        assert_eq!(answer.json()["error"], error, "{claims}");
    }
    let url = format!("{}/token", cloud.url());
    let unknown = post_form(&url, &[("grant_type", "password")]).await;
    assert_eq!(unknown.json()["error"], "unsupported_grant_type");
}

#[tokio::test]
async fn a_key_speaks_for_whom_it_was_made() {
    let cloud = CloudSql::start().await.unwrap();
    let key = SigningKey::test_only_rs256().unwrap();
    let other = "other@proj.iam.gserviceaccount.com";
    let mut claims = claims(&cloud);
    claims["iss"] = json!(other);
    assert_eq!(exchange(&cloud, &key, &claims).await.status, 400);
    cloud.principal(other).unwrap();
    assert_eq!(exchange(&cloud, &key, &claims).await.status, 200);
    claims["iss"] = json!(SERVICE_ACCOUNT);
    assert_eq!(exchange(&cloud, &key, &claims).await.status, 200);
    let file = std::fs::read_to_string(cloud.key_file()).unwrap();
    assert!(file.contains(other) && !file.contains(SERVICE_ACCOUNT));
}

#[tokio::test]
async fn a_refresh_token_gets_what_was_asked_for() {
    let cloud = CloudSql::start().await.unwrap();
    let file = std::fs::read(cloud.user_file()).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    let url = file["token_uri"].as_str().unwrap();
    let refresh = file["refresh_token"].as_str().unwrap();
    let narrow = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh),
        ("scope", LOGIN_SCOPE),
    ];
    let answer = post_form(url, &narrow).await.json();
    assert_eq!(answer["scope"], LOGIN_SCOPE);
    let broad = post_form(url, &narrow[..2]).await.json();
    assert!(broad["scope"].as_str().unwrap().contains(CLOUD_SCOPE));
    let wrong = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    assert_eq!(
        post_form(url, &wrong).await.json()["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn a_subject_token_is_exchanged_for_what_was_asked_for() {
    let cloud = CloudSql::start().await.unwrap();
    let file = std::fs::read(cloud.external_file()).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    let subject = std::fs::read_to_string(file["credential_source"]["file"].as_str().unwrap());
    let subject = subject.unwrap();
    let url = file["token_url"].as_str().unwrap();
    let form = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        ("audience", file["audience"].as_str().unwrap()),
        (
            "subject_token_type",
            file["subject_token_type"].as_str().unwrap(),
        ),
        ("subject_token", subject.trim()),
        ("scope", LOGIN_SCOPE),
    ];
    let answer = post_form(url, &form).await.json();
    assert_eq!(answer["expires_in"], 3_600);
    assert_eq!(cloud.requests(Step::Exchange)[0].scopes, [LOGIN_SCOPE]);
    for (name, error) in [
        ("grant_type", "unsupported_grant_type"),
        ("audience", "invalid_target"),
        ("subject_token", "invalid_grant"),
        ("scope", "invalid_scope"),
    ] {
        let without: Vec<_> = form.into_iter().filter(|(it, _)| *it != name).collect();
        assert_eq!(post_form(url, &without).await.json()["error"], error);
    }
}

async fn metadata(cloud: &CloudSql, path: &str) -> Answer {
    let url = format!("http://{}{path}", cloud.metadata_host());
    get(&url, &[("metadata-flavor", "Google")]).await.unwrap()
}

const TOKEN: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

#[tokio::test]
async fn the_metadata_server_says_who_runs_here() {
    let cloud = CloudSql::start().await.unwrap();
    let accounts = "/computeMetadata/v1/instance/service-accounts";
    for (path, text) in [
        ("/", "computeMetadata/\n"),
        ("/computeMetadata/v1/project/project-id", "proj"),
        (&format!("{accounts}/default/email"), SERVICE_ACCOUNT),
        (
            &format!("{accounts}/{SERVICE_ACCOUNT}/email"),
            SERVICE_ACCOUNT,
        ),
    ] {
        let answer = metadata(&cloud, path).await;
        assert_eq!((answer.status, &*answer.text), (200, text), "{path}");
        assert_eq!(answer.headers["metadata-flavor"], "Google");
    }
    let account = metadata(&cloud, &format!("{accounts}/default/?recursive=true")).await;
    assert_eq!(account.json()["email"], SERVICE_ACCOUNT);
    let stranger = metadata(&cloud, &format!("{accounts}/who@else/email")).await;
    assert_eq!(stranger.status, 404);
    let bare = get(&format!("{}{TOKEN}", cloud.url()), &[]).await.unwrap();
    assert_eq!(bare.status, 403, "the header is missing");
}

#[tokio::test]
async fn the_metadata_server_hands_out_a_token_until_its_last_minutes() {
    let cloud = CloudSql::start().await.unwrap();
    let token = async |scopes: &str| {
        let answer = metadata(&cloud, &format!("{TOKEN}{scopes}")).await.json();
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let first = token("").await;
    assert_eq!(token("").await, first);
    let login = format!("?scopes={LOGIN_SCOPE}");
    assert_ne!(token(&login).await, first);
    let requests = cloud.requests(Step::Metadata);
    assert_eq!(requests[0].scopes, [CLOUD_SCOPE]);
    assert_eq!(requests[2].scopes, [LOGIN_SCOPE]);
    cloud.set_token_lifetime(Duration::from_mins(4));
    assert_ne!(token("").await, token("").await);
    let both = format!("?scopes={LOGIN_SCOPE},{ADMIN_SCOPE}");
    token(&both).await;
    let last = cloud.requests(Step::Metadata).pop().unwrap();
    assert_eq!(last.scopes, [LOGIN_SCOPE, ADMIN_SCOPE]);
}

#[tokio::test]
async fn a_chain_of_accounts_needs_each_link() {
    let cloud = CloudSql::start().await.unwrap();
    let caller = cloud.token("me@example.com", &[CLOUD_SCOPE]);
    let (middle, target) = ("middle@proj.iam", "target@proj.iam");
    let url = format!(
        "{}/v1/projects/-/serviceAccounts/{target}:generateAccessToken",
        cloud.url()
    );
    let wanted = json!({
        "delegates": [format!("projects/-/serviceAccounts/{middle}")],
        "scope": [LOGIN_SCOPE],
        "lifetime": "600s",
    });
    cloud.allow_impersonation("me@example.com", middle);
    assert_eq!(post(&url, &caller, &wanted).await.unwrap().status, 403);
    cloud.allow_impersonation(middle, target);
    let answer = post(&url, &caller, &wanted).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.json()["expireTime"].as_str().unwrap().ends_with('Z'));
    let direct = json!({"scope": [LOGIN_SCOPE]});
    assert_eq!(post(&url, &caller, &direct).await.unwrap().status, 403);
    let narrow = cloud.token("me@example.com", &[LOGIN_SCOPE]);
    assert_eq!(
        post(&url, &narrow, &wanted).await.unwrap().reason(),
        "insufficientPermissions"
    );
    let got = answer.json()["accessToken"].as_str().unwrap().to_owned();
    let shown = format!("Bearer {got}");
    get(&format!("{}/x", cloud.url()), &[("authorization", &shown)])
        .await
        .unwrap();
    let seen = cloud.journal().pop().unwrap();
    let nova_testkit::cloudsql::Event::Request(seen) = seen else {
        panic!("{seen:?}")
    };
    let Bearer::Known {
        principal,
        scopes,
        expires,
    } = seen.bearer
    else {
        panic!("{seen:?}")
    };
    assert_eq!(
        (&*principal, &scopes[..]),
        (target, &[LOGIN_SCOPE.to_owned()][..])
    );
    assert!(expires <= SystemTime::now() + Duration::from_mins(10));
}
