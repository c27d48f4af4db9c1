//! BigQuery, as far as files of a bucket are loaded into tables of days: `jobs.insert` of a load,
//! `jobs.get` and `datasets.get` of version 2, and the loads themselves.
//!
//! | request | here |
//! |---|---|
//! | `GET /bigquery/v2/projects/P/datasets/D` | its location |
//! | `POST /bigquery/v2/projects/P/jobs` | 400 for what is no load, 404 without the dataset, 409 for a name that is taken |
//! | `GET /bigquery/v2/projects/P/jobs/J?location=` | `PENDING`, `RUNNING`, `DONE`, with `errorResult` where it failed |
//!
//! A load reads its file from an [`ObjectStore`], unpacks it, and holds every row against the schema, the
//! table and the partition (`table$YYYYMMDD`) that it is for; then the rows of that partition are
//! replaced, all or none. Requests are made to go wrong as with every [`StandIn`], loads by
//! [`BigQuery::fail_next_load`] and [`BigQuery::hold_loads`].

mod file;
mod request;

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::Method;
use serde_json::{Value, json};

use self::request::Load;
pub use self::request::Table;
use crate::{
    Gate,
    objects::ObjectStore,
    providers::{Answer, Received, StandIn},
};

/// A BigQuery on loopback, with one dataset.
#[derive(Clone)]
pub struct BigQuery {
    stand_in: StandIn,
    state: Arc<State>,
}

struct State {
    project: String,
    dataset: String,
    location: String,
    objects: ObjectStore,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    jobs: Vec<Job>,
    tables: BTreeMap<String, Filled>,
    failures: VecDeque<Failure>,
    held_by: Option<Gate>,
}

/// A table, and the rows of each of its days as the lines of the files they came in.
struct Filled {
    table: Table,
    days: BTreeMap<String, Vec<String>>,
}

/// A load that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub id: String,
    /// The file: `gs://bucket/object`.
    pub source: String,
    /// The day that it is for: `YYYYMMDD`.
    pub day: String,
    /// How it ended: with so many rows, or why not; `None` before that.
    pub ended: Option<Result<usize, Failure>>,
}

/// Why a load failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `invalid`, `notFound`, `backendError`, …
    pub reason: String,
    /// What it says.
    pub message: String,
}

impl Failure {
    fn invalid(message: impl Into<String>) -> Self {
        Self {
            reason: "invalid".to_owned(),
            message: message.into(),
        }
    }

    fn to_json(&self) -> Value {
        json!({ "reason": self.reason, "message": self.message })
    }
}

impl BigQuery {
    /// One with an empty dataset in a location, which reads files from these objects.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start(
        project: &str,
        dataset: &str,
        location: &str,
        objects: ObjectStore,
    ) -> io::Result<Self> {
        let state = Arc::new(State {
            project: project.to_owned(),
            dataset: dataset.to_owned(),
            location: location.to_owned(),
            objects,
            kept: Mutex::default(),
        });
        let answers = Arc::clone(&state);
        let stand_in = StandIn::start(move |received| answer(&answers, received)).await?;
        Ok(Self { stand_in, state })
    }

    /// The loads so far, in the order in which they were asked for.
    pub fn jobs(&self) -> Vec<Job> {
        self.state.kept().jobs.clone()
    }

    /// A table, once a load has made it.
    pub fn table(&self, name: &str) -> Option<Table> {
        let kept = self.state.kept();
        Some(kept.tables.get(name)?.table.clone())
    }

    /// The rows of a day (`YYYYMMDD`) of a table.
    ///
    /// # Panics
    ///
    /// Never: what is kept was read as JSON before.
    pub fn rows(&self, table: &str, day: &str) -> Vec<Value> {
        let kept = self.state.kept();
        let lines = kept.tables.get(table).and_then(|it| it.days.get(day));
        let lines = lines.into_iter().flatten();
        lines
            .map(|line| serde_json::from_str(line).expect("it was read before"))
            .collect()
    }

    /// Makes the next load that comes to its end fail.
    pub fn fail_next_load(&self, reason: &str, message: &str) {
        self.state.kept().failures.push_back(Failure {
            reason: reason.to_owned(),
            message: message.to_owned(),
        });
    }

    /// Lets loads that begin from now on wait at a gate, before they read anything.
    pub fn hold_loads(&self, gate: Gate) {
        self.state.kept().held_by = Some(gate);
    }
}

impl Deref for BigQuery {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.stand_in
    }
}

