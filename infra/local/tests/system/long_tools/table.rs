//! The long tools, and how a job of each is made, held up and accounted for.

use std::{collections::BTreeSet, fmt::Write as _};

use futures_util::future::BoxFuture;
use http::StatusCode;
use nova_local::functions::services;
use nova_runtime::{Access, Config, Environment};
use nova_testkit::providers::{StandIn, github::Repository};
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::World;
use crate::selection::found;

pub(super) struct LongTool {
    pub(super) name: &'static str,
    /// Pieces of each job that is made here.
    pub(super) pieces: usize,
    /// Of which so many are asked for at once.
    pub(super) at_once: usize,
    /// The word that the pieces of a user's job have in common: his name, where it fits.
    pub(super) word: fn(&str) -> String,
    /// Makes an article for a call in the name of this user; its pieces are called as by
    /// [`piece`].
    pub(super) prepare: Prepare,
    pub(super) asked: Asked,
    /// Counts what an article (`$1`) has of the tool.
    pub(super) stored: &'static str,
}

/// Gives the article and the arguments.
type Prepare = for<'a> fn(&'a World, &'a LongTool, &'a str) -> BoxFuture<'a, (Uuid, Value)>;

/// Who is asked for the pieces.
pub(super) enum Asked {
    /// A provider, who is paid for each.
    Provider(fn(&World) -> &StandIn),
    /// Nobody: the guideline is read from the bucket, and the rest is thinking.
    Bucket,
}

pub(super) const LONG_TOOLS: &[LongTool] = &[
    LongTool {
        name: "process_github_urls",
        pieces: 4,
        at_once: 2,
        word: str::to_owned,
        prepare: |world, tool, user| Box::pin(code(world, tool, user)),
        asked: Asked::Provider(|world| world.github.archives()),
        stored: "SELECT count(*) FROM sources WHERE article_id = $1 AND kind = 'github_ingest'",
    },
    LongTool {
        name: "scrape_and_clean_other_urls",
        pieces: 4,
        at_once: 2,
        word: str::to_owned,
        prepare: |world, tool, user| Box::pin(named_pages(world, tool, user)),
        asked: Asked::Provider(|world| &world.firecrawl),
        stored: "SELECT count(*) FROM sources WHERE article_id = $1 AND kind = 'scraped_url'",
    },
    LongTool {
        name: "scrape_research_urls",
        pieces: 4,
        at_once: 2,
        word: str::to_owned,
        prepare: |world, tool, user| Box::pin(found_pages(world, tool, user)),
        asked: Asked::Provider(|world| &world.firecrawl),
        stored: "SELECT count(*) FROM sources WHERE article_id = $1 AND kind = 'scraped_research_url'",
    },
    LongTool {
        name: "transcribe_youtube_urls",
        pieces: 6,
        at_once: 4,
        word: word_of_videos,
        prepare: |world, tool, user| Box::pin(videos(world, tool, user)),
        asked: Asked::Provider(|world| &world.google),
        stored: "SELECT count(*) FROM sources WHERE article_id = $1 AND kind = 'youtube_transcript' AND revision = 'whole'",
    },
    LongTool {
        name: "run_perplexity_research",
        pieces: 3,
        at_once: 1,
        word: str::to_owned,
        prepare: |world, tool, user| Box::pin(questions(world, tool, user)),
        asked: Asked::Provider(|world| &world.perplexity),
        stored: "SELECT count(*) FROM research_queries WHERE article_id = $1",
    },
    LongTool {
        name: "generate_next_queries",
        pieces: 1,
        at_once: 1,
        word: str::to_owned,
        prepare: |world, _, user| Box::pin(bare(world, user)),
        asked: Asked::Bucket,
        // Its answer is all that there is.
        stored: "SELECT count(*) FROM jobs WHERE article_id = $1 AND tool = 'generate_next_queries' AND result IS NOT NULL",
    },
    LongTool {
        name: "select_research_sources_to_keep",
        pieces: 1,
        at_once: 1,
        word: str::to_owned,
        prepare: |world, _, user| Box::pin(one_source(world, user)),
        asked: Asked::Bucket,
        stored: "SELECT count(*) FROM research_sources WHERE article_id = $1 AND selected IS NOT NULL",
    },
    LongTool {
        name: "select_research_sources_to_scrape",
        pieces: 1,
        at_once: 1,
        word: str::to_owned,
        prepare: |world, _, user| Box::pin(one_kept_source(world, user)),
        asked: Asked::Bucket,
        stored: "SELECT count(*) FROM research_sources WHERE article_id = $1 AND scrape_rank IS NOT NULL",
    },
];

const GUIDELINE: &str = "# How agents remember\n\n## Vector stores\n\nHow do vector stores keep the memory of agents?\n";

/// What a piece is called by whoever is asked for it.
pub(super) fn piece(word: &str, number: usize) -> String {
    format!("{word}-{number}")
}

/// Videos have names of eleven characters.
fn word_of_videos(user: &str) -> String {
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, user.as_bytes());
    hash.simple().to_string().chars().take(9).collect()
}

