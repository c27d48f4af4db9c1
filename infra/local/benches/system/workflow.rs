//! What an article costs beside its providers: the whole workflow, as the job `research` runs it, and
//! the compilation of more than should be in memory at once.
//!
//! The providers are those of the demo, which answer at once, so that what is left is ours.

use std::{fs, process::Stdio};

use anyhow::Result;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use nova_blobs::{Blobs, Upload};
use nova_local::{
    demo::providers::{Providers, World},
    local::BUCKET,
};
use nova_runtime::{http_client::HttpClient, tokens::TokenSource};
use nova_store::{NewArticle, NewSource, Origin, Purpose, SourceKind, Store, UserId};
use nova_testkit::{
    objects::{self, ObjectStore},
    postgres::{Database, Postgres, Settings},
    usage::Usage,
};
use serde::Serialize;
use tokio::process::Command;
use uuid::Uuid;

use crate::report::{median, say, shipped, target, write};

/// Articles, each of another user; the medians are told.
const ARTICLES: usize = 5;
/// Compilations of the same sources.
const COMPILATIONS: usize = 3;
const SOURCES: usize = 1000;
/// 1,000 of these are 100 MiB.
const LINES: usize = 2048;
const LINE: &str = "One line of a page that somebody wanted to keep.....\n";

/// What issue the target comes from: constant memory, which the tests hold to 64 MiB.
#[derive(Serialize)]
struct Figures {
    what: &'static str,
    /// From exec to exit.
    wall_ms: f64,
    /// Of the processor, in the program alone.
    cpu_ms: f64,
    /// The most that it had resident.
    peak_mib: f64,
}

pub(crate) async fn measure() -> Result<()> {
    let server = Postgres::start(Settings::default()).await;
    let database = server.database("nova", nova_local::migrated).await;
    let objects = ObjectStore::start(objects::Config::default()).await?;
    say("                     ms to the end   CPU ms   MiB at most");
    let all = [
        article(&database, &objects).await?,
        compilation(&database, &objects).await?,
    ];
    write("workflow", &all)
}

/// Three rounds of three questions, a repository, a talk, and pages.
async fn article(database: &Database, objects: &ObjectStore) -> Result<Figures> {
    let providers = Providers::start(World::Paid).await?;
    let folder = target().join("bench");
    fs::create_dir_all(&folder)?;
    let guideline = folder.join("guideline.md");
    fs::write(&guideline, providers.guideline())?;
    let mut runs = Vec::new();
    for number in 0..ARTICLES {
        let mut program = program("research", "mcp@nova.local", database, objects)?;
        program
            .envs(providers.settings())
            .env("NOVA_USER", format!("u{number}"))
            .arg(&guideline)
            .args(["--questions", "3"]);
        runs.push(Usage::of(&mut program).await?);
    }
    Ok(Figures::of("workflow", &runs))
}

async fn compilation(database: &Database, objects: &ObjectStore) -> Result<Figures> {
    let user: UserId = "u0".parse()?;
    let article = many_sources(database, objects, &user).await?;
    let arguments = format!("{{\"article_guideline_id\": \"{article}\"}}");
    let mut runs = Vec::new();
    for _ in 0..COMPILATIONS {
        let login = "research@nova.local";
        let mut program = program("create_research_file", login, database, objects)?;
        program.args(["--once", &arguments, "--user", user.as_str()]);
        runs.push(Usage::of(&mut program).await?);
    }
    Ok(Figures::of("compile 100 MiB", &runs))
}

/// An article of which 1,000 pages were kept.
async fn many_sources(database: &Database, objects: &ObjectStore, user: &UserId) -> Result<Uuid> {
    let store = Store::new(database.pool());
    let blobs = Blobs::open(
        nova_blobs::Settings::new(BUCKET, Some(objects.url.parse()?)),
        HttpClient::new(),
        TokenSource::anonymous(),
        store.clone(),
    );
    let body = |text: Bytes| stream::iter([Ok(text)]).boxed();
    let upload = Upload::new(Purpose::Guideline, "text/markdown");
    let guideline = blobs.write(user, upload, body("# Large".into()), u64::MAX);
    let guideline = guideline.await?;
    let article = NewArticle {
        id: Uuid::now_v7(),
        title: None,
        guideline_blob_id: guideline.id,
        idempotency_key: None,
    };
    let mut tenant = store.tenant(user).await?;
    tenant.commit_blob(&guideline).await?;
    let article = tenant.create_article(&article).await?;
    tenant.commit().await?;
    let page = Bytes::from(LINE.repeat(LINES));
    for number in 0..SOURCES {
        let upload = Upload::new(Purpose::Scraped, "text/markdown");
        let written = blobs.write(user, upload, body(page.clone()), u64::MAX);
        let written = written.await?;
        let url = format!("https://example.com/{number}");
        let source = NewSource {
            id: Uuid::now_v7(),
            kind: SourceKind::ScrapedUrl,
            key: url.clone(),
            title: url,
            position: i64::try_from(number)?,
            blob_id: written.id,
            origin: Origin::default(),
        };
        let mut tenant = store.tenant(user).await?;
        tenant.commit_blob(&written).await?;
        tenant.upsert_source(article, &source).await?;
        tenant.commit().await?;
    }
    Ok(article)
}

/// A program as it is deployed, on this database and object store.
fn program(name: &str, login: &str, database: &Database, objects: &ObjectStore) -> Result<Command> {
    let mut program = Command::new(shipped(name)?);
    program
        .env_clear()
        .env("DATABASE_URL", database.url_as(login))
        .env("STORAGE_EMULATOR_HOST", &objects.url)
        .env("BLOB_BUCKET", BUCKET)
        .env("LOG_LEVEL", "error")
        // A setting of every function; nobody is asked, since nobody calls.
        .env("OIDC_ISSUER", "http://127.0.0.1:1")
        // As the image has it.
        .env("MALLOC_ARENA_MAX", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Ok(program)
}

impl Figures {
    fn of(what: &'static str, runs: &[Usage]) -> Self {
        let middle = |figure: fn(&Usage) -> f64| median(runs.iter().map(figure).collect());
        let figures = Self {
            what,
            wall_ms: middle(|run| run.wall.as_secs_f64() * 1000.0),
            cpu_ms: middle(|run| run.cpu.as_secs_f64() * 1000.0),
            peak_mib: middle(|run| run.peak_mib),
        };
        say(&format!(
            "{:<18} {:>15.0} {:>8.0} {:>13.1}",
            figures.what, figures.wall_ms, figures.cpu_ms, figures.peak_mib
        ));
        figures
    }
}
