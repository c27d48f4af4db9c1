//! What an article has cost, and what it may cost.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use nova_runtime::{App, Problem, jobs::Follow};
use nova_store::{ArticleId, Job, Spent, UserId};
use tokio::time::{Instant, sleep};

/// A pause when it cannot be seen what was spent.
const PAUSE: Duration = Duration::from_secs(1);

/// What ends a run early. Money and calls are those of the article altogether, so that a run that is
/// started again has no new budget; time is that of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// In millionths of a US dollar, as far as providers say what they ask for.
    pub cost_micros: Option<u64>,
    /// Calls of providers, whatever came of them.
    pub calls: Option<u64>,
    /// From the beginning of the run.
    pub time: Option<Duration>,
}

/// What an article has cost so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// Calls of providers, whatever came of them.
    pub calls: u64,
    /// In millionths of a US dollar, as far as providers say what they ask for.
    pub cost_micros: u64,
    /// Tokens that were read and written, as far as providers count them.
    pub tokens: u64,
    /// Providers that may have been paid beside that, and do not say how much.
    pub silent: Vec<String>,
}

impl Spending {
    pub(crate) fn of(spent: &[Spent]) -> Self {
        let sum = |of: fn(&Spent) -> i64| {
            let all = spent
                .iter()
                .map(|it| u64::try_from(of(it)).unwrap_or_default());
            all.fold(0, u64::saturating_add)
        };
        Self {
            calls: sum(|it| it.calls),
            cost_micros: sum(|it| it.cost_micros),
            tokens: sum(|it| it.prompt_tokens.saturating_add(it.output_tokens)),
            silent: Spent::silent(spent),
        }
    }

    /// In US dollars.
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody pays so much that it would matter"
    )]
    pub fn dollars(&self) -> f64 {
        self.cost_micros as f64 / 1e6
    }
}

/// The limits of one run, and whether one was reached.
pub(crate) struct Budget {
    app: Arc<App>,
    user: UserId,
    article: ArticleId,
    limits: Limits,
    begun: Instant,
    reached: Mutex<Option<String>>,
}

impl Budget {
    pub(crate) fn new(app: &Arc<App>, user: &UserId, article: ArticleId, limits: Limits) -> Self {
        Self {
            app: Arc::clone(app),
            user: user.clone(),
            article,
            limits,
            begun: Instant::now(),
            reached: Mutex::default(),
        }
    }

    /// How long the run has gone on.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Which limit was reached, in words; the first stays.
    pub(crate) fn reached(&self) -> Option<String> {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.clone()
    }

    /// Compares what was spent with the limits; whether there is anything left.
    pub(crate) fn allows(&self, spending: &Spending) -> bool {
        let Limits {
            cost_micros,
            calls,
            time,
        } = self.limits;
        let words = if cost_micros.is_some_and(|most| spending.cost_micros >= most) {
            format!(
                "--max-cost: the article has cost ${:.4}",
                spending.dollars()
            )
        } else if calls.is_some_and(|most| spending.calls >= most) {
            format!(
                "--max-calls: providers were called {} times for the article",
                spending.calls
            )
        } else if time.is_some_and(|most| self.elapsed() >= most) {
            format!("--max-minutes: it has taken {} s", self.elapsed().as_secs())
        } else {
            return true;
        };
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.get_or_insert(words);
        false
    }

    async fn spending(&self) -> Result<Spending, Problem> {
        let mut tenant = self.app.tenant(&self.user).await?;
        Ok(Spending::of(&tenant.spent_on(self.article).await?))
    }

    /// Whether one more piece may be begun.
    pub(crate) async fn has_some_left(&self) -> bool {
        if self.limits.cost_micros.or(self.limits.calls).is_none() {
            return self.allows(&Spending::default());
        }
        loop {
            // While it cannot be seen, nothing is begun. The job's worker gives up before long.
            match self.spending().await {
                Ok(spending) => return self.allows(&spending),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

/// Follows one step.
pub(crate) struct Watch {
    pub(crate) budget: Arc<Budget>,
    pub(crate) tell: Box<dyn Fn(&Job) + Send + Sync>,
}

impl Follow for Watch {
    fn may_go_on(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.budget.has_some_left())
    }

    fn has_come_to(&self, job: &Job) {
        (self.tell)(job);
    }
}
