//! What the rows say of an article: what its steps have left behind, and which call comes next.
//!
//! Each step's call has an id that follows from the article, the step, and the round or the number of
//! sources that it is about. While a job of that id is known it says what became of the step; jobs are
//! forgotten after a day, and then what they left behind says so. A job that failed or was cancelled
//! is over: the next call has another id, as often as it takes.

use std::{collections::BTreeMap, sync::Arc};

use nova_research::workflow::{Step, There};
use nova_runtime::{App, Problem};
use nova_store::{ArticleId, Error, Job, JobState, ResearchCounts, SourceKind, Tenant, UserId};
use serde::Deserialize;
use uuid::Uuid;

use crate::budget::Spending;

/// As it is now.
pub(crate) struct Rows {
    pub(crate) there: There,
    /// The id that the next call of each step has.
    pub(crate) calls: BTreeMap<Step, Uuid>,
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
        let has = |kind| sources.iter().any(|source| source.kind == kind);

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
        Ok(Self {
            there,
            calls,
            title: found.title,
            spending,
        })
    }
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
