//! Chooses which of the found sources are kept for the document.
//!
//! Sources are judged by a ranking that needs no provider ([`nova_research::ranking`]), and the
//! caller has the last word: `keep` and `drop` name sources that are kept, or left out, in any case.
//! All sources are judged at once, in one transaction, and a choice replaces the one before it. When
//! none is kept, none is in the document.

mod answer;

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::BoxFuture;
use nova_blobs::Blobs;
use nova_research::{
    guideline::{Guideline, MAX_GUIDELINE_BYTES},
    outline::Outline,
    ranking::{Candidate, choose},
};
use nova_runtime::{
    App, ConfigError, Function, Problem, Routes,
    jobs::{Failure, LongTool, Work},
    receipts::Receipts,
};
use nova_store::{Article, ArticleStatus, JobItem, ResearchSource, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::spawn_blocking;

use self::answer::{Answer, Judged};

/// The function.
pub const FUNCTION: Function = Function::service(
    "select_research_sources_to_keep",
    "Chooses which of the found sources are kept for the document.",
    set_up,
)
.with_database();

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let tool = SelectToKeep {
        blobs: Blobs::from_app(app)?,
    };
    Ok(Routes::new().long_tool(app, tool))
}

struct SelectToKeep {
    blobs: Blobs,
}

/// Numbers of sources, whatever the choice would be.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Arguments {
    keep: BTreeSet<i64>,
    drop: BTreeSet<i64>,
}

impl LongTool for SelectToKeep {
    const NAME: &'static str = "select_research_sources_to_keep";
    const REPLACES: bool = true;
    type Arguments = Arguments;
    type Paid = Answer;

    fn check(&self, arguments: &Arguments) -> Result<(), Problem> {
        match arguments.keep.intersection(&arguments.drop).next() {
            None => Ok(()),
            Some(number) => {
                let detail =
                    format!("source {number} is in `keep` as well; name it in one of them");
                Err(Problem::bad_field("drop", detail))
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
            if sources.is_empty() {
                return Err(Problem::conflict(
                    "Nothing was found for this article yet. Call run_perplexity_research or add_sources first.",
                ));
            }
            let found: Vec<(i64, usize)> = sources
                .iter()
                .map(|source| (source.source_no, source.answers.len()))
                .collect();
            Ok(format!("{found:?}"))
        })
    }

    fn fetch<'a>(
        &'a self,
        work: &'a Work<Arguments>,
        _piece: &'a str,
        _: &'a Receipts,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(async move { Ok(self.judge(work).await?) })
    }

    fn keep<'a>(
        &'a self,
        work: &'a Work<Arguments>,
        tenant: &'a mut Tenant,
        _: &'a JobItem,
        paid: &'a Answer,
    ) -> BoxFuture<'a, Result<Value, Problem>> {
        Box::pin(async move {
            let article = work.article.id;
            tenant
                .advance(article, ArticleStatus::SelectingSources)
                .await?;
            tenant
                .keep_research(article, &paid.selected_source_ids)
                .await?;
            serde_json::to_value(paid).map_err(Problem::internal)
        })
    }
}

impl SelectToKeep {
    async fn judge(&self, work: &Work<Arguments>) -> Result<Answer, Problem> {
        let mut tenant = work.app.tenant(&work.user).await?;
        let sources = tenant.research_sources(work.article.id).await?;
        tenant.commit().await?;
        require_known(&work.arguments, &sources)?;

        let guideline = &work.article.guideline;
        let guideline = self
            .blobs
            .read_up_to(guideline, MAX_GUIDELINE_BYTES as u64)
            .await?;
        let guideline = Guideline::parse(guideline).map_err(Problem::internal)?;
        let arguments = work.arguments.clone();
        let think = move || think(&guideline, sources, &arguments);
        spawn_blocking(think).await.map_err(Problem::internal)
    }
}

/// Refuses numbers that the article does not have.
fn require_known(arguments: &Arguments, sources: &[ResearchSource]) -> Result<(), Problem> {
    let known: BTreeSet<i64> = sources.iter().map(|source| source.source_no).collect();
    for (field, numbers) in [("keep", &arguments.keep), ("drop", &arguments.drop)] {
        let unknown: Vec<String> = numbers.difference(&known).map(i64::to_string).collect();
        if !unknown.is_empty() {
            let unknown = unknown.join(", ");
            let detail = format!("the article has no source with the number {unknown}");
            return Err(Problem::bad_field(field, detail));
        }
    }
    Ok(())
}

fn think(guideline: &Guideline, sources: Vec<ResearchSource>, arguments: &Arguments) -> Answer {
    let cited: Vec<String> = guideline
        .extract()
        .sources
        .into_iter()
        .map(|it| it.url)
        .collect();
    let candidates: Vec<Candidate> = sources.into_iter().map(candidate).collect();
    let choices = choose(&Outline::of(guideline), &cited, &candidates);
    let judged = choices.into_iter().map(|choice| {
        let number = choice.scored.number;
        let url = candidates.iter().find(|it| it.number == number);
        let by_caller = arguments.keep.contains(&number) || arguments.drop.contains(&number);
        Judged {
            source: number,
            url: url.map(|it| it.url.clone()).unwrap_or_default(),
            kept: if by_caller {
                arguments.keep.contains(&number)
            } else {
                choice.is_kept()
            },
            reason: if by_caller {
                "As the caller wants it.".to_owned()
            } else {
                choice.reason
            },
            by_caller,
        }
    });
    Answer::new(judged.collect())
}

fn candidate(source: ResearchSource) -> Candidate {
    Candidate {
        number: source.source_no,
        url: source.url,
        title: source.title,
        published: source.published,
        questions: source.questions,
        answers: source.answers,
    }
}
