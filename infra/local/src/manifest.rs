//! `functions/manifest.json`, the one list of what is deployed, as this program reads it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The whole list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What answers requests, by name.
    pub services: BTreeMap<String, Entry>,
    /// What answers for several services in one process, in deployments without a load balancer.
    pub together: BTreeMap<String, Entry>,
    /// What runs once and exits, by name.
    pub jobs: BTreeMap<String, Entry>,
}

/// One function. Terraform reads more of it than this program uses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Entry {
    /// The paths it answers; `{name}` stands for one segment.
    pub routes: Vec<String>,
    /// The services whose routes it answers too, and whose secrets it is given.
    pub answers_for: Vec<String>,
    /// The database role that its login is a member of.
    pub database: Option<String>,
    /// What it may do with file contents: `read`, `write` (which reads), or `delete`; `export` is other
    /// files, which leave for other systems.
    pub blobs: Option<String>,
    /// Whether it loads into BigQuery. Then it is deployed where that is wanted, and nowhere else.
    pub bigquery: bool,
    /// Whether the load balancer passes requests of the world on to it.
    pub public: bool,
    /// Secrets that it is given.
    pub secrets: Vec<String>,
    /// Whether it calls for workers of other functions; each tool may call its own.
    pub rings: bool,
    /// How fast workers of this tool are called.
    pub queue: Option<Queue>,
    /// Memory of an instance, such as `256Mi`.
    pub memory: Option<String>,
    /// The most requests that an instance has at once.
    pub concurrency: Option<u32>,
    /// The most seconds that a request or a task may take.
    pub timeout_seconds: Option<u32>,
    /// How often a failed task of a job is tried again.
    pub retries: Option<u32>,
    /// When a job runs, in cron's notation.
    pub schedule: Option<String>,
}

/// How fast workers are called: what the provider behind a tool stands.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Calls in a second.
    pub per_second: f64,
    /// Workers at the same time.
    pub at_once: u32,
}

impl Manifest {
    /// The list of this build.
    ///
    /// # Errors
    ///
    /// When the file does not fit these types.
    pub fn of_this_build() -> anyhow::Result<Self> {
        Ok(serde_json::from_str(include_str!(
            "../../../functions/manifest.json"
        ))?)
    }

    /// Every address that the world may call.
    pub fn routes(&self) -> impl Iterator<Item = &String> {
        self.services.values().flat_map(|entry| &entry.routes)
    }
}
