//! One run: step after step until the document is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use nova_blobs::Blobs;
use nova_providers::search;
use nova_research::workflow::Step;
use nova_runtime::{App, ConfigError, Problem, Routes};
use nova_store::{ArticleId, BlobRef, Job, UserId};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    arguments::{Order, Subject},
    budget::{Budget, Spending, Watch},
    document,
    outcome::{LeftOut, Outcome, Why},
    rows::Rows,
    tools,
};

/// The kind of the problem with which calls are refused that come too fast.
const TOO_MANY_AT_ONCE: &str = "too-many-at-once";
/// How long is waited where the problem does not say.
const A_WHILE: Duration = Duration::from_secs(1);

/// What happens in a run.
pub enum Event<'a> {
    /// It is known which article it is about.
    Article {
        /// The article.
        id: ArticleId,
        /// Its title.
        title: Option<&'a str>,
    },
    /// A step goes on.
    Under {
        /// Which.
        step: Place,
        /// The job that does it, as it is now.
        job: &'a Job,
        /// How long the run has taken.
        elapsed: Duration,
    },
    /// A step is done.
    Done {
        /// Which.
        step: Place,
        /// What it says.
        answer: &'a Value,
        /// How long it took.
        took: Duration,
        /// What the article has cost so far.
        spending: &'a Spending,
    },
    /// A step brought nothing.
    LeftOut {
        /// Which.
        step: Place,
        /// Why.
        left_out: &'a LeftOut,
    },
    /// A limit was reached, as these words say; what there is is compiled.
    Reached(&'a str),
}

/// A step among all.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Which.
    pub step: Step,
    /// From 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

/// Whoever is told.
pub type Tell = dyn Fn(Event<'_>) + Send + Sync;

/// The whole workflow, in the name of one user.
pub struct Research {
    app: Arc<App>,
    routes: Routes,
    blobs: Blobs,
    user: UserId,
    /// Whether anybody is configured who searches.
    searches: bool,
}

impl Research {
    /// Sets the steps up. Nothing is connected or asked yet.
    ///
    /// # Errors
    ///
    /// Settings that are missing or wrong.
    pub fn new(app: Arc<App>, user: UserId) -> Result<Self, ConfigError> {
        Ok(Self {
            routes: tools::routes(&app)?,
            blobs: Blobs::from_app(&app)?,
            user,
            searches: search::configured(&app)?.is_some(),
            app,
        })
    }

    /// The surroundings, for whoever has to stop them.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Does what is left to be done for the article of this order.
    ///
    /// # Errors
    ///
    /// When there is no document: its guideline cannot be read, the article is not there, the month's
    /// calls are used up, the database or the bucket stay away, or the process was told to stop.
    pub async fn run(&self, order: &Order, tell: &Arc<Tell>) -> Result<Outcome, Problem> {
        let article = match &order.subject {
            Subject::Article(id) => *id,
            Subject::Guideline(file) => {
                document::upload(&self.app, &self.routes, &self.user, file).await?
            }
        };
        let budget = Budget::new(&self.app, &self.user, article, order.limits);
        let run = Run {
            research: self,
            order,
            article,
            budget: Arc::new(budget),
            tell,
            done: BTreeSet::new(),
            proposed: BTreeMap::new(),
            left_out: Vec::new(),
        };
        run.go().await
    }
}

/// One run, and what is known of it beside the rows.
struct Run<'a> {
    research: &'a Research,
    order: &'a Order,
    article: ArticleId,
    budget: Arc<Budget>,
    tell: &'a Arc<Tell>,
    /// Steps that were done in this run. Rows say so too, but where another call did the same.
    done: BTreeSet<Step>,
    proposed: BTreeMap<u32, Vec<String>>,
    left_out: Vec<LeftOut>,
}

