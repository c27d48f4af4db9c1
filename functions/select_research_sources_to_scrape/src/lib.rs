//! Chooses which of the kept sources are worth reading in full.
//!
//! Only addresses of kept sources can be chosen, each page once, and none that is stored already or
//! that is a video. The best come first, of as many publishers as there are
//! ([`nova_research::ranking`]). A choice replaces the one before it, in one transaction.

use std::{collections::HashSet, sync::Arc};

use futures_util::future::BoxFuture;
use nova_blobs::Blobs;
use nova_research::{
    guideline::{Guideline, MAX_GUIDELINE_BYTES},
    identity::identity,
    outline::Outline,
    ranking::{Candidate, Choice, choose, most_diverse},
    url::{Kind, SourceUrl},
};
use nova_runtime::{
    App, ConfigError, Function, Problem, Routes,
    jobs::{Failure, LongTool, Work},
    receipts::Receipts,
};
use nova_store::{Article, JobItem, ResearchSource, Source, SourceKind, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::spawn_blocking;

/// The function.
pub const FUNCTION: Function = Function::service(
    "select_research_sources_to_scrape",
    "Chooses which of the kept sources are read in full.",
    set_up,
)
.with_database();

const USUAL: i64 = 5;
const MOST: i64 = 50;

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let tool = SelectToScrape {
        blobs: Blobs::from_app(app)?,
    };
    Ok(Routes::new().long_tool(app, tool))
}

struct SelectToScrape {
    blobs: Blobs,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    #[serde(default = "usual")]
    max_sources: i64,
}

const fn usual() -> i64 {
    USUAL
}

/// The result object; all fields but `method` and `decided_by` are those that users know.
#[derive(Serialize)]
struct Answer {
    status: &'static str,
    /// Their addresses, the best first.
    sources_selected: Vec<String>,
    sources_selected_count: usize,
    reasoning: String,
    /// How the choice was made.
    method: &'static str,
    /// Who made it.
    decided_by: &'static str,
    message: String,
    /// Their numbers, as they are kept.
    #[serde(skip)]
    numbers: Vec<i64>,
}

impl LongTool for SelectToScrape {
    const NAME: &'static str = "select_research_sources_to_scrape";
    const REPLACES: bool = true;
    type Arguments = Arguments;
    type Paid = Answer;

    fn check(&self, arguments: &Arguments) -> Result<(), Problem> {
        match arguments.max_sources {
            1..=MOST => Ok(()),
            other => {
                let detail = format!("must be a whole number from 1 to {MOST}; it is {other}");
                Err(Problem::bad_field("max_sources", detail))
            }
        }
    }

    fn revision<'a>(
        &'a self,
        tenant: &'a mut Tenant,
        article: &'a Article,
    ) -> BoxFuture<'a, Result<String, Problem>> {
        Box::pin(async move {
            let sources = tenant.research_sources(article.id).await?;
            if sources.iter().all(|source| source.selected.is_none()) {
                return Err(Problem::conflict(
                    "No source was selected yet. Call select_research_sources_to_keep first.",
                ));
            }
            let kept: Vec<i64> = kept(&sources).map(|source| source.source_no).collect();
            let mut stored: Vec<_> = stored(&tenant.document_sources(article.id).await?)
                .into_iter()
                .collect();
            stored.sort_unstable();
            Ok(format!("{kept:?} {stored:?}"))
        })
    }

    fn fetch<'a>(
        &'a self,
        work: &'a Work<Arguments>,
        _piece: &'a str,
        _: &'a Receipts,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(async move { Ok(self.choose(work).await?) })
    }

    fn keep<'a>(
        &'a self,
        work: &'a Work<Arguments>,
        tenant: &'a mut Tenant,
        _: &'a JobItem,
        paid: &'a Answer,
    ) -> BoxFuture<'a, Result<Value, Problem>> {
        Box::pin(async move {
            tenant
                .choose_to_scrape(work.article.id, &paid.numbers)
                .await?;
            serde_json::to_value(paid).map_err(Problem::internal)
        })
    }
}

impl SelectToScrape {
    async fn choose(&self, work: &Work<Arguments>) -> Result<Answer, Problem> {
        let article = work.article.id;
        let mut tenant = work.app.tenant(&work.user).await?;
        let sources = tenant.research_sources(article).await?;
        let stored = stored(&tenant.document_sources(article).await?);
        tenant.commit().await?;

        let guideline = &work.article.guideline;
        let guideline = self
            .blobs
            .read_up_to(guideline, MAX_GUIDELINE_BYTES as u64)
            .await?;
        let guideline = Guideline::parse(guideline).map_err(Problem::internal)?;
        let most = usize::try_from(work.arguments.max_sources).map_err(Problem::internal)?;
        let think = move || think(&guideline, &sources, stored, most);
        spawn_blocking(think).await.map_err(Problem::internal)
    }
}

fn kept(sources: &[ResearchSource]) -> impl Iterator<Item = &ResearchSource> {
    sources
        .iter()
        .filter(|source| source.selected == Some(true))
}

/// What is there already, by identity: it is not read again.
fn stored(sources: &[Source]) -> HashSet<String> {
    let pages = sources.iter().filter(|it| it.kind != SourceKind::LocalFile);
    pages
        .filter_map(|source| SourceUrl::parse(&source.title).ok())
        .map(|url| identity(&url))
        .collect()
}

fn think(
    guideline: &Guideline,
    sources: &[ResearchSource],
    mut taken: HashSet<String>,
    most: usize,
) -> Answer {
    let kept_count = kept(sources).count();
    let mut candidates = Vec::new();
    for source in kept(sources) {
        let Ok(url) = SourceUrl::parse(&source.url) else {
            continue;
        };
        if url.kind() != Kind::Youtube && taken.insert(identity(&url)) {
            candidates.push(Candidate {
                number: source.source_no,
                url: url.as_str().to_owned(),
                title: source.title.clone(),
                published: source.published.clone(),
                questions: source.questions.clone(),
                answers: source.answers.clone(),
            });
        }
    }
    let cited: Vec<String> = guideline
        .extract()
        .sources
        .into_iter()
        .map(|it| it.url)
        .collect();
    let choices = choose(&Outline::of(guideline), &cited, &candidates);
    let chosen = most_diverse(&choices, most);
    Answer::new(&candidates, &chosen, kept_count)
}

impl Answer {
    fn new(candidates: &[Candidate], chosen: &[&Choice], kept: usize) -> Self {
        let url = |number| {
            let candidate = candidates.iter().find(|it| it.number == number);
            candidate.map(|it| it.url.clone()).unwrap_or_default()
        };
        let numbers: Vec<i64> = chosen.iter().map(|it| it.scored.number).collect();
        let reasons = chosen
            .iter()
            .map(|it| format!("{}: {}", url(it.scored.number), it.reason));
        let reasoning = match numbers.len() {
            0 => format!("Of the {kept} kept sources none is a page that is not stored already."),
            _ => reasons.collect::<Vec<_>>().join("\n"),
        };
        let message = format!(
            "Chose {} of {} pages that could be read in full, of {kept} kept sources, by the ranking, \
             without a language model.\n{reasoning}",
            numbers.len(),
            candidates.len()
        );
        Self {
            status: "success",
            sources_selected: numbers.iter().map(|&number| url(number)).collect(),
            sources_selected_count: numbers.len(),
            reasoning,
            method: "deterministic",
            decided_by: "ranking",
            message,
            numbers,
        }
    }
}
