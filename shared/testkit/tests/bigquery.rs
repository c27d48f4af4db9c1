//! The BigQuery of the testkit refuses what Google's does, and puts rows only where they belong.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{io::Write as _, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use nova_testkit::{
    bigquery::BigQuery,
    objects::{Config, ObjectStore},
};
use serde_json::{Value, json};

const JOBS: &str = "/bigquery/v2/projects/acme/jobs";

struct World {
    bigquery: BigQuery,
    objects: ObjectStore,
}

impl World {
    async fn new() -> Self {
        let objects = ObjectStore::start(Config::default()).await.unwrap();
        let bigquery = BigQuery::start("acme", "nova", "EU", objects.clone());
        let bigquery = bigquery.await.unwrap();
        Self { bigquery, objects }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.bigquery.url());
        let request = Request::builder().method(method).uri(url);
        let request = request.header("authorization", "Bearer token");
        send(request.body(Full::from(body.to_string())).unwrap()).await
    }

    async fn put(&self, name: &str, content: Vec<u8>) {
        let url = format!(
            "{}/upload/storage/v1/b/files/o?uploadType=media&name={name}",
            self.objects.url
        );
        let request = Request::post(url).body(Full::from(content)).unwrap();
        assert_eq!(send(request).await.0, 200);
    }

    /// Loads a file to its end, and gives `status`.
    async fn load(&self, id: &str, file: &str, day: &str) -> Value {
        let (code, answer) = self.ask(Method::POST, JOBS, &insert(id, file, day)).await;
        assert_eq!(code, 200, "{answer}");
        loop {
            let path = format!("{JOBS}/{id}?location=EU");
            let (code, job) = self.ask(Method::GET, &path, &Value::Null).await;
            assert_eq!(code, 200, "{job}");
            if job["status"]["state"] == "DONE" {
                return job["status"].clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn send(request: Request<Full<Bytes>>) -> (u16, Value) {
    let http: Client<HttpConnector, _> = Client::builder(TokioExecutor::new()).build_http();
    let (parts, body) = http.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        parts.status.as_u16(),
        serde_json::from_slice(&body).unwrap_or_default(),
    )
}

fn insert(id: &str, file: &str, day: &str) -> Value {
    json!({
        "jobReference": { "projectId": "acme", "jobId": id, "location": "EU" },
        "configuration": { "load": {
            "sourceUris": [format!("gs://files/{file}")],
            "sourceFormat": "NEWLINE_DELIMITED_JSON",
            "destinationTable": { "projectId": "acme", "datasetId": "nova", "tableId": format!("calls${day}") },
            "createDisposition": "CREATE_IF_NEEDED",
            "writeDisposition": "WRITE_TRUNCATE",
            "schema": { "fields": [
                { "name": "who", "type": "STRING", "mode": "REQUIRED" },
                { "name": "at", "type": "TIMESTAMP", "mode": "REQUIRED" },
                { "name": "count", "type": "INTEGER" },
            ] },
            "timePartitioning": { "type": "DAY", "field": "at", "requirePartitionFilter": true },
            "clustering": { "fields": ["who"] },
        } },
    })
}

#[tokio::test]
async fn what_is_no_load_is_refused_as_google_refuses_it() {
    let world = World::new().await;
    let load = "/configuration/load";
    for (place, value, told) in [
        ("/jobReference/jobId", json!("a job"), "Invalid job ID"),
        ("/jobReference/projectId", json!("other"), "ProjectId"),
        (load, json!({}), "missing field"),
        (
            &format!("{load}/sourceUris"),
            json!("gs://files/f"),
            "Invalid JSON payload",
        ),
        (
            &format!("{load}/sourceUris"),
            json!(["/tmp/f"]),
            "Google Cloud Storage",
        ),
        (
            &format!("{load}/sourceFormat"),
            json!("NDJSON"),
            "unknown variant",
        ),
        (
            &format!("{load}/destinationTable/tableId"),
            json!("calls$today"),
            "Invalid time partitioning",
        ),
        (
            &format!("{load}/writeDisposition"),
            json!("TRUNCATE"),
            "unknown variant",
        ),
        (
            &format!("{load}/schema/fields/0/type"),
            json!("TEXT"),
            "unknown variant",
        ),
        (
            &format!("{load}/schema/fields/1/type"),
            json!("STRING"),
            "not of type TIMESTAMP",
        ),
        (
            &format!("{load}/timePartitioning/requirePartitionFilter"),
            json!("yes"),
            "invalid type",
        ),
        (
            &format!("{load}/clustering/fields"),
            json!(["whom"]),
            "cannot be found in the schema: whom",
        ),
    ] {
        let mut body = insert("job", "file", "20260329");
        *body.pointer_mut(place).unwrap() = value;
        let (code, answer) = world.ask(Method::POST, JOBS, &body).await;
        assert_eq!(code, 400, "{place}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(told), "{place}: {message}");
        assert_eq!(answer["error"]["errors"][0]["reason"], "invalid");
    }
    let mut elsewhere = insert("job", "file", "20260329");
    elsewhere["configuration"]["load"]["destinationTable"]["datasetId"] = json!("nowhere");
    let (code, answer) = world.ask(Method::POST, JOBS, &elsewhere).await;
    assert_eq!(
        (code, &answer["error"]["errors"][0]["reason"]),
        (404, &json!("notFound"))
    );
    assert_eq!(world.bigquery.jobs().len(), 0);

    let url = format!("{}{JOBS}/job?location=EU", world.bigquery.url());
    let nobody = Request::get(url).body(Full::default()).unwrap();
    assert_eq!(send(nobody).await.0, 401);
}

#[tokio::test]
async fn a_load_replaces_its_day_and_no_other_and_its_name_is_taken() {
    let world = World::new().await;
    let row = |who: &str, day: &str| {
        format!("{{\"who\":\"{who}\",\"at\":\"2026-03-{day}T10:00:00.5Z\",\"count\":null}}\n")
    };
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let lines = row("alice", "29") + &row("bob", "29");
    packed.write_all(lines.as_bytes()).unwrap();
    world.put("29", packed.finish().unwrap()).await;
    world.put("30", row("carol", "30").into()).await;
    assert_eq!(
        world.load("j1", "29", "20260329").await,
        json!({"state": "DONE"})
    );
    assert_eq!(
        world.load("j2", "30", "20260330").await,
        json!({"state": "DONE"})
    );
    let who = |day: &str| -> Vec<Value> {
        let rows = world.bigquery.rows("calls", day);
        rows.into_iter().map(|row| row["who"].clone()).collect()
    };
    assert_eq!(
        (who("20260329"), who("20260330")),
        (vec![json!("alice"), json!("bob")], vec![json!("carol")])
    );

    world.put("29", row("dave", "29").into()).await;
    let (code, again) = world
        .ask(Method::POST, JOBS, &insert("j1", "29", "20260329"))
        .await;
    assert_eq!(
        (code, &again["error"]["errors"][0]["reason"]),
        (409, &json!("duplicate"))
    );
    assert_eq!(who("20260329").len(), 2, "nothing was done");
    world.load("j3", "29", "20260329").await;
    assert_eq!(
        (who("20260329"), who("20260330")),
        (vec![json!("dave")], vec![json!("carol")])
    );

    for path in ["j1", "j1?location=US", "j9?location=EU"] {
        let path = format!("{JOBS}/{path}");
        let (code, _) = world.ask(Method::GET, &path, &Value::Null).await;
        assert_eq!(code, 404, "{path}");
    }
}

#[tokio::test]
async fn a_row_that_does_not_fit_fails_the_whole_load() {
    let world = World::new().await;
    let good = r#"{"who":"alice","at":"2026-03-29T10:00:00Z"}"#;
    world.put("good", good.into()).await;
    world.load("good", "good", "20260329").await;
    for (name, line, told) in [
        (
            "unknown",
            r#"{"who":"a","at":"2026-03-29T10:00:00Z","x":1}"#,
            "No such field: x",
        ),
        (
            "missing",
            r#"{"at":"2026-03-29T10:00:00Z"}"#,
            "Missing required field: who",
        ),
        (
            "type",
            r#"{"who":1,"at":"2026-03-29T10:00:00Z"}"#,
            "Field: who",
        ),
        (
            "number",
            r#"{"who":"a","at":"2026-03-29T10:00:00Z","count":"1"}"#,
            "Field: count",
        ),
        ("moment", r#"{"who":"a","at":"29.3.2026"}"#, "Field: at"),
        (
            "nanoseconds",
            r#"{"who":"a","at":"2026-03-29T10:00:00.123456789Z"}"#,
            "Field: at",
        ),
        ("day", r#"{"who":"a","at":"2026-03-30T00:30:00+01:00"}"#, ""),
        (
            "other_day",
            r#"{"who":"a","at":"2026-03-30T00:30:00Z"}"#,
            "belong to different partitions",
        ),
        ("json", r#"{"who":"a""#, "JSON parsing error"),
    ] {
        world.put(name, format!("{good}\n{line}\n").into()).await;
        let status = world.load(name, name, "20260329").await;
        let message = status["errorResult"]["message"]
            .as_str()
            .unwrap_or_default();
        assert!(
            message.contains(told) && message.is_empty() == told.is_empty(),
            "{name}: {message}"
        );
    }
    assert_eq!(
        world.bigquery.rows("calls", "20260329").len(),
        2,
        "of the one that fits"
    );
    let gone = world.load("gone", "nothing", "20260329").await;
    assert_eq!(gone["errorResult"]["reason"], "notFound");

    world
        .bigquery
        .fail_next_load("backendError", "Backend error. Job aborted.");
    let failed = world.load("failed", "good", "20260329").await;
    assert_eq!(failed["errorResult"]["reason"], "backendError");
    let mut other = insert("other", "good", "20260329");
    other["configuration"]["load"]["schema"]["fields"][2]["type"] = json!("STRING");
    assert_eq!(world.ask(Method::POST, JOBS, &other).await.0, 200);
    while world.bigquery.jobs().last().unwrap().ended.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ended = world.bigquery.jobs().pop().unwrap().ended.unwrap();
    assert!(ended.unwrap_err().message.contains("does not match Table"));
}