impl Run<'_> {
    async fn go(mut self) -> Result<Outcome, Problem> {
        let mut document = Value::Null;
        let mut rows = self.rows().await?;
        (self.tell)(Event::Article {
            id: self.article,
            title: rows.title.as_deref(),
        });
        while let Some(step) = self.next(&rows) {
            let answer = self.step(step, &rows).await;
            if self.research.app.is_stopping() {
                return Err(Problem::unavailable("It was told to stop.", Duration::ZERO));
            }
            if let Ok((answer, _)) = &answer {
                self.note(step, answer);
            }
            rows = self.rows().await?;
            match answer {
                Ok((answer, took)) => {
                    (self.tell)(Event::Done {
                        step: self.place(step),
                        answer: &answer,
                        took,
                        spending: &rows.spending,
                    });
                    if step == Step::Compile {
                        document = answer;
                    }
                }
                Err(problem) if is_fatal(step, &problem) => return Err(problem),
                // It was ended early, and what it brought is kept.
                Err(_) if self.budget.reached().is_some() => {}
                Err(problem) => self.leave_out(step, &problem),
            }
        }
        self.save().await?;
        let from_before = rows.finished.as_ref().filter(|_| self.done.is_empty());
        let is_from_before = from_before.is_some();
        if let Some(made) = from_before {
            document = self.where_it_is(made);
        }
        Ok(Outcome {
            article: self.article,
            document,
            is_from_before,
            left_out: self.left_out,
            reached: self.budget.reached(),
            spending: rows.spending,
            seconds: self.budget.elapsed().as_secs_f64(),
        })
    }

    /// The rows, and what this run knows beside them.
    async fn rows(&self) -> Result<Rows, Problem> {
        let Research { app, user, .. } = self.research;
        let mut rows = Rows::load(app, user, self.article, self.order.rounds).await?;
        // Unless the article is finished it is made anew: it costs nothing, and holds what there is.
        rows.there.done.remove(&Step::Compile);
        rows.there.done.extend(&self.done);
        for (round, questions) in &self.proposed {
            let known = rows.there.proposed.entry(*round);
            known.or_insert_with(|| questions.clone());
        }
        Ok(rows)
    }

    /// What comes next, within the budget. Where nobody searches no questions are thought out, which
    /// costs as well.
    fn next(&mut self, rows: &Rows) -> Option<Step> {
        if rows.finished.is_some() {
            return None;
        }
        let mut there = rows.there.clone();
        let left_out = self.left_out.iter().map(|it| it.step);
        there.left_out.extend(left_out);
        let mut step = there.next(self.order.rounds)?;
        if let (Step::Propose(round), false) = (step, self.research.searches) {
            let answers = Step::Search(round);
            self.leave_out(answers, &search::not_configured());
            there.left_out.insert(answers);
            step = there.next(self.order.rounds)?;
        }
        if step == Step::Compile || self.budget.allows(&rows.spending) {
            return Some(step);
        }
        if self.done.contains(&Step::Compile) {
            return None;
        }
        if let Some(reached) = self.budget.reached() {
            (self.tell)(Event::Reached(&reached));
        }
        Some(Step::Compile)
    }

    /// Does a step, in the call whose id the rows give.
    async fn step(&self, step: Step, rows: &Rows) -> Result<(Value, Duration), Problem> {
        let begun = Instant::now();
        let (tell, place, budget) = (
            Arc::clone(self.tell),
            self.place(step),
            Arc::clone(&self.budget),
        );
        let follow = Arc::new(Watch {
            budget: Arc::clone(&self.budget),
            tell: Box::new(move |job| {
                tell(Event::Under {
                    step: place,
                    job,
                    elapsed: budget.elapsed(),
                });
            }),
        });
        let is_whole = self.left_out.is_empty() && self.budget.reached().is_none();
        let id = match step {
            Step::Compile if is_whole => rows.last_call,
            _ => rows.calls.get(&step).copied().unwrap_or_else(Uuid::now_v7),
        };
        loop {
            let answer = self.research.routes.call_tool(
                step.tool(),
                &self.research.user,
                id,
                self.arguments(step, rows),
                Arc::clone(&follow) as _,
            );
            match answer.await {
                // It passes by itself, within seconds.
                Err(problem) if problem.kind() == TOO_MANY_AT_ONCE => {
                    sleep(problem.retry_after().unwrap_or(A_WHILE)).await;
                }
                answer => {
                    let answer = serde_json::from_str(&answer?).map_err(Problem::internal)?;
                    return Ok((answer, begun.elapsed()));
                }
            }
        }
    }

    fn arguments(&self, step: Step, rows: &Rows) -> Value {
        let mut arguments = Map::new();
        arguments.insert("article_guideline_id".to_owned(), json!(self.article));
        let more = match step {
            Step::Propose(_) => Some(("n_queries", json!(self.order.questions))),
            Step::Search(round) => Some(("queries", json!(rows.there.proposed.get(&round)))),
            _ => None,
        };
        if let Some((name, value)) = more {
            arguments.insert(name.to_owned(), value);
        }
        Value::Object(arguments)
    }

    fn note(&mut self, step: Step, answer: &Value) {
        self.done.insert(step);
        if let Step::Propose(round) = step {
            let pairs = answer["queries"].as_array().into_iter().flatten();
            let questions = pairs.filter_map(|pair| Some(pair[0].as_str()?.to_owned()));
            self.proposed.insert(round, questions.collect());
        }
    }

    fn leave_out(&mut self, step: Step, problem: &Problem) {
        let left_out = LeftOut {
            step,
            why: if problem.kind() == "not-configured" {
                Why::NotConfigured
            } else {
                Why::Failed
            },
            detail: problem.detail().to_owned(),
        };
        (self.tell)(Event::LeftOut {
            step: self.place(step),
            left_out: &left_out,
        });
        self.left_out.push(left_out);
    }

    fn place(&self, step: Step) -> Place {
        let all: Vec<Step> = Step::all(self.order.rounds).collect();
        let number = all.iter().position(|it| *it == step).unwrap_or_default() + 1;
        Place {
            step,
            number,
            of: all.len(),
        }
    }

    /// What is said of a document that was there.
    fn where_it_is(&self, document: &BlobRef) -> Value {
        let url = self.research.app.download_url(self.article);
        json!({
            "status": "success", "download_url": url, "format": "markdown", "bytes": document.size,
            "message": format!("The research file is there, and nothing has changed since.\nDownload URL: {url}"),
        })
    }

    async fn save(&self) -> Result<(), Problem> {
        let Some(file) = &self.order.output else {
            return Ok(());
        };
        let Research {
            app, user, blobs, ..
        } = self.research;
        let article = app.tenant(user).await?.article(self.article).await?;
        match &article.research {
            Some(document) => document::save(blobs, document, file).await,
            None => Err(Problem::conflict("The article has no document.")),
        }
    }
}

/// Whether nothing can be done without it: what everything goes by, the document itself, and a month
/// whose calls are used up.
fn is_fatal(step: Step, problem: &Problem) -> bool {
    matches!(step, Step::Extract | Step::Compile) || problem.kind() == "limit-exceeded"
}
