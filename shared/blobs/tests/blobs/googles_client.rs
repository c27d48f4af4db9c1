//! Why large uploads do not go through Google's client. When this test fails, the reason is gone: see whether
//! `session.rs` can go too.

use google_cloud_auth::credentials::anonymous;
use google_cloud_storage::client::Storage;
use google_cloud_storage::streaming_source::StreamingSource;
use nova_testkit::objects::{Action, Config, Effect, Fault, ObjectStore};

use crate::support::{BUCKET, MIB, pattern};

struct Unknown(Vec<bytes::Bytes>);

impl StreamingSource for Unknown {
    type Error = std::io::Error;

    async fn next(&mut self) -> Option<Result<bytes::Bytes, Self::Error>> {
        (!self.0.is_empty()).then(|| Ok(self.0.remove(0)))
    }
}

#[tokio::test]
async fn googles_client_loses_a_chunk_when_the_connection_breaks_within_it() {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let objects = ObjectStore::start(Config::default()).await.unwrap();
    let client = Storage::builder()
        .with_endpoint(&objects.url)
        .with_credentials(anonymous::Builder::new().build())
        .build()
        .await
        .unwrap();
    let body = pattern(24 * MIB);
    objects.inject(
        Fault::new(Effect::CutBefore)
            .on(Action::ContinueSession)
            .after(1),
    );
    let pieces = body
        .chunks(MIB)
        .map(|piece| body.slice_ref(piece))
        .collect();
    let sending = client
        .write_object(
            format!("projects/_/buckets/{BUCKET}"),
            "lost",
            Unknown(pieces),
        )
        .send_buffered();
    let outcome = Box::pin(sending).await;
    assert!(outcome.is_err(), "it notices afterwards");
    let objects = objects.objects(BUCKET);
    assert_eq!(
        objects.first().map(|object| object.size),
        Some(16 * MIB as u64),
        "of 24 MiB"
    );
}