/// A function is a long tool when workers can be called for there.
#[test]
fn every_long_tool_is_in_the_table() {
    let settings = Environment::from([
        ("DATABASE_URL", "postgres://nova@localhost/nova"),
        ("OIDC_ISSUER", "http://localhost/oidc"),
        ("BLOB_BUCKET", "files"),
        ("STORAGE_EMULATOR_HOST", "http://localhost"),
    ]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let is_long = |function: &&nova_runtime::Function| {
        let set_up = function.set_up(Config::read(&settings).unwrap());
        let (_app, routes) = set_up.unwrap().unwrap();
        let worker = format!("/jobs/{}/{{id}}", function.name);
        let mut routes = routes.list().iter();
        routes.any(|route| route.access == Access::Bell && route.path == worker)
    };
    let long: BTreeSet<&str> = services().filter(is_long).map(|it| it.name).collect();
    let listed: BTreeSet<&str> = LONG_TOOLS.iter().map(|it| it.name).collect();
    assert_eq!(long, listed, "left: long tools, right: the table");
}

/// An article whose guideline names these URLs, which were extracted.
async fn article_with(world: &World, user: &str, urls: &[String]) -> Uuid {
    let mut guideline = "# Sources\n\n".to_owned();
    for url in urls {
        writeln!(guideline, "- {url}").unwrap();
    }
    let article = world.system.upload(user, guideline).await;
    let extracted = world.system.tool(user, "extract_guidelines_urls", article);
    assert_eq!(extracted.await.status, StatusCode::OK);
    article
}

async fn code(world: &World, tool: &LongTool, user: &str) -> (Uuid, Value) {
    let mut urls = Vec::new();
    for number in 0..tool.pieces {
        let name = format!("acme/{}", piece(user, number));
        let readme = format!("# Number {number} of {user}\n");
        world
            .github
            .put(&name, Repository::new([("README.md", readme)]));
        urls.push(format!("https://github.com/{name}"));
    }
    let article = article_with(world, user, &urls).await;
    (article, json!({"article_guideline_id": article}))
}

async fn videos(world: &World, tool: &LongTool, user: &str) -> (Uuid, Value) {
    let mut urls = Vec::new();
    for number in 0..tool.pieces {
        let id = piece(&(tool.word)(user), number);
        world.google.put_video(&id, 90);
        urls.push(format!("https://youtu.be/{id}"));
    }
    let article = article_with(world, user, &urls).await;
    (article, json!({"article_guideline_id": article}))
}

fn page_urls(world: &World, tool: &LongTool, user: &str) -> Vec<String> {
    let pages = 0..tool.pieces;
    let urls = pages.map(|number| world.site.page_url(&format!("/{}", piece(user, number))));
    urls.collect()
}

async fn named_pages(world: &World, tool: &LongTool, user: &str) -> (Uuid, Value) {
    let urls = page_urls(world, tool, user);
    let article = article_with(world, user, &urls).await;
    (
        article,
        json!({"article_guideline_id": article, "concurrency_limit": tool.at_once}),
    )
}

async fn found_pages(world: &World, tool: &LongTool, user: &str) -> (Uuid, Value) {
    let article = world.system.upload(user, GUIDELINE).await;
    let urls = page_urls(world, tool, user);
    let sources: Vec<(&str, &str)> = urls.iter().map(|url| (&**url, "An answer.")).collect();
    found(&world.system, user, article, &sources).await;
    choose(world, article, "selected = true, scrape_rank = source_no").await;
    (
        article,
        json!({"article_guideline_id": article, "concurrency_limit": tool.at_once}),
    )
}

async fn questions(world: &World, tool: &LongTool, user: &str) -> (Uuid, Value) {
    let article = world.system.upload(user, GUIDELINE).await;
    let questions = 0..tool.pieces;
    let questions: Vec<String> = questions
        .map(|number| format!("What is {}?", piece(user, number)))
        .collect();
    (
        article,
        json!({"article_guideline_id": article, "queries": questions}),
    )
}

async fn bare(world: &World, user: &str) -> (Uuid, Value) {
    let article = world.system.upload(user, GUIDELINE).await;
    (article, json!({"article_guideline_id": article}))
}

async fn one_source(world: &World, user: &str) -> (Uuid, Value) {
    let (article, arguments) = bare(world, user).await;
    let url = format!("https://docs.example/{user}");
    let sources = [(&*url, "Vector stores keep the memory of agents.")];
    found(&world.system, user, article, &sources).await;
    (article, arguments)
}

async fn one_kept_source(world: &World, user: &str) -> (Uuid, Value) {
    let (article, arguments) = one_source(world, user).await;
    choose(world, article, "selected = true").await;
    (article, arguments)
}

async fn choose(world: &World, article: Uuid, choice: &'static str) {
    let choice = format!("UPDATE research_sources SET {choice} WHERE article_id = $1");
    let choice = sqlx::query(sqlx::AssertSqlSafe(choice)).bind(article);
    choice.execute(&world.system.database.pool()).await.unwrap();
}
