//! Google's storage client, built at first use and with settings that were chosen.

use std::time::Duration;

use google_cloud_auth::credentials::{CacheableResource, CredentialsProvider, EntityTag};
use google_cloud_auth::errors::CredentialsError;
use google_cloud_gax::exponential_backoff::ExponentialBackoffBuilder;
use google_cloud_gax::retry_policy::RetryPolicyExt as _;
use google_cloud_storage::client::Storage;
use google_cloud_storage::read_resume_policy::{ReadResumePolicyExt as _, Recommended};
use google_cloud_storage::retry_policy::RetryableErrors;
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, HeaderValue};
use nova_runtime::log;
use nova_runtime::tokens::TokenSource;
use tokio::sync::OnceCell;

use crate::write::ONE_SHOT_BYTES;
use crate::{Error, Settings};

/// The first wait before a retry, and the longest. The crate's own, one second to one minute, are made for batch
/// jobs: a person is waiting here, and most 503s of Cloud Storage are gone after a moment.
pub(crate) const FIRST_BACKOFF: Duration = Duration::from_millis(100);
pub(crate) const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// How often a download that broke off is taken up where it ended. Without a limit, a proxy that cuts every
/// connection after some bytes would be asked for ever.
const RESUMES: u32 = 8;

/// The client, once somebody needs it.
#[derive(Default)]
pub(crate) struct Lazy(OnceCell<Storage>);

impl Lazy {
    pub(crate) async fn get(
        &self,
        config: &Settings,
        tokens: &TokenSource,
    ) -> Result<&Storage, Error> {
        self.0.get_or_try_init(|| build(config, tokens)).await
    }
}

async fn build(config: &Settings, tokens: &TokenSource) -> Result<Storage, Error> {
    // The crate's HTTP client takes the process's default provider and panics where there is none. Somebody
    // else may have installed one, which is as good.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let backoff = ExponentialBackoffBuilder::new()
        .with_initial_delay(FIRST_BACKOFF)
        .with_maximum_delay(LONGEST_BACKOFF)
        .build()
        .map_err(|error| Error::Other(error.into()))?;
    let builder = Storage::builder()
        .with_credentials(FromTokens(tokens.clone()))
        // Google's list of errors that pass (408, 429, 5xx, broken connections), but within our deadline and not
        // within the crate's five minutes. It also stops when a pause would not fit in what is left.
        .with_retry_policy(RetryableErrors.with_time_limit(config.deadline))
        .with_backoff_policy(backoff)
        // Only errors of the connection: bytes with a wrong checksum are not asked for again and again.
        .with_read_resume_policy(Recommended.with_attempt_limit(RESUMES))
        // What is handed to it goes in one request; see `session` for the rest.
        .with_resumable_upload_threshold(ONE_SHOT_BYTES + 1);
    let builder = match &config.emulator {
        Some(url) => builder.with_endpoint(url.as_str()),
        None => builder,
    };
    builder.build().await.map_err(|error| {
        let text = log::causes(&error);
        // Its HTTP client reads the machine's certificates even when it will speak plain http, as with an emulator.
        Error::Other(
            format!(
                "Google's storage client could not be made ({text}). It needs the machine's CA certificates \
                 (Debian: ca-certificates; or SSL_CERT_FILE), also for an emulator."
            )
            .into(),
        )
    })
}

/// Our tokens in the form that Google's client asks for them. It asks before each request and keeps nothing.
#[derive(Debug)]
struct FromTokens(TokenSource);

impl CredentialsProvider for FromTokens {
    async fn headers(
        &self,
        _known: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let mut headers = HeaderMap::new();
        let token = self.0.token().await;
        if let Some(token) = token.map_err(|error| CredentialsError::from_source(true, error))? {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.secret()))
                .map_err(|error| CredentialsError::from_source(false, error))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(CacheableResource::New {
            entity_tag: EntityTag::new(),
            data: headers,
        })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}
