//! BigQuery, as far as files of a bucket are loaded into it.
//!
//! A load is a job with a name that the caller chooses ([`BigQuery::load`]), and BigQuery takes a name
//! once: the same load asked for again, by a retry or by another process, is the one that is there.
//! What became of it is asked with [`BigQuery::job`]. A load of a partition replaces what the partition
//! had, at once or not at all.
//!
//! Unlike other providers it is asked again here when it is busy, since there is no job of ours that
//! would: a few times, with growing pauses.
//!
//! Jobs: <https://cloud.google.com/bigquery/docs/reference/rest/v2/Job>; what its errors mean:
//! <https://cloud.google.com/bigquery/docs/error-messages>.

mod wire;

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode, header};
use nova_runtime::{config::BigQueryConfig, http_client::HttpClient, tokens::TokenSource};
use serde_json::Value;
use tokio::time::sleep;

pub use self::wire::{Field, JobError, JobState, Table};
use crate::{Api, Credentials, ProviderError, api::said};

/// Jobs are only entered in a list here, and looked up.
const DEADLINE: Duration = Duration::from_secs(30);
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longer is not waited, whatever is asked for: the next run comes.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What a refusal is mended with.
const RIGHTS: &str =
    "the account's roles: bigquery.jobUser on the project and bigquery.dataEditor on the dataset";
/// Reasons of a 403 that pass: too many requests at once.
const PASSING: [&str; 2] = ["rateLimitExceeded", "jobRateLimitExceeded"];

/// A dataset, and who asks.
#[derive(Clone, Debug)]
pub struct BigQuery {
    api: Api,
    project: String,
    dataset: String,
}

/// A file that becomes a partition of a table.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// `gs://bucket/object`: JSON, an object a line, packed by gzip or not.
    pub source: &'a str,
    /// What it is loaded into; made when it is not there.
    pub table: &'a Table,
    /// The day whose rows it replaces: `YYYYMMDD`. A row of another day fails the load.
    pub day: &'a str,
}

impl BigQuery {
    /// The dataset of the settings, in a project, asked with the process's own tokens.
    pub fn new(
        config: &BigQueryConfig,
        project: &str,
        http: HttpClient,
        tokens: TokenSource,
    ) -> Self {
        let credentials = Credentials::Google(tokens);
        Self {
            api: Api::new("BigQuery", http, &config.base_url, credentials)
                .known_by(RIGHTS)
                .deadline(DEADLINE),
            project: project.to_owned(),
            dataset: config.dataset.clone(),
        }
    }

    /// The dataset, as `project.dataset`.
    pub fn dataset(&self) -> String {
        format!("{}.{}", self.project, self.dataset)
    }

    /// Where the dataset is, which every question about its jobs has to say; `None` when there is no
    /// such dataset.
    ///
    /// # Errors
    ///
    /// When BigQuery cannot be asked, or refuses.
    pub fn location(&self) -> BoxFuture<'_, Result<Option<String>, ProviderError>> {
        Box::pin(async move {
            let path = format!("datasets/{}", self.dataset);
            let found = self.get(&path, &[]).await?;
            let Some(found) = found else { return Ok(None) };
            let dataset: wire::Dataset = self.api.json(&found)?;
            Ok(Some(dataset.location))
        })
    }

    /// Begins to load a file, under a name of letters, digits, `_` and `-`. Where a job has that name it
    /// is this one, and nothing is done.
    ///
    /// # Errors
    ///
    /// When BigQuery cannot be asked, or refuses. It may have begun all the same.
    pub fn load<'a>(
        &'a self,
        name: &'a str,
        location: &'a str,
        load: Load<'a>,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let path = format!("bigquery/v2/projects/{}/jobs", self.project);
            let body = wire::load(&self.project, &self.dataset, name, location, load);
            let request = || self.api.request(&path, &body);
            self.ask(request, StatusCode::CONFLICT).await?;
            Ok(())
        })
    }

    /// What became of the job of this name; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When BigQuery cannot be asked, or refuses.
    pub fn job<'a>(
        &'a self,
        name: &'a str,
        location: &'a str,
    ) -> BoxFuture<'a, Result<Option<JobState>, ProviderError>> {
        Box::pin(async move {
            let path = format!("jobs/{name}");
            let found = self.get(&path, &[("location", location)]).await?;
            let Some(found) = found else { return Ok(None) };
            let job: wire::Job = self.api.json(&found)?;
            Ok(Some(job.into()))
        })
    }

    async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<Response<Bytes>>, ProviderError> {
        let path = format!("bigquery/v2/projects/{}/{path}", self.project);
        let mut url = self.api.url(&path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = || {
            Request::get(url.as_str())
                .header(header::ACCEPT, "application/json")
                .body(Bytes::new())
                .map_err(|error| self.api.unusable(error.to_string()))
        };
        let found = self.ask(request, StatusCode::NOT_FOUND).await?;
        Ok((found.status() != StatusCode::NOT_FOUND).then_some(found))
    }

    /// Asks until there is an answer: a success, or this one other status that is none of the errors.
    async fn ask(
        &self,
        request: impl Fn() -> Result<Request<Bytes>, ProviderError> + Send + Sync,
        expected: StatusCode,
    ) -> Result<Response<Bytes>, ProviderError> {
        let (mut tries, mut pause) = (1, FIRST_PAUSE);
        loop {
            let failure = match self.api.exchange(request()?).await {
                Ok(it) if it.status().is_success() || it.status() == expected => return Ok(it),
                Ok(refused) => self.refusal(&refused),
                Err(error) => error,
            };
            let asked_for = match failure {
                ProviderError::Busy { after, .. } => after.unwrap_or_default(),
                _ => Duration::ZERO,
            };
            if tries == TRIES || !failure.is_retryable() || asked_for > LONGEST_PAUSE {
                return Err(failure);
            }
            tracing::debug!(error = %failure, "BigQuery is asked again");
            sleep(pause.max(asked_for)).await;
            tries += 1;
            pause *= 2;
        }
    }

    /// As other providers' statuses, but for a 403 that means "slowly".
    fn refusal(&self, response: &Response<Bytes>) -> ProviderError {
        let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let reason = body.pointer("/error/errors/0/reason");
        let reason = reason.and_then(Value::as_str).unwrap_or_default();
        if response.status() == StatusCode::FORBIDDEN && PASSING.contains(&reason) {
            return ProviderError::Busy {
                provider: self.api.provider(),
                status: response.status(),
                message: said(response.body()),
                after: None,
            };
        }
        self.api.refusal(response)
    }
}
