//! Keeps sources that the calling agent found itself: with it, research needs no search provider.
//!
//! They are validated and numbered like any other, and a source that the article has already gets a
//! further answer.

mod arguments;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nova_runtime::{App, ConfigError, Function, Problem, Routes, Tool, ToolCall};
use nova_store::{Added, AnsweredQuery, ArticleStatus, FoundSource};
use serde::Serialize;

use self::arguments::Sources;

/// The function.
pub const FUNCTION: Function = Function::service(
    "add_sources",
    "Keeps sources that the calling agent found itself.",
    set_up,
)
.with_database();

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    Ok(Routes::new().tool(app, AddSources))
}

struct AddSources;

#[derive(Serialize)]
struct Answer {
    status: &'static str,
    sources_added: u64,
    /// Further answers of sources that the article had.
    answers_added: u64,
    message: String,
}

impl Tool for AddSources {
    const NAME: &'static str = "add_sources";
    type Arguments = Sources;
    type Answer = Answer;

    fn run(&self, call: ToolCall, given: Sources) -> BoxFuture<'_, Result<Answer, Problem>> {
        Box::pin(async move {
            let article = call.article.id;
            let answered = answered(given);
            let mut tenant = call.tenant().await?;
            tenant.advance(article, ArticleStatus::Researching).await?;
            let added = tenant
                .add_research(article, call.call_id, 0, &answered)
                .await?;
            tenant.commit().await?;
            Ok(Answer::new(added))
        })
    }
}

fn answered(given: Sources) -> AnsweredQuery {
    let sources = given.findings.sources.into_iter();
    AnsweredQuery {
        query: given.query.into(),
        provider: None,
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

impl Answer {
    fn new(added: Added) -> Self {
        let Added { sources, answers } = added;
        Self {
            status: "success",
            sources_added: sources,
            answers_added: answers,
            message: format!(
                "Added {sources} new sources, and {answers} further answers of sources that were there."
            ),
        }
    }
}
