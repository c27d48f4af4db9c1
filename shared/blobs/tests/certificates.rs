//! A machine without CA certificates, such as a bare container. The process's environment says so, hence a process
//! of its own.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use nova_blobs::{BlobRef, Blobs, Error, Settings};
use nova_runtime::http_client::HttpClient;
use nova_runtime::tokens::TokenSource;
use nova_store::Store;
use nova_testkit::objects::{Config, ObjectStore};
use sqlx::PgPool;

const INSIDE: &str = "NOVA_TEST_WITHOUT_CERTIFICATES";

#[test]
fn without_certificates_the_error_says_what_to_install() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "without_certificates_the_error_says_what_to_install",
            "--nocapture",
        ])
        .env(INSIDE, "1")
        .env("SSL_CERT_FILE", "/nonexistent/certificates.pem")
        .env("SSL_CERT_DIR", "/nonexistent")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::main(flavor = "current_thread")]
async fn inside() {
    let objects = ObjectStore::start(Config::default()).await.unwrap();
    let store = Store::new(PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap());
    let settings = Settings::new("nova-files", Some(objects.url.parse().unwrap()));
    let blobs = Blobs::open(settings, HttpClient::new(), TokenSource::anonymous(), store);
    let blob = BlobRef {
        id: uuid::Uuid::now_v7(),
        bucket: "nova-files".to_owned(),
        object_name: "v1/x".to_owned(),
        content_type: String::new(),
        size: 1,
        crc32c: 0,
        generation: 1,
    };
    let Err(Error::Other(cause)) = blobs.read(&blob, None).await else {
        panic!("the client cannot be made without certificates");
    };
    assert!(cause.to_string().contains("ca-certificates"), "{cause}");
    // Metadata calls do not need them.
    assert!(matches!(
        blobs.stat("nova-files", "v1/x").await,
        Err(Error::NotFound { .. })
    ));
}
