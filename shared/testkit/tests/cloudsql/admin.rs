//! The Admin API: who may use it, and what it says.

use nova_testkit::cloudsql::{
    ADMIN_SCOPE, Bearer, CLOUD_SCOPE, CaMode, CloudSql, Connection, DnsName, LOGIN_SCOPE, Options,
    Step,
};
use serde_json::json;

use crate::wire::{Answer, get, post, settings};
use crate::{NAME, SERVICE_ACCOUNT};

const SETTINGS: &str = "/sql/v1beta4/projects/proj/instances/main/connectSettings";

async fn ask(cloud: &CloudSql, path: &str, token: &str) -> Answer {
    let token = format!("Bearer {token}");
    let url = format!("{}{path}", cloud.url());
    get(&url, &[("authorization", &token)]).await.unwrap()
}

#[tokio::test]
async fn only_tokens_for_the_admin_api_open_it() {
    let cloud = CloudSql::start().await.unwrap();
    cloud.instance(NAME, Options::default()).await.unwrap();
    let without = get(&format!("{}{SETTINGS}", cloud.url()), &[])
        .await
        .unwrap();
    assert_eq!(
        (without.status, without.reason()),
        (401, "authError".to_owned())
    );
    assert_eq!(ask(&cloud, SETTINGS, "invented").await.status, 401);
    for (scopes, status) in [
        (&[ADMIN_SCOPE][..], 200),
        (&[CLOUD_SCOPE][..], 200),
        (&[LOGIN_SCOPE, ADMIN_SCOPE][..], 200),
        (&[LOGIN_SCOPE][..], 403),
        (&[][..], 403),
    ] {
        let token = cloud.token(SERVICE_ACCOUNT, scopes);
        assert_eq!(
            ask(&cloud, SETTINGS, &token).await.status,
            status,
            "{scopes:?}"
        );
    }
    let token = cloud.token(SERVICE_ACCOUNT, &[ADMIN_SCOPE]);
    cloud.revoke_tokens();
    assert_eq!(ask(&cloud, SETTINGS, &token).await.status, 401);
}

#[tokio::test]
async fn an_unknown_instance_is_not_found() {
    let cloud = CloudSql::start().await.unwrap();
    let token = cloud.token(SERVICE_ACCOUNT, &[ADMIN_SCOPE]);
    let answer = ask(&cloud, SETTINGS, &token).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.reason(), "instanceDoesNotExist");
    let instance = cloud.instance(NAME, Options::default()).await.unwrap();
    assert_eq!(ask(&cloud, SETTINGS, &token).await.status, 200);
    instance.delete();
    assert_eq!(ask(&cloud, SETTINGS, &token).await.status, 404);
}

#[tokio::test]
async fn an_instance_takes_the_place_of_one_with_its_name() {
    let cloud = CloudSql::start().await.unwrap();
    let token = cloud.token(SERVICE_ACCOUNT, &[ADMIN_SCOPE]);
    let former = cloud.instance(NAME, Options::default()).await.unwrap();
    let moved = "proj:us-central1:main";
    cloud.instance(moved, Options::default()).await.unwrap();
    let said = ask(&cloud, SETTINGS, &token).await;
    assert_eq!(said.json()["region"], "us-central1");
    former.delete();
    assert_eq!(ask(&cloud, SETTINGS, &token).await.status, 200);
}

#[tokio::test]
async fn an_instance_is_described() {
    let cloud = CloudSql::start().await.unwrap();
    let instance = cloud
        .instance(
            NAME,
            Options {
                private: true,
                psc: true,
                dns_name: Some("old.example.".to_owned()),
                dns_names: vec![DnsName::new(Connection::Psc, "new.example.")],
                ..Options::default()
            },
        )
        .await
        .unwrap();
    let mut said = settings(&cloud, &instance).await;
    let ca = said["serverCaCert"].take();
    assert!(
        ca["cert"]
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    assert!(ca["expirationTime"].as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "kind": "sql#connectSettings",
        "region": "europe-west1",
        "databaseVersion": "POSTGRES_16",
        "backendType": "SECOND_GEN",
        "pscEnabled": true,
        "dnsName": "old.example.",
        "dnsNames": [{
            "name": "new.example.",
            "connectionType": "PRIVATE_SERVICE_CONNECT",
            "dnsScope": "INSTANCE",
            "recordManager": "CLOUD_SQL_AUTOMATION",
        }],
        "serverCaMode": "GOOGLE_MANAGED_INTERNAL_CA",
        "serverCaCert": null,
        "ipAddresses": [
            {"type": "PRIMARY", "ipAddress": instance.address().ip()},
            {"type": "PRIVATE", "ipAddress": instance.private_address().unwrap().ip()},
        ],
    });
    assert_eq!(said, expected);
}

