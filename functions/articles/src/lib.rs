//! A user's articles: list them, look at one with its sources and history, delete one.

use std::sync::Arc;

use http::{StatusCode, header};
use nova_runtime::{
    Access, App, Call, ConfigError, Function, Problem, Response, Routes, Scope,
    body::{Body, empty},
    json, rfc3339,
};
use nova_store::{
    Article, ArticleStatus, ArticleSummary, Cursor, Job, ResearchCounts, Source, Spent,
    StatusChange,
};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function = Function::service(
    "articles",
    "Lists, shows and deletes a user's articles.",
    set_up,
)
.with_database();

const PAGE_SIZE: u32 = 20;
const MAX_PAGE_SIZE: u32 = 100;

fn set_up(_app: &Arc<App>) -> Result<Routes, ConfigError> {
    let read = Access::Token(&[Scope::ResearchRead]);
    let run = Access::Token(&[Scope::ResearchRun]);
    Ok(Routes::new()
        .get("/articles", read, list)
        .get("/articles/{id}", read, show)
        .delete("/articles/{id}", run, delete))
}

/// One page of the list. `next` is the value for `cursor` that gives the following page.
#[derive(Serialize)]
struct List {
    articles: Vec<Summary>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Summary {
    article_guideline_id: Uuid,
    title: Option<String>,
    status: &'static str,
    has_research: bool,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
struct Detail {
    article_guideline_id: Uuid,
    title: Option<String>,
    status: &'static str,
    created_at: String,
    updated_at: String,
    guideline_bytes: u64,
    research_bytes: Option<u64>,
    download_url: Option<String>,
    extracted_urls: Option<Box<RawValue>>,
    progress: Progress,
    sources: Vec<SourceEntry>,
    history: Vec<Change>,
}

/// How far the research has come, as whoever does it unattended tells as well.
#[derive(Serialize)]
struct Progress {
    /// The step that goes on; null while none does.
    running: Option<Running>,
    questions_answered: u64,
    sources_found: u64,
    sources_kept: u64,
    sources_chosen: u64,
    /// Calls of providers, whatever came of them.
    provider_calls: i64,
    /// What they cost in US dollars, as far as providers say it.
    cost_usd: f64,
    /// Those that do not: `cost_usd` is the whole when there are none.
    cost_not_told_by: Vec<String>,
}

/// A long tool at work.
#[derive(Serialize)]
struct Running {
    job_id: Uuid,
    tool: String,
    /// Pieces that are done or were given up.
    done: u64,
    /// Pieces altogether; 0 while that is not known.
    total: u64,
    note: Option<String>,
    since: String,
}

#[derive(Serialize)]
struct SourceEntry {
    kind: &'static str,
    /// The address, or the file's name.
    name: String,
    /// What it calls itself.
    title: Option<String>,
    bytes: u64,
    added_at: String,
    /// When it was last looked at where it comes from.
    fetched_at: Option<String>,
}

#[derive(Serialize)]
struct Change {
    from: Option<&'static str>,
    to: &'static str,
    tool: Option<String>,
    at: String,
}

async fn list(call: Call) -> Result<Response, Problem> {
    let limit = call.query_number("limit", PAGE_SIZE, 1..=MAX_PAGE_SIZE)?;
    let before = call
        .query("cursor")
        .map(|text| text.parse::<Cursor>())
        .transpose()
        .map_err(|_not_a_cursor| {
            Problem::bad_field("cursor", "not the `next` of a page of this list")
        })?;
    let page = call.tenant().await?.articles(before, limit).await?;
    let list = List {
        articles: page.articles.into_iter().map(Summary::from).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    };
    Ok(json(StatusCode::OK, &list))
}

async fn show(call: Call) -> Result<Response, Problem> {
    let id = call.path_id("id", "article")?;
    let mut tenant = call.tenant().await?;
    let article = tenant.article(id).await?;
    let sources = tenant.document_sources(id).await?;
    let history = tenant.status_history(id).await?;
    let progress = Progress::new(
        tenant.live_job(id).await?,
        tenant.research_counts(id).await?,
        &tenant.spent_on(id).await?,
    );
    drop(tenant);
    let download = call.app().download_url(id);
    Ok(json(
        StatusCode::OK,
        &Detail::new(article, sources, history, progress, download),
    ))
}

async fn delete(call: Call) -> Result<Response, Problem> {
    let id = call.path_id("id", "article")?;
    let mut tenant = call.tenant().await?;
    tenant.delete_article(id).await?;
    tenant.commit().await?;
    let mut response: http::Response<Body> = Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().remove(header::CONTENT_TYPE);
    Ok(response)
}

impl From<ArticleSummary> for Summary {
    fn from(article: ArticleSummary) -> Self {
        Self {
            article_guideline_id: article.id,
            title: article.title,
            status: article.status.as_str(),
            has_research: article.has_research,
            created_at: rfc3339(article.created_at),
            updated_at: rfc3339(article.updated_at),
        }
    }
}

impl Detail {
    fn new(
        article: Article,
        sources: Vec<Source>,
        history: Vec<StatusChange>,
        progress: Progress,
        download_url: String,
    ) -> Self {
        Self {
            article_guideline_id: article.id,
            title: article.title,
            status: article.status.as_str(),
            created_at: rfc3339(article.created_at),
            updated_at: rfc3339(article.updated_at),
            guideline_bytes: article.guideline.size,
            research_bytes: article.research.as_ref().map(|research| research.size),
            download_url: article.research.is_some().then_some(download_url),
            extracted_urls: article.extracted_urls,
            progress,
            sources: sources.into_iter().map(SourceEntry::from).collect(),
            history: history.into_iter().map(Change::from).collect(),
        }
    }
}

impl Progress {
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody pays so much that it would matter"
    )]
    fn new(running: Option<Job>, counts: ResearchCounts, spent: &[Spent]) -> Self {
        let micros: i64 = spent.iter().map(|it| it.cost_micros).sum();
        Self {
            running: running.map(Running::from),
            questions_answered: counts.questions,
            sources_found: counts.found,
            sources_kept: counts.kept,
            sources_chosen: counts.chosen,
            provider_calls: spent.iter().map(|it| it.calls).sum(),
            cost_usd: micros as f64 / 1e6,
            cost_not_told_by: Spent::silent(spent),
        }
    }
}

impl From<Job> for Running {
    fn from(job: Job) -> Self {
        Self {
            job_id: job.id,
            tool: job.tool,
            done: job.settled,
            total: job.total,
            note: job.note,
            since: rfc3339(job.created_at),
        }
    }
}

impl From<Source> for SourceEntry {
    fn from(source: Source) -> Self {
        Self {
            kind: source.kind.as_str(),
            name: source.title,
            title: source.page_title,
            bytes: source.blob.size,
            added_at: rfc3339(source.created_at),
            fetched_at: source.fetched_at.map(rfc3339),
        }
    }
}

impl From<StatusChange> for Change {
    fn from(change: StatusChange) -> Self {
        Self {
            from: change.from.map(ArticleStatus::as_str),
            to: change.to.as_str(),
            tool: change.tool,
            at: rfc3339(change.at),
        }
    }
}
