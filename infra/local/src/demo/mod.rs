//! `make demo`: the workflow on a machine without keys, and what came of each step; once with a
//! search provider and a language model, and once with neither a model nor anybody who is paid.
//!
//! The job `research`, as `make research` runs it, with a database that is thrown away and
//! [stand-ins](providers) for the providers, which speak their protocols and write down what they were
//! paid for. Nothing of it is part of a system that `make run` starts.

pub mod providers;

use std::{path::Path, sync::Arc, time::Instant};

use anyhow::{Result, ensure};
use nova_runtime::{App, Config, Environment};
use nova_store::UserId;
use nova_testkit::{
    objects::{self, ObjectStore},
    postgres::Postgres,
};
use research::{Order, Research, Subject, Tell, lines};

use self::providers::{Providers, World};
use crate::{
    database::{login, migrated},
    local::BUCKET,
};

/// Few enough for all of it to be read on one screen.
const QUESTIONS_OF_A_ROUND: u32 = 3;

/// Runs it both ways, and tells of each step by `say`.
///
/// # Errors
///
/// When a step fails.
pub(crate) async fn run(folder: &Path, say: fn(&str)) -> Result<()> {
    say("With stand-ins of Perplexity and of Google's models");
    run_one(World::Paid, folder, say).await?;
    say("\nWith a stand-in of one's own SearXNG, and LLM_PROVIDER=none");
    run_one(World::Free, &folder.join("free"), say).await
}

async fn run_one(world: World, folder: &Path, say: fn(&str)) -> Result<()> {
    let begun = Instant::now();
    say("starting PostgreSQL, an object store and stand-ins for the providers\n");
    let providers = Providers::start(world).await?;
    let database = Postgres::shared().await.database("demo", migrated).await;
    let objects = ObjectStore::start(objects::Config::default()).await?;
    let settings = [
        ("DATABASE_URL", database.url_as(&login("nova_mcp"))),
        ("STORAGE_EMULATOR_HOST", objects.url.clone()),
        ("BLOB_BUCKET", BUCKET.to_owned()),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value));
    let environment = providers.settings().into_iter().chain(settings);
    let environment = environment.fold(Environment::default(), |all, (name, value)| {
        all.with(&name, value)
    });

    tokio::fs::create_dir_all(folder).await?;
    let (guideline, document) = (folder.join("guideline.md"), folder.join("research.md"));
    tokio::fs::write(&guideline, providers.guideline()).await?;
    let alice: UserId = "alice".parse()?;
    let order = Order {
        questions: QUESTIONS_OF_A_ROUND,
        output: Some(document.clone()),
        ..Order::new(Subject::Guideline(guideline), alice.clone())
    };
    let app = App::new("research", Config::read(&environment)?)?;
    let tell: Arc<Tell> = Arc::new(move |event| {
        if let Some(lines) = lines(&event) {
            say(&lines);
        }
    });
    let outcome = Research::new(app, alice)?.run(&order, &tell).await;
    let outcome = outcome.map_err(|problem| anyhow::anyhow!("{problem}"))?;
    ensure!(outcome.exit_code() == 0, "{}", outcome.to_json());
    say(&format!(
        "\nWhat the providers were asked, and paid for:\n{}",
        providers.bill()
    ));
    let text = tokio::fs::read_to_string(&document).await?;
    say(&format!(
        "The document has {} lines: {}. All of it took {:.1} s.",
        text.lines().count(),
        document.display(),
        begun.elapsed().as_secs_f64()
    ));
    Ok(())
}