impl State {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(state: &Arc<State>, received: &Received) -> Answer {
    if received.bearer().is_none() {
        let message = "Request is missing required authentication credential.";
        return refused(401, "required", message);
    }
    let path: Vec<&str> = received.path().trim_start_matches('/').split('/').collect();
    let ["bigquery", "v2", "projects", project, rest @ ..] = path.as_slice() else {
        return refused(404, "notFound", "Not Found");
    };
    if *project != state.project {
        let message = format!("Access Denied: Project {project}");
        return refused(403, "accessDenied", &message);
    }
    match (&received.method, rest) {
        (&Method::GET, ["datasets", dataset]) => state.dataset(dataset),
        (&Method::POST, ["jobs"]) => insert(state, received),
        (&Method::GET, ["jobs", id]) => state.job(id, received.uri.query().unwrap_or_default()),
        _ => refused(404, "notFound", "Not Found"),
    }
}

fn refused(code: u16, reason: &str, message: &str) -> Answer {
    let one = json!({ "message": message, "domain": "global", "reason": reason });
    let error = json!({ "code": code, "message": message, "errors": [one] });
    Answer::json(code, &json!({ "error": error }))
}

impl State {
    fn dataset(&self, dataset: &str) -> Answer {
        if dataset != self.dataset {
            return self.no_dataset(dataset);
        }
        Answer::json(
            200,
            &json!({
                "kind": "bigquery#dataset",
                "id": format!("{}:{dataset}", self.project),
                "datasetReference": { "projectId": self.project, "datasetId": dataset },
                "location": self.location,
            }),
        )
    }

    fn no_dataset(&self, dataset: &str) -> Answer {
        let message = format!("Not found: Dataset {}:{dataset}", self.project);
        refused(404, "notFound", &message)
    }

    fn job(&self, id: &str, query: &str) -> Answer {
        let location = url::form_urlencoded::parse(query.as_bytes());
        let mut location = location.filter(|(name, _)| name == "location");
        let is_here = location.next().is_some_and(|(_, it)| it == self.location);
        let kept = self.kept();
        // Jobs of a region are known in that region alone.
        match kept.jobs.iter().find(|job| job.id == id && is_here) {
            Some(job) => Answer::json(200, &self.described(job)),
            None => refused(
                404,
                "notFound",
                &format!("Not found: Job {}:{id}", self.project),
            ),
        }
    }

    fn described(&self, job: &Job) -> Value {
        let mut status = json!({ "state": "RUNNING" });
        let mut statistics = json!({});
        match &job.ended {
            None => {}
            Some(Ok(rows)) => {
                status = json!({ "state": "DONE" });
                statistics = json!({ "load": { "outputRows": rows.to_string() } });
            }
            Some(Err(failure)) => {
                let failure = failure.to_json();
                status = json!({ "state": "DONE", "errorResult": failure, "errors": [failure] });
            }
        }
        json!({
            "kind": "bigquery#job",
            "id": format!("{}:{}.{}", self.project, self.location, job.id),
            "jobReference": { "projectId": self.project, "jobId": job.id, "location": self.location },
            "status": status,
            "statistics": statistics,
        })
    }
}

fn insert(state: &Arc<State>, received: &Received) -> Answer {
    let load = match Load::read(&received.body, &state.project) {
        Ok(load) => load,
        Err(message) => return refused(400, "invalid", &message),
    };
    if load.dataset != state.dataset {
        return state.no_dataset(&load.dataset);
    }
    if load
        .location
        .as_ref()
        .is_some_and(|it| *it != state.location)
    {
        return state.no_dataset(&load.dataset);
    }
    let mut kept = state.kept();
    if kept.jobs.iter().any(|job| job.id == load.id) {
        let message = format!("Already Exists: Job {}:{}", state.project, load.id);
        return refused(409, "duplicate", &message);
    }
    let job = Job {
        id: load.id.clone(),
        source: load.source.clone(),
        day: load.day.clone(),
        ended: None,
    };
    let answer = Answer::json(200, &state.described(&job));
    kept.jobs.push(job);
    let gate = kept.held_by.clone();
    drop(kept);
    let state = Arc::clone(state);
    tokio::spawn(async move {
        if let Some(gate) = gate {
            gate.pass().await;
        }
        let lines = file::read(&state.objects, &load).await;
        let mut kept = state.kept();
        let failure = kept.failures.pop_front();
        let lines = failure.map_or(lines, Err);
        let ended = lines.and_then(|lines| kept.fill(&load, lines));
        let job = kept.jobs.iter_mut().find(|job| job.id == load.id);
        job.expect("no job is ever forgotten").ended = Some(ended);
    });
    answer
}

impl Kept {
    /// Puts rows into a partition, in place of those it had.
    fn fill(&mut self, load: &Load, lines: Vec<String>) -> Result<usize, Failure> {
        let count = lines.len();
        let filled = self.tables.entry(load.table_name.clone());
        let filled = filled.or_insert_with(|| Filled {
            table: load.table.clone(),
            days: BTreeMap::new(),
        });
        if filled.table != load.table {
            let name = &load.table_name;
            return Err(Failure::invalid(format!(
                "Provided Schema does not match Table {name}."
            )));
        }
        filled.days.insert(load.day.clone(), lines);
        Ok(count)
    }
}
