//! Puts questions to a search provider, and keeps the sources that answer them.
//!
//! Its name is the one that agents know; who is asked is a matter of the settings. Each question is
//! kept as soon as it is answered, so that one that fails takes no other with it, and one that was
//! answered for this article within a day is not paid for again.

mod answer;
mod questions;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use nova_providers::search::{self, Answered, Search};
use nova_research::query::Query;
use nova_runtime::{
    App, ConfigError, Function, Problem, Routes,
    jobs::{Failure, LongTool, Work},
    receipts::Receipts,
};
use nova_store::{
    AnsweredBefore, AnsweredQuery, Article, ArticleStatus, FoundSource, JobItem, Tenant,
};
use serde_json::{Value, to_value};

use self::{
    answer::{Answer, Kept},
    questions::Questions,
};

/// The function.
pub const FUNCTION: Function = Function::service(
    "run_perplexity_research",
    "Puts questions to a search provider and keeps the sources that answer them.",
    set_up,
)
.with_database();

/// Its calls, where the work is left to the function.
pub const CALLS: Function = FUNCTION.calls_of::<RunPerplexityResearch>();

/// How long an answer is as good as a new one.
const FRESH: Duration = Duration::from_hours(24);

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let search = search::configured(app)?;
    Ok(Routes::new().long_tool(app, RunPerplexityResearch { search }))
}

struct RunPerplexityResearch {
    search: Option<Arc<dyn Search>>,
}

/// Where the answer to a question comes from.
enum Paid {
    Now(Answered),
    Before(AnsweredBefore),
}

impl LongTool for RunPerplexityResearch {
    const NAME: &'static str = "run_perplexity_research";
    type Arguments = Questions;
    type Paid = Paid;

    fn check(questions: &Questions) -> Result<(), Problem> {
        questions.check()
    }

    /// One after the other: sources get their numbers in the order of the questions, so that the
    /// same answers make the same document, and a process that dies had paid for one at most that
    /// it could not keep.
    fn at_once(&self, _: &Questions) -> usize {
        1
    }

    fn revision<'a>(
        app: &'a App,
        _: &'a mut Tenant,
        _: &'a Article,
    ) -> BoxFuture<'a, Result<String, Problem>> {
        // Told to the article's owner alone. Else it goes by its questions.
        Box::pin(async {
            let chosen = search::chosen(app.config()).map_err(Problem::internal)?;
            let provider = chosen.ok_or_else(search::not_configured)?;
            Ok(format!("{provider:?}"))
        })
    }

    fn pieces<'a>(
        &'a self,
        work: &'a Work<Questions>,
    ) -> BoxFuture<'a, Result<Vec<String>, Problem>> {
        Box::pin(async { Ok(work.arguments.texts()) })
    }

    fn fetch<'a>(
        &'a self,
        work: &'a Work<Questions>,
        piece: &'a str,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Paid, Failure>> {
        Box::pin(async move {
            let before = answered_before(work, piece).await?;
            if let Some(before) = before {
                return Ok(Paid::Before(before));
            }
            let Some(search) = &self.search else {
                return Err(search::not_configured().into());
            };
            let query = Query::parse(piece).map_err(|error| Failure::Never(error.to_string()))?;
            Ok(Paid::Now(search.search(&query, receipts).await?))
        })
    }

    fn keep<'a>(
        &'a self,
        work: &'a Work<Questions>,
        tenant: &'a mut Tenant,
        piece: &'a JobItem,
        paid: &'a Paid,
    ) -> BoxFuture<'a, Result<Value, Problem>> {
        Box::pin(async move {
            let article = work.article.id;
            tenant.advance(article, ArticleStatus::Researching).await?;
            let kept = match paid {
                Paid::Before(before) => Kept::before(before),
                Paid::Now(answered) => {
                    let provider = self.search.as_ref().map(|search| search.provider());
                    let query = answered_query(&piece.key, provider, answered);
                    let added = tenant
                        .add_research(article, work.job_id, piece.position, &query)
                        .await?;
                    Kept::now(provider, added, answered)
                }
            };
            to_value(kept).map_err(Problem::internal)
        })
    }

    fn answer(&self, work: &Work<Questions>, pieces: &[JobItem]) -> Result<Value, Problem> {
        let answer = Answer::of(work.article.id, pieces).map_err(Problem::internal)?;
        to_value(answer).map_err(Problem::internal)
    }
}

async fn answered_before(
    work: &Work<Questions>,
    query: &str,
) -> Result<Option<AnsweredBefore>, Problem> {
    let mut tenant = work.app.tenant(&work.user).await?;
    Ok(tenant
        .answered_before(work.article.id, query, FRESH)
        .await?)
}

fn answered_query(query: &str, provider: Option<&str>, answered: &Answered) -> AnsweredQuery {
    let sources = answered.findings.sources.iter().cloned();
    AnsweredQuery {
        query: query.to_owned(),
        provider: provider.map(str::to_owned),
        sources: sources
            .map(|found| FoundSource {
                identity: found.identity,
                url: found.url,
                title: found.title,
                published: found.published,
                answer: found.passage,
            })
            .collect(),
    }
}
