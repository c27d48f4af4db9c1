//! What a function's settings make of it.

use nova_blobs::Blobs;
use nova_runtime::{App, Config, Environment};
use nova_testkit::objects::{Config as StoreConfig, ObjectStore};

fn blobs(pairs: &[(&str, &str)]) -> Result<Blobs, String> {
    let environment =
        Environment::default().with("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    let environment = pairs
        .iter()
        .fold(environment, |environment, (name, value)| {
            environment.with(name, *value)
        });
    let app = App::new("test", Config::read(&environment).unwrap()).unwrap();
    Blobs::from_app(&app).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_bucket_must_be_named() {
    let error = blobs(&[]).err().unwrap();
    assert!(error.contains("BLOB_BUCKET"), "{error}");
}

#[tokio::test]
async fn an_emulator_is_used_with_or_without_a_scheme_and_gets_no_credentials() {
    let objects = ObjectStore::start(StoreConfig::default()).await.unwrap();
    let address = objects.url.strip_prefix("http://").unwrap();
    for host in [objects.url.as_str(), address] {
        // A metadata server that is not there would be an error, were a token wanted.
        let settings = [
            ("BLOB_BUCKET", "files"),
            ("STORAGE_EMULATOR_HOST", host),
            ("GCE_METADATA_HOST", "127.0.0.1:1"),
        ];
        let blobs = blobs(&settings).unwrap();
        assert_eq!(blobs.bucket(), "files");
        assert!(blobs.list("", None).await.unwrap().objects.is_empty());
    }
    assert_eq!(objects.seen().len(), 2);
}
