//! The main job with the database in Cloud SQL: the connector on this side, on the other a stand-in
//! for Google's API and for the instance's proxy, in front of the test's own `PostgreSQL`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use http::StatusCode;
use nova_testkit::{
    cloudsql::{
        Backend, Bearer, CaMode, CloudSql, Effect, Event, Fault, Instance, LOGIN_SCOPE,
        LoginMethod, Options, Step,
    },
    postgres::Database,
};
use uuid::Uuid;

use crate::system::System;

const INSTANCE: &str = "nova:europe-west1:main";

/// Long enough for each step of the job on a busy machine.
const LIFETIME: Duration = Duration::from_secs(5);
/// Certificates, tokens, and the seconds in which a pool lends a connection unpinged, have ended.
const UNTIL_ALL_HAS_ENDED: Duration = Duration::from_secs(6);

/// Each family's service account; `PostgreSQL` knows it by the same name.
const ACCOUNTS: [&str; 8] = [
    "analytics@nova.local",
    "articles@nova.local",
    "download@nova.local",
    "health@nova.local",
    "mcp@nova.local",
    "research@nova.local",
    "upload@nova.local",
    "usage@nova.local",
];

struct InCloudSql {
    system: System,
    cloud: CloudSql,
    instance: Instance,
}

impl InCloudSql {
    /// Each family of functions has the key of a service account of its own. One is also told its
    /// name by `DB_USER`; the others find out who they are.
    async fn start() -> Self {
        let cloud = CloudSql::start().await.unwrap();
        cloud.set_token_lifetime(LIFETIME);
        cloud.set_certificate_lifetime(LIFETIME);
        let database = System::database().await;
        let options = Options {
            backend: Backend::Unix(database.socket()),
            ca_mode: CaMode::Cas,
            iam_users: ACCOUNTS.map(str::to_owned).to_vec(),
            ..Options::default()
        };
        let instance = cloud.instance(INSTANCE, options).await.unwrap();
        let keys: BTreeMap<&str, PathBuf> = ACCOUNTS
            .into_iter()
            .map(|account| (account, key_of(&cloud, account)))
            .collect();
        let way = |database: &Database, login: &str| {
            let mut settings = vec![
                ("CLOUD_SQL_INSTANCE", INSTANCE.to_owned()),
                ("CLOUD_SQL_REFRESH", "lazy".to_owned()),
                ("SQLADMIN_BASE_URL", cloud.url()),
                ("DB_NAME", database.name.clone()),
                (
                    "GOOGLE_APPLICATION_CREDENTIALS",
                    keys[login].display().to_string(),
                ),
            ];
            if login == "download@nova.local" {
                settings.push(("DB_USER", login.to_owned()));
            }
            settings
        };
        let system = System::start_on(database, &way, &[], false).await;
        Self {
            system,
            cloud,
            instance,
        }
    }

    async fn extract(&self, article: Uuid) {
        let found = self
            .system
            .tool("alice", "extract_guidelines_urls", article)
            .await;
        assert_eq!(found.status, StatusCode::OK, "{found:?}");
        assert_eq!(found.json()["web_sources_count"], 1);
    }

    async fn compile_and_download(&self, article: Uuid) {
        let system = &self.system;
        let compiled = system.tool("alice", "create_research_file", article).await;
        assert_eq!(compiled.status, StatusCode::OK, "{compiled:?}");
        let path = format!("/download_research?article_guideline_id={article}");
        let file = system.get("alice", &path).await;
        assert_eq!(file.status, StatusCode::OK, "{file:?}");
        assert!(file.text().starts_with("# Research\n"), "{file:?}");
    }

    /// When each login token ended that came with a certificate's request of this account.
    fn login_tokens_of(&self, account: &str) -> Vec<SystemTime> {
        let certificates = self.cloud.requests(Step::Certificate).into_iter();
        let tokens = certificates.filter_map(|request| match request.login_token {
            Bearer::Known {
                principal,
                scopes,
                expires,
            } => {
                assert_eq!(scopes, [LOGIN_SCOPE], "of {principal}");
                (principal == account).then_some(expires)
            }
            other => panic!("a certificate for {other:?}"),
        });
        tokens.collect()
    }
}

/// The key that the service account's functions are given.
fn key_of(cloud: &CloudSql, account: &str) -> PathBuf {
    cloud.principal(account).unwrap();
    // Beside the fake's own, which is the next account's in a moment; both go with the fake.
    let key = cloud.key_file().with_file_name(account);
    std::fs::copy(cloud.key_file(), &key).unwrap();
    key
}

#[tokio::test]
async fn the_main_job_goes_on_when_tokens_and_certificates_end_and_the_instance_fails_over() {
    let nova = InCloudSql::start().await;
    assert_eq!(
        nova.cloud.journal().len(),
        0,
        "nothing is fetched before a request needs it"
    );
    let guideline = "# One\n\nhttps://example.com/a";
    let article = nova.system.upload("alice", guideline).await;
    nova.extract(article).await;
    for account in ["upload@nova.local", "research@nova.local"] {
        assert_eq!(nova.login_tokens_of(account).len(), 1, "{account}");
    }

    let before = nova.cloud.journal().len();
    tokio::time::sleep(UNTIL_ALL_HAS_ENDED).await;
    assert_eq!(
        nova.cloud.journal().len(),
        before,
        "nothing is refreshed that nobody needs"
    );
    nova.instance.disconnect_all();

    // One article in the middle of the job, and one from its beginning: by functions that were
    // connected, and by functions that were not.
    nova.compile_and_download(article).await;
    let another = nova.system.upload("alice", guideline).await;
    nova.extract(another).await;
    nova.compile_and_download(another).await;

    let [first, second] = nova.login_tokens_of("upload@nova.local")[..] else {
        panic!("{:?}", nova.cloud.journal());
    };
    assert!(
        first + LIFETIME < second,
        "a token of its own: {first:?}, {second:?}"
    );
    // Two functions, of which one had a certificate before.
    assert_eq!(nova.login_tokens_of("research@nova.local").len(), 3);
    assert_eq!(nova.login_tokens_of("download@nova.local").len(), 1);

    let mut users = BTreeSet::new();
    for event in nova.cloud.journal() {
        match event {
            Event::Handshake { version, error, .. } => {
                assert_eq!((version.as_deref(), error), (Some("TLSv1_3"), None));
            }
            Event::Login {
                user,
                how,
                refused,
                database,
                ..
            } => {
                assert_eq!((how, refused), (LoginMethod::Certificate, None), "{user}");
                assert_eq!(database, nova.system.database.name);
                users.insert(user);
            }
            Event::Request(request) => assert_eq!(request.status, Some(200), "{request:?}"),
            _ => {}
        }
    }
    let expected = [
        "download@nova.local",
        "research@nova.local",
        "upload@nova.local",
    ];
    assert_eq!(users, expected.map(str::to_owned).into());
    nova.system.local.stop().await;
}

#[tokio::test]
async fn a_user_is_told_to_come_back_and_not_what_is_wrong_with_the_instance() {
    let nova = InCloudSql::start().await;
    let reason = "Permission cloudsql.instances.get denied";
    let denied = Effect::Reason(403, "notAuthorized", reason);
    nova.cloud
        .inject(Fault::new(Step::ConnectSettings, denied).times(100));
    let answer = nova.system.post_guideline("alice", "# One", &[]).await;
    answer.is_problem(StatusCode::SERVICE_UNAVAILABLE, "database");
    assert!(!answer.text().contains("cloudsql"), "{answer:?}");
    assert!(!answer.text().contains("europe-west1"), "{answer:?}");
    nova.system.local.stop().await;
}
