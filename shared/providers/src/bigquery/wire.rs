//! Tables and jobs as BigQuery's REST interface writes them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Load;

/// A table of days.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name in the dataset.
    pub name: &'static str,
    /// Its columns.
    pub fields: &'static [Field],
    /// The column of type `TIMESTAMP` by whose day it is partitioned. Queries have to say which days they read:
    /// what is read is paid for.
    pub partitioned_by: &'static str,
    /// The columns by which the rows of a day lie together.
    pub clustered_by: &'static [&'static str],
}

/// A column.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// `STRING`, `TIMESTAMP`, …
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `REQUIRED` or `NULLABLE`.
    pub mode: &'static str,
    /// What it holds, for those who query it.
    pub description: &'static str,
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It waits, or is at work.
    Running,
    /// It is done, and so many rows are in the table.
    Done {
        /// Those that were loaded.
        rows: u64,
    },
    /// It ended and has done nothing.
    Failed(JobError),
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{message} ({reason})")]
pub struct JobError {
    /// A word for programs, such as `invalid` or `backendError`.
    #[serde(default)]
    pub reason: String,
    /// A sentence for people.
    #[serde(default)]
    pub message: String,
}

impl JobError {
    /// True when the same load may succeed under another name.
    pub fn is_passing(&self) -> bool {
        matches!(
            self.reason.as_str(),
            "backendError"
                | "internalError"
                | "jobBackendError"
                | "jobInternalError"
                | "rateLimitExceeded"
                | "jobRateLimitExceeded"
                | "resourceInUse"
                | "tableUnavailable"
        )
    }
}

#[derive(Deserialize)]
pub(super) struct Dataset {
    pub(super) location: String,
}

#[derive(Deserialize)]
pub(super) struct Job {
    status: Status,
    #[serde(default)]
    statistics: Statistics,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    state: String,
    error_result: Option<JobError>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Statistics {
    load: LoadStatistics,
}

/// 64-bit numbers are strings in Google's JSON.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LoadStatistics {
    output_rows: String,
}

impl From<Job> for JobState {
    fn from(job: Job) -> Self {
        match job.status.error_result {
            _ if job.status.state != "DONE" => Self::Running,
            Some(error) => Self::Failed(error),
            None => Self::Done {
                rows: job.statistics.load.output_rows.parse().unwrap_or_default(),
            },
        }
    }
}

/// `jobs.insert` of a load.
pub(super) fn load(
    project: &str,
    dataset: &str,
    name: &str,
    location: &str,
    load: Load<'_>,
) -> Value {
    let table = load.table;
    json!({
        "jobReference": { "projectId": project, "jobId": name, "location": location },
        "configuration": { "load": {
            "sourceUris": [load.source],
            "sourceFormat": "NEWLINE_DELIMITED_JSON",
            "destinationTable": {
                "projectId": project,
                "datasetId": dataset,
                "tableId": format!("{}${}", table.name, load.day),
            },
            "createDisposition": "CREATE_IF_NEEDED",
            "writeDisposition": "WRITE_TRUNCATE",
            "schema": { "fields": table.fields },
            "timePartitioning": { "type": "DAY", "field": table.partitioned_by, "requirePartitionFilter": true },
            "clustering": { "fields": table.clustered_by },
        } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(job: Value) -> JobState {
        serde_json::from_value::<Job>(job).unwrap().into()
    }

    #[test]
    fn a_job_is_running_until_it_is_done_or_has_failed() {
        assert_eq!(
            state(json!({"status": {"state": "PENDING"}})),
            JobState::Running
        );
        let done =
            json!({"status": {"state": "DONE"}, "statistics": {"load": {"outputRows": "27397"}}});
        assert_eq!(state(done), JobState::Done { rows: 27_397 });
        // Errors of single rows that were skipped are told beside, and do not fail a job.
        let failed = json!({"status": {
            "state": "DONE", "errorResult": {"reason": "invalid", "message": "No such field: x.", "location": "gs://b/o"},
            "errors": [{"reason": "invalid", "message": "No such field: x."}],
        }});
        let JobState::Failed(error) = state(failed) else {
            panic!("it failed")
        };
        assert_eq!(error.to_string(), "No such field: x. (invalid)");
        assert!(!error.is_passing());
    }
}
