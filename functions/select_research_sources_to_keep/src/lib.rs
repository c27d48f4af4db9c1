//! Chooses which of the found sources are kept for the document.
//!
//! Sources are judged by a language model, where one is configured, and else, or when it fails, by a
//! ranking that needs no provider ([`nova_research::ranking`]). Only numbers of sources that are there
//! count. The caller has the last word: `keep` and `drop` name sources that are kept, or left out, in
//! any case. All sources that are there when it begins are judged at once, in one transaction, and a choice
//! replaces the one before it. When none is kept, none is in the document.

mod answer;
mod prompt;

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::BoxFuture;
use nova_blobs::Blobs;
use nova_providers::llm::{self, Advice, Llm, Prompt};
use nova_research::{
    guideline::Guideline,
    outline::Outline,
    prompt::GUIDELINE_TOKENS,
    ranking::{Candidate, Choice, SOURCES_TOKENS, choose, shown},
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

use self::{
    answer::{Answer, Judged},
    prompt::Said,
};

/// The function.
pub const FUNCTION: Function = Function::service(
    "select_research_sources_to_keep",
    "Chooses which of the found sources are kept for the document.",
    set_up,
)
.with_database();

/// Its calls, where the work is left to the function.
pub const CALLS: Function = FUNCTION.calls_of::<SelectToKeep>();

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let tool = SelectToKeep {
        blobs: Blobs::from_app(app)?,
        llm: llm::configured(app)?,
    };
    Ok(Routes::new().long_tool(app, tool))
}

struct SelectToKeep {
    blobs: Blobs,
    llm: Option<Arc<dyn Llm>>,
}

/// Numbers of sources, whatever the choice would be.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Arguments {
    keep: BTreeSet<i64>,
    drop: BTreeSet<i64>,
}

impl Arguments {
    /// Whether the caller has decided on a source.
    fn decide(&self, number: i64) -> bool {
        self.keep.contains(&number) || self.drop.contains(&number)
    }
}

impl LongTool for SelectToKeep {
    const NAME: &'static str = "select_research_sources_to_keep";
    const REPLACES: bool = true;
    type Arguments = Arguments;
    type Paid = Answer;

    fn check(arguments: &Arguments) -> Result<(), Problem> {
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
        _: &'a App,
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
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(async move { Ok(self.judge(work, receipts).await?) })
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
            let because = paid.ranked_because.as_deref();
            tenant
                .keep_research(article, &paid.judged(), &paid.selected_source_ids, because)
                .await?;
            serde_json::to_value(paid).map_err(Problem::internal)
        })
    }
}

impl SelectToKeep {
    async fn judge(&self, work: &Work<Arguments>, receipts: &Receipts) -> Result<Answer, Problem> {
        let mut tenant = work.app.tenant(&work.user).await?;
        let sources = tenant.research_sources(work.article.id).await?;
        tenant.commit().await?;
        require_known(&work.arguments, &sources)?;

        let guideline = self.blobs.read_whole(&work.article.guideline).await?;
        let guideline = Guideline::parse(guideline).map_err(Problem::internal)?;
        let (llm, arguments) = (self.llm.as_deref(), work.arguments.clone());
        let ask = llm.is_some();
        let think = move || Thoughts::of(&guideline, sources, &arguments, ask);
        let thoughts = spawn_blocking(think).await.map_err(Problem::internal)?;
        let advice = Advice::ask(llm, thoughts.prompt.as_ref(), receipts).await;
        Ok(thoughts.judged(advice, &work.arguments))
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

/// What the ranking says, and what a model is asked.
struct Thoughts {
    candidates: Vec<Candidate>,
    ranked: Vec<Choice>,
    /// The sources that it is asked about: none that the caller has decided on.
    asked: BTreeSet<i64>,
    prompt: Option<Prompt>,
}

impl Thoughts {
    fn of(
        guideline: &Guideline,
        sources: Vec<ResearchSource>,
        arguments: &Arguments,
        ask: bool,
    ) -> Self {
        let outline = Outline::of(guideline);
        let candidates: Vec<Candidate> = sources.into_iter().map(candidate).collect();
        let ranked = choose(&outline, &guideline.cited(), &candidates);
        let is_open = |choice: &&Choice| !arguments.decide(choice.scored.number);
        let open: Vec<Choice> = ranked.iter().filter(is_open).cloned().collect();
        let shown = ask.then(|| shown(&outline, &candidates, &open, SOURCES_TOKENS));
        let shown = shown.unwrap_or_default();
        let asked = shown.iter().map(|(number, _)| *number).collect();
        let prompt = (!shown.is_empty())
            .then(|| prompt::prompt(outline.brief(guideline, GUIDELINE_TOKENS), shown));
        Self {
            candidates,
            ranked,
            asked,
            prompt,
        }
    }

    /// The caller's word counts before the model's, and the model's before the ranking's.
    fn judged(self, advice: Advice, arguments: &Arguments) -> Answer {
        let named = advice.said::<Said>().map(|said| said.keep);
        let (advice, dropped) = advice.about(named.into_iter().flatten(), &self.asked);
        let said: Option<Said> = advice.said();
        let judged = self.ranked.into_iter().map(|choice| {
            let number = choice.scored.number;
            let url = self.candidates.iter().find(|it| it.number == number);
            let by_caller = arguments.decide(number);
            let (kept, reason) = match &said {
                _ if by_caller => (
                    arguments.keep.contains(&number),
                    "As the caller wants it.".to_owned(),
                ),
                Some(said) if self.asked.contains(&number) => said.of(number),
                _ => (choice.is_kept(), choice.reason),
            };
            Judged {
                source: number,
                url: url.map(|it| it.url.clone()).unwrap_or_default(),
                kept,
                reason,
                by_caller,
            }
        });
        Answer::new(judged.collect(), dropped, &advice)
    }
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
