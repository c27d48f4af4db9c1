//! A function whose database is in Cloud SQL, with a stand-in for Google and for the instance.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use nova_runtime::{App, Config, Environment};
use nova_testkit::{
    cloudsql::{
        Backend, Bearer, CloudSql, Effect, Event, Fault, Instance, LoginMethod, Options, Step,
    },
    postgres::{Database, Postgres},
};

const INSTANCE: &str = "acme:europe-west1:nova";

/// An instance before a database without a schema: who is told so has logged in.
async fn instance(cloud: &CloudSql, options: Options) -> (Instance, Database) {
    let database = Postgres::shared().await.empty_database().await;
    let options = Options {
        backend: Backend::Unix(database.socket()),
        ..options
    };
    (cloud.instance(INSTANCE, options).await.unwrap(), database)
}

fn app(cloud: &CloudSql, settings: &[(&str, &str)]) -> Arc<App> {
    let environment = Environment::default()
        .with("CLOUD_SQL_INSTANCE", INSTANCE.to_owned())
        .with("SQLADMIN_BASE_URL", cloud.url())
        .with("GCE_METADATA_HOST", cloud.metadata_host());
    let environment = settings.iter().fold(environment, |all, (name, value)| {
        all.with(name, (*value).to_owned())
    });
    App::new("sample", Config::read(&environment).unwrap()).unwrap()
}

#[tokio::test]
async fn a_user_with_a_password_logs_in_without_a_login_token() {
    let cloud = CloudSql::start().await.unwrap();
    let password = ("postgres".to_owned(), "hunter2".to_owned());
    let options = Options {
        password_users: [password].into(),
        ..Options::default()
    };
    let (_instance, database) = instance(&cloud, options).await;
    let settings = [
        ("DB_USER", "postgres"),
        ("DB_PASS", "hunter2"),
        ("DB_NAME", database.name.as_str()),
    ];
    let problem = app(&cloud, &settings).require_schema().await.unwrap_err();
    assert!(
        problem.detail().contains("needs schema version"),
        "{problem}"
    );
    let by_password = |event: &Event| {
        matches!(
            event,
            Event::Login {
                how: LoginMethod::Password,
                refused: None,
                ..
            }
        )
    };
    assert!(cloud.journal().iter().any(by_password));
    for request in cloud.requests(Step::Certificate) {
        assert_eq!(request.login_token, Bearer::None);
    }
}

#[tokio::test]
async fn no_token_is_asked_for_twice() {
    let cloud = CloudSql::start().await.unwrap();
    let (_instance, _database) = instance(&cloud, Options::default()).await;
    let app = app(&cloud, &[]);
    // The schema is not there, nor is the user: the tokens were fetched on the way.
    app.require_schema().await.unwrap_err();
    app.tokens().token().await.unwrap();
    app.tokens().token().await.unwrap();
    let mut scopes: Vec<String> = cloud
        .requests(Step::Metadata)
        .iter()
        .filter(|request| request.path.ends_with("/token"))
        .map(|request| request.query.clone())
        .collect();
    let asked = scopes.len();
    scopes.sort();
    scopes.dedup();
    assert_eq!(scopes.len(), asked, "{scopes:?}");
}

#[tokio::test]
async fn the_log_says_which_instance_it_is_and_what_to_do() {
    let cloud = CloudSql::start().await.unwrap();
    let (_instance, _database) = instance(&cloud, Options::default()).await;
    let denied = Effect::Reason(403, "notAuthorized", "Permission denied");
    cloud.inject(Fault::new(Step::ConnectSettings, denied).times(9));
    let problem = app(&cloud, &[]).require_schema().await.unwrap_err();
    let causes = problem.causes().unwrap();
    assert!(causes.contains(INSTANCE), "{causes}");
    assert!(causes.contains("roles/cloudsql.client"), "{causes}");
    assert!(!problem.detail().contains("acme"), "{problem}");
}
