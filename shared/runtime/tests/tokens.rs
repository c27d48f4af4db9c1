//! [`TokenSource`]: whose tokens it hands out. How they are kept is the connector's, and tested there.

use nova_runtime::{config::GoogleCredentials, tokens::TokenSource};
use nova_testkit::cloudsql::{CLOUD_SCOPE, CloudSql, Effect, Fault, Step};

#[tokio::test]
async fn an_anonymous_source_has_no_token_and_nothing_prints_a_secret() {
    assert!(TokenSource::anonymous().token().await.unwrap().is_none());
    let fixed = TokenSource::fixed("ya29.secret");
    let token = fixed.token().await.unwrap().unwrap();
    assert_eq!(token.secret(), "ya29.secret");
    let printed = format!("{fixed:?} {token:?}");
    assert!(!printed.contains("ya29"), "{printed}");
}

#[tokio::test]
async fn a_key_file_is_used_by_signing_a_request_for_a_token_and_its_token_is_kept() {
    let cloud = CloudSql::start().await.unwrap();
    let tokens = TokenSource::new(&GoogleCredentials::KeyFile(cloud.key_file())).unwrap();
    let first = tokens.token().await.unwrap().unwrap();
    let again = tokens.clone().token().await.unwrap().unwrap();
    assert_eq!(first.secret(), again.secret());
    let requests = cloud.requests(Step::Token);
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests.first().unwrap().scopes, [CLOUD_SCOPE]);
}

#[tokio::test]
async fn the_metadata_server_is_asked_where_the_settings_say_it_is() {
    let cloud = CloudSql::start().await.unwrap();
    let credentials = GoogleCredentials::MetadataServer(Some(cloud.metadata_host()));
    let tokens = TokenSource::new(&credentials).unwrap();
    assert!(tokens.token().await.unwrap().is_some());
    assert_eq!(cloud.count(Step::Metadata), 1);
}

#[test]
fn a_key_file_that_is_not_there_stops_the_program_at_start() {
    let nowhere = GoogleCredentials::KeyFile("/nowhere/key.json".into());
    let error = TokenSource::new(&nowhere).unwrap_err().to_string();
    assert!(
        error.starts_with("GOOGLE_APPLICATION_CREDENTIALS: "),
        "{error}"
    );
    assert!(error.contains("/nowhere/key.json"), "{error}");
}

#[tokio::test]
async fn a_token_that_cannot_be_had_is_an_error_without_the_key() {
    let cloud = CloudSql::start().await.unwrap();
    cloud.inject(Fault::new(Step::Token, Effect::Status(403)));
    let tokens = TokenSource::new(&GoogleCredentials::KeyFile(cloud.key_file())).unwrap();
    let error = tokens.token().await.unwrap_err();
    let printed = format!("{error} {error:?}");
    assert!(!printed.contains("PRIVATE KEY"), "{printed}");
}
