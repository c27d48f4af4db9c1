//! The proof that the fake is worth something: Google's connector for Python, unmodified, runs a query through it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nova_testkit::cloudsql::{
    ADMIN_SCOPE, Backend, Bearer, CaMode, CloudSql, Event, Instance, LOGIN_SCOPE, LoginMethod,
    Options, Step,
};
use nova_testkit::postgres::Database;
use tokio::task::spawn_blocking;

use crate::{NAME, SERVICE_ACCOUNT, USER, database};

/// The interpreter of the environment that holds the connector.
fn python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Where it is relative, cargo means the root, too.
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let python = root
        .join(target)
        .join("tools/cloud-sql-python-connector/bin/python");
    assert!(
        python.exists(),
        "Google's connector is not installed: run `make cloud-sql-python-connector`, a prerequisite of \
         `make test`; it makes {}",
        python.display()
    );
    python
}

/// Where the connector gets its tokens.
#[derive(Clone, Copy, PartialEq)]
enum Credentials {
    KeyFile,
    MetadataServer,
}

async fn current_user(cloud: &CloudSql, database: &Database, credentials: Credentials) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloudsql/official_connector.py");
    let mut run = Command::new(python());
    run.arg(script)
        .arg(cloud.url())
        .args([NAME, USER, &database.name])
        .stdin(Stdio::null());
    match credentials {
        Credentials::KeyFile => run.arg(cloud.key_file()),
        Credentials::MetadataServer => run.env("GCE_METADATA_HOST", cloud.metadata_host()),
    };
    let output = spawn_blocking(move || run.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{complaint}\n{:#?}",
        cloud.journal()
    );
    said
}

async fn instance(cloud: &CloudSql, database: &Database, ca_mode: CaMode) -> Instance {
    let options = Options {
        backend: Backend::Unix(database.socket()),
        iam_users: vec![USER.to_owned()],
        ca_mode,
        ..Options::default()
    };
    cloud.instance(NAME, options).await.unwrap()
}

/// Runs the query, and looks at what the connector did on its way.
async fn run(ca_mode: CaMode, credentials: Credentials) -> CloudSql {
    let cloud = CloudSql::start().await.unwrap();
    let database = database().await;
    instance(&cloud, &database, ca_mode).await;
    assert_eq!(current_user(&cloud, &database, credentials).await, USER);
    check(&cloud);
    cloud
}

#[tokio::test(flavor = "multi_thread")]
async fn googles_own_connector_runs_a_query_where_an_instance_has_its_own_authority() {
    let cloud = run(CaMode::Internal, Credentials::KeyFile).await;
    assert_eq!(cloud.count(Step::Token), 2, "one token for each scope");
}

#[tokio::test(flavor = "multi_thread")]
async fn googles_own_connector_runs_a_query_where_a_region_shares_one() {
    let cloud = run(CaMode::Cas, Credentials::KeyFile).await;
    assert_eq!(cloud.count(Step::Metadata), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn googles_own_connector_runs_a_query_on_a_machine_of_googles() {
    let cloud = run(CaMode::CustomerCas, Credentials::MetadataServer).await;
    assert_eq!(cloud.count(Step::Token), 0);
}

/// It asked for each thing once, with the scopes that it takes, and nothing was refused.
fn check(cloud: &CloudSql) {
    for step in [Step::ConnectSettings, Step::Certificate] {
        let [request] = &cloud.requests(step)[..] else {
            panic!("{step:?} is asked for once: {:#?}", cloud.journal())
        };
        assert_eq!(request.status, Some(200));
        let agent = request.header("user-agent");
        assert!(agent.starts_with("cloud-sql-python-connector/"), "{agent}");
        assert_eq!(
            scopes(&request.bearer),
            (SERVICE_ACCOUNT, &[ADMIN_SCOPE.to_owned()][..])
        );
    }
    let certificate = &cloud.requests(Step::Certificate)[0];
    let login = scopes(&certificate.login_token);
    assert_eq!(login, (SERVICE_ACCOUNT, &[LOGIN_SCOPE.to_owned()][..]));
    let (mut shaken, mut logins) = (Vec::new(), Vec::new());
    for event in cloud.journal() {
        match event {
            Event::Handshake { version, error, .. } => shaken.push((version, error)),
            Event::Login {
                user, how, refused, ..
            } => logins.push((user, how, refused)),
            _ => {}
        }
    }
    assert_eq!(shaken, [(Some("TLSv1_3".to_owned()), None)]);
    assert_eq!(logins, [(USER.to_owned(), LoginMethod::Certificate, None)]);
}

fn scopes(bearer: &Bearer) -> (&str, &[String]) {
    match bearer {
        Bearer::Known {
            principal, scopes, ..
        } => (principal, scopes),
        other => panic!("{other:?}"),
    }
}
