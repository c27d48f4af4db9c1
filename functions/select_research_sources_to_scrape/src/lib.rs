//! Chooses which of the kept sources are worth reading in full.
//!
//! Only addresses of kept sources can be chosen, each page once, and none that is stored already or
//! that is a video. A language model chooses, where one is configured, by number, and else, or when it
//! fails, the ranking does ([`nova_research::ranking`]). The best come first, of as many publishers as
//! there are. A choice replaces the one before it, in one transaction.

mod answer;
mod prompt;

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use nova_blobs::Blobs;
use nova_providers::llm::{self, Advice, Llm, Prompt};
use nova_research::{
    guideline::Guideline,
    identity::identity,
    outline::Outline,
    prompt::GUIDELINE_TOKENS,
    questions::sentence,
    ranking::{Candidate, Choice, SOURCES_TOKENS, choose, most_diverse, shown},
    url::{Kind, Reach, SourceUrl},
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

use self::{answer::Answer, prompt::Said};

/// The function.
pub const FUNCTION: Function = Function::service(
    "select_research_sources_to_scrape",
    "Chooses which of the kept sources are read in full.",
    set_up,
)
.with_database();

/// Its calls, where the work is left to the function.
pub const CALLS: Function = FUNCTION.calls_of::<SelectToScrape>();

const USUAL: i64 = 5;
const MOST: i64 = 50;

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let tool = SelectToScrape {
        blobs: Blobs::from_app(app)?,
        llm: llm::configured(app)?,
    };
    Ok(Routes::new().long_tool(app, tool))
}

struct SelectToScrape {
    blobs: Blobs,
    llm: Option<Arc<dyn Llm>>,
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

impl LongTool for SelectToScrape {
    const NAME: &'static str = "select_research_sources_to_scrape";
    const REPLACES: bool = true;
    type Arguments = Arguments;
    type Paid = Answer;

    fn check(arguments: &Arguments) -> Result<(), Problem> {
        match arguments.max_sources {
            1..=MOST => Ok(()),
            _ => Err(Problem::out_of_range("max_sources", &(1..=MOST))),
        }
    }

    fn revision<'a>(
        _: &'a App,
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
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(async move { Ok(self.choose(work, receipts).await?) })
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
    async fn choose(&self, work: &Work<Arguments>, receipts: &Receipts) -> Result<Answer, Problem> {
        let article = work.article.id;
        let mut tenant = work.app.tenant(&work.user).await?;
        let sources = tenant.research_sources(article).await?;
        let stored = stored(&tenant.document_sources(article).await?);
        tenant.commit().await?;

        let guideline = self.blobs.read_whole(&work.article.guideline).await?;
        let guideline = Guideline::parse(guideline).map_err(Problem::internal)?;
        let most = usize::try_from(work.arguments.max_sources).map_err(Problem::internal)?;
        let llm = self.llm.as_deref();
        let ask = llm.map(|_| most);
        let think = move || Thoughts::of(&guideline, &sources, stored, ask);
        let thoughts = spawn_blocking(think).await.map_err(Problem::internal)?;
        let advice = Advice::ask(llm, thoughts.prompt.as_ref(), receipts).await;
        Ok(thoughts.chosen(advice, most))
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
        .filter_map(|source| SourceUrl::parse_within(&source.title, Reach::OwnNetwork).ok())
        .map(|url| identity(&url))
        .collect()
}

/// What the ranking says, and what a model is asked.
struct Thoughts {
    kept: usize,
    candidates: Vec<Candidate>,
    ranked: Vec<Choice>,
    /// The sources that it is asked about: those that there is room to show.
    asked: BTreeSet<i64>,
    prompt: Option<Prompt>,
}

impl Thoughts {
    fn of(
        guideline: &Guideline,
        sources: &[ResearchSource],
        taken: HashSet<String>,
        ask: Option<usize>,
    ) -> Self {
        let candidates = candidates(sources, taken);
        let outline = Outline::of(guideline);
        let ranked = choose(&outline, &guideline.cited(), &candidates);
        let shown = ask.map(|_| shown(&outline, &candidates, &ranked, SOURCES_TOKENS));
        let shown = shown.unwrap_or_default();
        let asked = shown.iter().map(|(number, _)| *number).collect();
        let ask = ask.filter(|_| !shown.is_empty());
        let prompt =
            ask.map(|most| prompt::prompt(outline.brief(guideline, GUIDELINE_TOKENS), shown, most));
        Self {
            kept: kept(sources).count(),
            candidates,
            ranked,
            asked,
            prompt,
        }
    }

    /// The model's order where it gave one, and else the ranking's.
    fn chosen(self, advice: Advice, most: usize) -> Answer {
        let said = advice.said::<Said>().map(|said| said.chosen);
        let named = said.iter().flatten().map(|it| it.source);
        let (advice, dropped) = advice.about(named, &self.asked);
        let ranked = match advice.said::<Said>() {
            Some(said) => in_order(said, &self.ranked, &self.asked),
            None => self.ranked,
        };
        let chosen = most_diverse(&ranked, most);
        Answer::new(&self.candidates, &chosen, (self.kept, dropped), &advice)
    }
}

/// What the model names and was asked about, each once, in its order and with its reasons.
fn in_order(said: Said, ranked: &[Choice], asked: &BTreeSet<i64>) -> Vec<Choice> {
    let mut taken = HashSet::new();
    let named = said.chosen.into_iter().filter_map(|it| {
        let choice = ranked.iter().find(|one| one.scored.number == it.source)?;
        let is_new = asked.contains(&it.source) && taken.insert(it.source);
        is_new.then(|| Choice {
            reason: sentence(&it.reason),
            ..choice.clone()
        })
    });
    named.collect()
}

/// The pages that can be read: kept, not stored, no videos, each once.
fn candidates(sources: &[ResearchSource], mut taken: HashSet<String>) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for source in kept(sources) {
        // How far this deployment reaches was asked when it was found, and is asked by who reads it.
        let Ok(url) = SourceUrl::parse_within(&source.url, Reach::OwnNetwork) else {
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
    candidates
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(source_no: i64) -> ResearchSource {
        ResearchSource {
            source_no,
            url: format!("https://site-{source_no}.example/memory"),
            title: None,
            published: None,
            selected: Some(true),
            scrape_rank: None,
            questions: vec!["How do agents remember?".to_owned()],
            answers: vec!["Vector stores keep the memory of agents.".to_owned()],
        }
    }

    /// Of very many sources there is room to show some. What a model says of the others it has from
    /// nowhere, or from a page that told it to.
    #[test]
    fn a_source_that_was_not_shown_is_not_chosen() {
        let guideline = Guideline::parse("# How agents remember\n\n## Vector stores\n").unwrap();
        let sources: Vec<_> = (1..=250).map(source).collect();
        let thoughts = || Thoughts::of(&guideline, &sources, HashSet::new(), Some(5));
        let asked = thoughts().asked;
        let hidden = (1..=250).find(|number| !asked.contains(number)).unwrap();
        let shown = *asked.first().unwrap();
        let says = |numbers: &[i64]| Advice::Given {
            by: "Example",
            said: json!({"chosen": numbers.iter().map(|it| json!({"reason": "r", "source": it})).collect::<Value>()}),
        };
        let answer = thoughts().chosen(says(&[hidden, shown]), 5);
        assert_eq!((answer.numbers, answer.method), (vec![shown], "model"));
        let answer = thoughts().chosen(says(&[hidden]), 5);
        assert_eq!(answer.method, "deterministic");
        assert!(!answer.numbers.contains(&hidden));
    }
}
