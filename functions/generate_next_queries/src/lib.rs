//! Proposes the next questions: what the guideline asks, and what is covered least so far.
//!
//! What is stored is read and measured against the guideline's sections. A language model, where one
//! is configured, is shown that and proposes; none of its questions is taken that was asked before.
//! Without one, or when it fails, questions come from the guideline and from the sides of it that
//! were not asked about ([`nova_research::questions`]). Nothing is written: who calls chooses among
//! the questions and has them answered.

mod answer;
mod prompt;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nova_blobs::Blobs;
use nova_providers::llm::{self, Advice, Llm, Prompt};
use nova_research::{
    coverage::{Covered, Library, Text},
    guideline::Guideline,
    outline::Outline,
};
use nova_runtime::{
    App, ConfigError, Function, Problem, Routes,
    jobs::{Failure, LongTool, Work},
    receipts::Receipts,
};
use nova_store::{Article, JobItem, Source, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::spawn_blocking;

use self::answer::Answer;

/// The function.
pub const FUNCTION: Function = Function::service(
    "generate_next_queries",
    "Proposes the questions for the next round of research.",
    set_up,
)
.with_database();

/// Its calls, where the work is left to the function.
pub const CALLS: Function = FUNCTION.calls_of::<GenerateNextQueries>();

const USUAL: i64 = 5;
const MOST: i64 = 20;
/// So much is read of everything that is stored, in bytes; each text gets its share.
const LIBRARY_BYTES: u64 = 24 << 20;
/// And so much of a text at most: what it is about is told by then.
const TEXT_BYTES: u64 = 512 << 10;

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let tool = GenerateNextQueries {
        blobs: Blobs::from_app(app)?,
        llm: llm::configured(app)?,
    };
    Ok(Routes::new().long_tool(app, tool))
}

struct GenerateNextQueries {
    blobs: Blobs,
    llm: Option<Arc<dyn Llm>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    #[serde(default = "usual")]
    n_queries: i64,
}

const fn usual() -> i64 {
    USUAL
}

impl LongTool for GenerateNextQueries {
    const NAME: &'static str = "generate_next_queries";
    type Arguments = Arguments;
    type Paid = Answer;

    fn check(arguments: &Arguments) -> Result<(), Problem> {
        match arguments.n_queries {
            1..=MOST => Ok(()),
            _ => Err(Problem::out_of_range("n_queries", &(1..=MOST))),
        }
    }

    fn revision<'a>(
        _: &'a App,
        tenant: &'a mut Tenant,
        article: &'a Article,
    ) -> BoxFuture<'a, Result<String, Problem>> {
        Box::pin(async move {
            let sources = tenant.document_sources(article.id).await?;
            let asked = tenant.research_questions(article.id).await?;
            let stored: Vec<(_, _)> = sources.iter().map(|it| (it.id, it.updated_at)).collect();
            Ok(format!("{stored:?} {asked:?}"))
        })
    }

    fn fetch<'a>(
        &'a self,
        work: &'a Work<Arguments>,
        _piece: &'a str,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(async move { Ok(self.answer_to(work, receipts).await?) })
    }

    fn keep<'a>(
        &'a self,
        _: &'a Work<Arguments>,
        _: &'a mut Tenant,
        _: &'a JobItem,
        paid: &'a Answer,
    ) -> BoxFuture<'a, Result<Value, Problem>> {
        Box::pin(async move { serde_json::to_value(paid).map_err(Problem::internal) })
    }
}

impl GenerateNextQueries {
    async fn answer_to(
        &self,
        work: &Work<Arguments>,
        receipts: &Receipts,
    ) -> Result<Answer, Problem> {
        let article = work.article.id;
        let mut tenant = work.app.tenant(&work.user).await?;
        let sources = tenant.document_sources(article).await?;
        let found = tenant.research_sources(article).await?;
        let asked = tenant.research_questions(article).await?;
        tenant.commit().await?;

        let guideline = self.blobs.read_whole(&work.article.guideline).await?;
        let guideline = Guideline::parse(guideline).map_err(Problem::internal)?;
        let mut texts = self.stored(sources).await?;
        texts.extend(found.into_iter().map(|source| Text {
            title: source.url,
            body: source.answers.join("\n\n"),
        }));
        let wanted = usize::try_from(work.arguments.n_queries).map_err(Problem::internal)?;
        let llm = self.llm.as_deref();
        let ask = llm.map(|_| wanted);
        let think = move || Thoughts::of(&guideline, texts, asked, ask);
        let thoughts = spawn_blocking(think).await.map_err(Problem::internal)?;
        let advice = Advice::ask(llm, thoughts.prompt.as_ref(), receipts).await;
        let Thoughts {
            outline,
            coverage,
            asked,
            ..
        } = thoughts;
        Ok(Answer::new(&advice, &outline, coverage, &asked, wanted))
    }

    /// The stored texts, or their beginnings, so that all of them together fit.
    async fn stored(&self, sources: Vec<Source>) -> Result<Vec<Text>, Problem> {
        let share = LIBRARY_BYTES / sources.len().max(1) as u64;
        let mut texts = Vec::with_capacity(sources.len());
        for source in sources {
            let bytes = self
                .blobs
                .read_up_to(&source.blob, share.min(TEXT_BYTES))
                .await?;
            texts.push(Text {
                title: source.title,
                // A beginning may end inside of a letter.
                body: String::from_utf8_lossy(&bytes).into_owned(),
            });
        }
        Ok(texts)
    }
}

/// All that a proposal goes by, and what a model is asked.
struct Thoughts {
    outline: Outline,
    coverage: Vec<Covered>,
    asked: Vec<String>,
    prompt: Option<Prompt>,
}

impl Thoughts {
    fn of(guideline: &Guideline, texts: Vec<Text>, asked: Vec<String>, ask: Option<usize>) -> Self {
        let outline = Outline::of(guideline);
        let mut library = Library::new();
        for text in texts {
            library.add(text);
        }
        let coverage = library.coverage(&outline);
        let prompt = ask.map(|count| {
            let found = (&library, &*coverage);
            prompt::prompt(guideline, &outline, found, &asked, count)
        });
        Self {
            outline,
            coverage,
            asked,
            prompt,
        }
    }
}
