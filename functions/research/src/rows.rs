//! What the rows say of an article: what its steps have left behind, and which call comes next.
//!
//! Each step's call has an id that follows from the article, the step, and the round or the number of
//! sources that it is about. While a job of that id is known it says what became of the step; jobs are
//! forgotten after a day, and then what they left behind says so. A job that failed or was cancelled
//! is over: the next call has another id, as often as it takes.
//!
//! The call that compiles the document of a run that was whole has an id of its own, which follows from
//! the number of rounds and from all that the document is made of. The history of the article names the
//! call that completed it: when that is the one which would come now, nothing is left to be done.

use std::{collections::BTreeMap, sync::Arc};

use nova_research::workflow::{Step, There};
use nova_runtime::{App, Problem};
use nova_store::{
    ArticleId, ArticleStatus, BlobRef, Error, Job, JobState, ResearchCounts, Source, SourceKind,
    StatusChange, Tenant, UserId,
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{arguments::MOST_ROUNDS, budget::Spending};

/// As it is now.
pub(crate) struct Rows {
    pub(crate) there: There,
    /// The id that the next call of each step has.
    pub(crate) calls: BTreeMap<Step, Uuid>,
    /// The id of the call that compiles the document, where the run was whole up to there.
    pub(crate) last_call: Uuid,
    /// The document, where such a run with as many rounds made it, or with more, and all that it is
    /// made of is the same since.
    pub(crate) finished: Option<BlobRef>,
    pub(crate) title: Option<String>,
    pub(crate) spending: Spending,
}

/// As much of an answer of `generate_next_queries` as matters here.
#[derive(Deserialize)]
struct Proposed {
    queries: Vec<(String, String)>,
}

impl Rows {
    pub(crate) async fn load(
        app: &Arc<App>,
        user: &UserId,
        article: ArticleId,
        rounds: u32,
    ) -> Result<Self, Problem> {
        let mut tenant = app.tenant(user).await?;
        let found = tenant.article(article).await?;
        let counts = tenant.research_counts(article).await?;
        let searched = tenant.research_calls(article).await?;
        let sources = tenant.document_sources(article).await?;
        let chosen = tenant.research_to_scrape(article).await?;
        let history = tenant.status_history(article).await?;
        let has = |kind| sources.iter().any(|source| source.kind == kind);
        let is_read = |url: &String| {
            let read = |it: &Source| it.kind == SourceKind::ScrapedResearchUrl && it.title == *url;
            sources.iter().any(read)
        };

        let mut there = There {
            found: number(counts.found),
            kept: number(counts.kept),
            chosen: number(counts.chosen),
            ..There::default()
        };
        if let Some(named) = found.extracted().map_err(Problem::internal)? {
            there.named = named;
            there.done.insert(Step::Extract);
        }
        let mut calls = BTreeMap::new();
        for step in Step::all(rounds) {
            let (job, next) = latest(&mut tenant, article, step, counts).await?;
            let is_done = match &job {
                Some(job) => job.state == JobState::Succeeded,
                None => match step {
                    Step::ReadPages => has(SourceKind::ScrapedUrl),
                    Step::ReadCode => has(SourceKind::GithubIngest),
                    Step::Transcribe => has(SourceKind::YoutubeTranscript),
                    Step::Search(_) => searched.contains(&next),
                    // What was chosen among these sources was then read, or tried to be.
                    Step::Choose => {
                        let reads = call_id(article, Step::ReadFound, counts, 0);
                        history.iter().any(|it| it.call_id == Some(reads))
                    }
                    Step::ReadFound => !chosen.is_empty() && chosen.iter().all(is_read),
                    _ => false,
                },
            };
            // All sources are judged at once, whoever did it; new ones make it due again.
            let is_judged = step == Step::Keep && counts.found > 0 && counts.unjudged == 0;
            if is_done || is_judged {
                there.done.insert(step);
            }
            if let (Step::Propose(round), Some(result)) = (step, job.and_then(|it| it.result)) {
                let said: Proposed =
                    serde_json::from_str(result.get()).map_err(Problem::internal)?;
                let questions = said.queries.into_iter().map(|(question, _)| question);
                there.proposed.insert(round, questions.collect());
            }
            calls.insert(step, next);
        }
        let spending = Spending::of(&tenant.spent_on(article).await?);
        let made_of = made_of(counts, &sources);
        let completed = completed_by(&history);
        let mut whole = (rounds..=MOST_ROUNDS).map(|rounds| last_call(article, rounds, &made_of));
        let is_finished = completed.is_some() && whole.any(|id| completed == Some(id));
        Ok(Self {
            there,
            calls,
            last_call: last_call(article, rounds, &made_of),
            // The caller may have had it compiled in another format.
            finished: found
                .research
                .filter(|it| is_finished && it.content_type.starts_with("text/markdown")),
            title: found.title,
            spending,
        })
    }
}

/// All that the document is made of, in short: another when something came, went or was replaced.
fn made_of(counts: ResearchCounts, sources: &[Source]) -> String {
    let sources: Vec<_> = sources.iter().map(|it| (it.id, it.updated_at)).collect();
    format!("{counts:?} {sources:?}")
}

fn last_call(article: ArticleId, rounds: u32, made_of: &str) -> Uuid {
    let tool = Step::Compile.tool();
    let name = format!("research/{tool}/whole/{rounds}/{made_of}");
    Uuid::new_v5(&article, name.as_bytes())
}

/// The call that made the document, where nothing has begun since.
fn completed_by(history: &[StatusChange]) -> Option<Uuid> {
    let last = history.last()?;
    last.call_id.filter(|_| last.to == ArticleStatus::Completed)
}

/// The job of a step's latest call, unless that is over and came to nothing; and the id of its next
/// call, which is the job's own while it goes on.
async fn latest(
    tenant: &mut Tenant,
    article: ArticleId,
    step: Step,
    counts: ResearchCounts,
) -> Result<(Option<Job>, Uuid), Problem> {
    let mut tries = 0_u32;
    loop {
        let id = call_id(article, step, counts, tries);
        match tenant.job(id).await {
            Ok(job) if matches!(job.state, JobState::Failed | JobState::Cancelled) => tries += 1,
            Ok(job) => return Ok((Some(job), id)),
            Err(Error::NotFound { .. }) => return Ok((None, id)),
            Err(error) => return Err(error.into()),
        }
    }
}

/// What is chosen among sources is chosen anew when there are more of them.
fn call_id(article: ArticleId, step: Step, counts: ResearchCounts, tries: u32) -> Uuid {
    let of = match step {
        Step::Propose(round) | Step::Search(round) => u64::from(round),
        Step::Keep | Step::Choose | Step::ReadFound => counts.found,
        Step::Extract | Step::ReadPages | Step::ReadCode | Step::Transcribe | Step::Compile => 0,
    };
    let name = format!("research/{}/{of}/{tries}", step.tool());
    Uuid::new_v5(&article, name.as_bytes())
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