#[tokio::test]
async fn the_project_of_a_domain_is_understood() {
    let cloud = CloudSql::start().await.unwrap();
    let name = "example.com:proj:europe-west1:main";
    cloud.instance(name, Options::default()).await.unwrap();
    let token = cloud.token(SERVICE_ACCOUNT, &[ADMIN_SCOPE]);
    for project in ["example.com:proj", "example.com%3Aproj"] {
        let path = format!("/sql/v1beta4/projects/{project}/instances/main/connectSettings");
        assert_eq!(ask(&cloud, &path, &token).await.status, 200);
    }
    let nameless = cloud.instance("proj:main", Options::default()).await;
    assert!(nameless.is_err());
}

#[tokio::test]
async fn a_dns_name_leads_to_its_instance() {
    let cloud = CloudSql::start().await.unwrap();
    let options = Options {
        ca_mode: CaMode::Cas,
        ..Options::default()
    };
    let instance = cloud.instance(NAME, options).await.unwrap();
    let [name] = &instance.dns_names()[..] else {
        panic!("one name is made up: {instance:?}")
    };
    assert!(name.ends_with(".global.europe-west1.sql.goog."), "{name}");
    let token = cloud.token(SERVICE_ACCOUNT, &[ADMIN_SCOPE]);
    let resolve = async |region: &str, name: &str| {
        let path = format!("/sql/v1beta4/locations/{region}/dns/{name}:resolveConnectSettings");
        ask(&cloud, &path, &token).await
    };
    let found = resolve("europe-west1", name).await;
    assert_eq!(found.json()["connectionName"], NAME);
    assert_eq!(resolve("us-central1", name).await.status, 404);
    assert_eq!(resolve("europe-west1", "other.example.").await.status, 404);
    let without_dot = name.trim_end_matches('.');
    assert_eq!(resolve("europe-west1", without_dot).await.status, 400);
}

#[tokio::test]
async fn a_key_is_signed_under_both_labels() {
    let cloud = CloudSql::start().await.unwrap();
    cloud.instance(NAME, Options::default()).await.unwrap();
    let token = cloud.token(SERVICE_ACCOUNT, &[ADMIN_SCOPE]);
    let url = format!(
        "{}/sql/v1beta4/projects/proj/instances/main:generateEphemeralCert",
        cloud.url()
    );
    let pem = rcgen::KeyPair::generate().unwrap().public_key_pem();
    for (key, status) in [
        (pem.clone(), 200),
        (pem.replace("PUBLIC KEY", "RSA PUBLIC KEY"), 200),
        (pem.replace("PUBLIC KEY", "PRIVATE KEY"), 400),
        ("nonsense".to_owned(), 400),
    ] {
        let answer = post(&url, &token, &json!({"public_key": key}))
            .await
            .unwrap();
        assert_eq!(answer.status, status, "{key}");
    }
    let answer = post(&url, &token, &json!({"publicKey": pem}))
        .await
        .unwrap();
    assert_eq!(answer.status, 400, "the name is in snake case");
}

#[tokio::test]
async fn the_journal_tells_who_asked_and_keeps_no_secret() {
    let cloud = CloudSql::start().await.unwrap();
    cloud.instance(NAME, Options::default()).await.unwrap();
    let token = cloud.token(SERVICE_ACCOUNT, &[ADMIN_SCOPE]);
    let url = format!("{}{SETTINGS}?alt=json", cloud.url());
    let headers = [
        ("authorization", &*format!("Bearer {token}")),
        ("user-agent", "cloud-sql-test/1"),
        ("x-goog-user-project", "billed"),
    ];
    get(&url, &headers).await.unwrap();
    let [request] = &cloud.requests(Step::ConnectSettings)[..] else {
        panic!("one request was made: {:?}", cloud.journal())
    };
    assert_eq!(
        (request.path.as_str(), request.query.as_str()),
        (SETTINGS, "alt=json")
    );
    assert_eq!(request.header("user-agent"), "cloud-sql-test/1");
    assert_eq!(request.header("x-goog-user-project"), "billed");
    assert_eq!(request.status, Some(200));
    assert!(request.answered >= Some(request.arrived));
    let Bearer::Known {
        principal, scopes, ..
    } = &request.bearer
    else {
        panic!("{:?}", request.bearer)
    };
    assert_eq!(
        (principal.as_str(), &scopes[..]),
        (SERVICE_ACCOUNT, &[ADMIN_SCOPE.to_owned()][..])
    );
    let shown = format!("{:?} {cloud:?}", cloud.journal());
    assert!(!shown.contains(&token), "{shown}");
}
