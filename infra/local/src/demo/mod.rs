//! `make demo`: the workflow as far as it is built, on a machine without keys, and what came of each
//! step.
//!
//! A system of its own with a database that is thrown away, and [stand-ins](providers) for the
//! providers, which speak their protocols and write down what they were paid for. Nothing of it is
//! part of a system that `make run` starts.

mod client;
mod providers;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result};
use nova_testkit::{
    objects::{self, ObjectStore},
    postgres::Postgres,
};
use serde_json::{Value, json};

use self::{client::Client, providers::Providers};
use crate::{
    database::migrated,
    local::{Local, Parts},
};

/// The steps of the workflow after the upload, in their order, with the arguments that they need
/// beside the article.
const STEPS: &[(&str, &str)] = &[
    ("extract_guidelines_urls", "{}"),
    ("scrape_and_clean_other_urls", "{}"),
    ("process_github_urls", "{}"),
    ("generate_next_queries", "{\"n_queries\": 3}"),
    ("create_research_file", "{}"),
];

/// Runs it, tells of each step by `say`, and gives the path of the document.
///
/// # Errors
///
/// When a step fails.
pub(crate) async fn run(folder: &Path, say: &(dyn Fn(&str) + Send + Sync)) -> Result<PathBuf> {
    let begun = Instant::now();
    say("starting PostgreSQL, the functions and stand-ins for the providers");
    let providers = Providers::start().await?;
    let database = Postgres::shared().await.database("demo", migrated).await;
    let local = Local::start(Parts {
        database_url: database.url.clone(),
        database_as: &|login| vec![("DATABASE_URL", database.url_as(login))],
        objects: ObjectStore::start(objects::Config::default()).await?,
        issuer_key: None,
        port: 0,
        processes: false,
        settings: providers.settings(),
    })
    .await?;
    let alice = Client::new(&local, "alice");

    let uploaded = alice.upload(&providers.guideline()).await?;
    let article = uploaded["article_id"].as_str().unwrap_or_default();
    say(&format!("\nThe guideline is uploaded: article {article}\n"));
    for (tool, arguments) in STEPS {
        let mut arguments: Value = serde_json::from_str(arguments)?;
        arguments["article_guideline_id"] = json!(article);
        let step = Instant::now();
        let answer = alice.call(tool, &arguments).await.context(*tool)?;
        say(&told(tool, step, &answer));
    }
    let document = alice.download(article).await?;
    let path = folder.join("research.md");
    tokio::fs::create_dir_all(folder).await?;
    tokio::fs::write(&path, &document).await?;
    say(&format!(
        "\nWhat the providers were asked, and paid for:\n{}",
        providers.bill()
    ));
    let lines = document.lines().count();
    let seconds = begun.elapsed().as_secs_f64();
    say(&format!(
        "The document has {lines} lines: {}. All of it took {seconds:.1} s.",
        path.display()
    ));
    local.stop().await;
    Ok(path)
}

/// One step, in a line and what there is to add.
fn told(tool: &str, begun: Instant, answer: &Value) -> String {
    let message = answer["message"].as_str().unwrap_or_default();
    let first = message.lines().next().unwrap_or_default();
    let mut text = format!(
        "{tool:<35} {:>5.2} s  {first}",
        begun.elapsed().as_secs_f64()
    );
    for failure in answer["failures"].as_array().into_iter().flatten() {
        let what = failure["url"].as_str().or(failure["query"].as_str());
        let reason = failure["reason"].as_str().unwrap_or_default();
        // Writing to a String cannot fail.
        write!(
            text,
            "\n{:43} not had: {}: {reason}",
            "",
            what.unwrap_or_default()
        )
        .ok();
    }
    text
}
