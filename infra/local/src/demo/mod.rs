//! `make demo`: the workflow on a machine without keys, and what came of each step; once with a
//! search provider and a language model, and once with neither a model nor anybody who is paid.
//!
//! A system of its own with a database that is thrown away, and [stand-ins](providers) for the
//! providers, which speak their protocols and write down what they were paid for. Nothing of it is
//! part of a system that `make run` starts.

mod client;
mod providers;

use std::{fmt::Write as _, path::Path, time::Instant};

use anyhow::{Context as _, Result};
use nova_testkit::{
    objects::{self, ObjectStore},
    postgres::Postgres,
};
use serde_json::{Value, json};

use self::{
    client::Client,
    providers::{Providers, World},
};
use crate::{
    database::migrated,
    local::{Local, Parts},
};

/// What a guideline names is read first.
const BEFORE: &[&str] = &[
    "extract_guidelines_urls",
    "scrape_and_clean_other_urls",
    "process_github_urls",
];
/// Videos, where there is a model that watches them.
const WATCHED: &[&str] = &["transcribe_youtube_urls"];
const ROUNDS: usize = 3;
const QUESTIONS_OF_A_ROUND: usize = 3;
/// Then what was found is sifted and bound.
const AFTER: &[&str] = &[
    "select_research_sources_to_keep",
    "select_research_sources_to_scrape",
    "scrape_research_urls",
    "create_research_file",
];

/// Runs it both ways, and tells of each step by `say`.
///
/// # Errors
///
/// When a step fails.
pub(crate) async fn run(folder: &Path, say: &(dyn Fn(&str) + Send + Sync)) -> Result<()> {
    say("With stand-ins of Perplexity and of Google's models");
    run_one(World::Paid, folder, say).await?;
    say("\nWith a stand-in of one's own SearXNG, and LLM_PROVIDER=none");
    run_one(World::Free, &folder.join("free"), say).await
}

async fn run_one(world: World, folder: &Path, say: &(dyn Fn(&str) + Send + Sync)) -> Result<()> {
    let begun = Instant::now();
    say("starting PostgreSQL, the functions and stand-ins for the providers");
    let providers = Providers::start(world).await?;
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
    let step = async |tool: &str, mut arguments: Value| {
        arguments["article_guideline_id"] = json!(article);
        let step = Instant::now();
        let answer = alice.call(tool, &arguments).await;
        let answer = answer.with_context(|| tool.to_owned())?;
        say(&told(tool, step, &answer));
        anyhow::Ok(answer)
    };
    let watched = match world {
        World::Paid => WATCHED,
        World::Free => &[],
    };
    for tool in BEFORE.iter().chain(watched) {
        step(tool, json!({})).await?;
    }
    for _round in 0..ROUNDS {
        let count = json!({ "n_queries": QUESTIONS_OF_A_ROUND });
        let proposed = step("generate_next_queries", count).await?;
        let pairs = proposed["queries"].as_array().into_iter().flatten();
        let questions: Vec<&Value> = pairs.map(|pair| &pair[0]).collect();
        step("run_perplexity_research", json!({ "queries": questions })).await?;
    }
    for tool in AFTER {
        step(tool, json!({})).await?;
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
    Ok(())
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
