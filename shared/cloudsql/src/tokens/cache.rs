//! Tokens that are kept until shortly before their end.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tracing::Instrument as _;

use crate::{
    clock::{Clock, SystemClock},
    error::ErrorKind,
};

use super::{Token, TokenError, TokenSource};

/// How long before its end a token is replaced.
///
/// The metadata server hands out the same token until five minutes before the end, so asking
/// earlier than that brings nothing; four minutes are enough for what is begun with the old one.
const EARLY: Duration = Duration::from_mins(4);

/// After a failed early refresh the old token is served for this long before anybody asks again: a
/// server in trouble is not helped by one more question for each call.
const PAUSE: Duration = Duration::from_secs(10);

/// Who has a valid token in hand waits this long for a newer one.
const PATIENCE: Duration = Duration::from_secs(2);

/// A question that was not answered by then is given up, so that the next caller can ask again.
const LIMIT: Duration = Duration::from_secs(30);

/// Keeps the tokens of another source, those of each set of scopes by themselves. Clones share them.
///
/// - However many callers find no usable token, the source is asked once and all get its answer. The
///   question is a task of its own, so that a caller who stops waiting spoils it for nobody; between
///   questions there is no task and no timer.
/// - A token is replaced four minutes before its end; one that was issued for less than eight
///   minutes, after half of its life.
/// - Until the old token really ends it keeps being served: to those who arrive while a new one is
///   asked for, and to all when that failed.
#[derive(Clone)]
pub struct CachedTokens {
    source: Arc<dyn TokenSource>,
    clock: Arc<dyn Clock>,
    slots: Arc<Mutex<HashMap<String, Arc<Slot>>>>,
}

/// The token of one set of scopes.
#[derive(Default)]
struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    held: Option<Held>,
    question: Option<Question>,
}

struct Held {
    token: Token,
    replace_from: SystemTime,
}

/// Nothing until there is an answer; closed without one when the task was stopped.
type Question = watch::Receiver<Option<Result<Token, TokenError>>>;

impl CachedTokens {
    /// Keeps the tokens of `source`.
    pub fn new(source: Arc<dyn TokenSource>) -> Self {
        Self::with_clock(source, Arc::new(SystemClock))
    }

    /// [`CachedTokens::new`] with another clock, for tests.
    pub fn with_clock(source: Arc<dyn TokenSource>, clock: Arc<dyn Clock>) -> Self {
        Self {
            source,
            clock,
            slots: Arc::default(),
        }
    }

    fn slot(&self, scopes: &[&str]) -> Arc<Slot> {
        let mut sorted = scopes.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(sorted.join(" ")).or_default())
    }

    async fn fetch(&self, scopes: &[&str]) -> Result<Token, TokenError> {
        let slot = self.slot(scopes);
        let (mut question, valid) = {
            let mut state = slot.state();
            let now = self.clock.now();
            let valid = match &state.held {
                Some(held) if now < held.replace_from => return Ok(held.token.clone()),
                Some(held) if now < held.token.expires_at => Some(held.token.clone()),
                _ => None,
            };
            match (state.question_under_way(), valid) {
                (Some(_), Some(valid)) => return Ok(valid),
                (Some(question), None) => (question, None),
                (None, valid) => (self.ask(&slot, &mut state, scopes), valid),
            }
        };
        let answer = async {
            match question.wait_for(Option::is_some).await {
                Ok(answer) => answer.clone().unwrap_or_else(|| Err(stopped())),
                Err(_closed) => Err(stopped()),
            }
        };
        match valid {
            // The task serves it too when the question fails, but not when it is stopped or hangs.
            Some(valid) => match tokio::time::timeout(PATIENCE, answer).await {
                Ok(Ok(token)) => Ok(token),
                Ok(Err(_)) | Err(_) => Ok(valid),
            },
            None => answer.await,
        }
    }

    fn ask(&self, slot: &Arc<Slot>, state: &mut State, scopes: &[&str]) -> Question {
        let (sender, question) = watch::channel(None);
        state.question = Some(question.clone());
        let (slot, source, clock) = (
            Arc::clone(slot),
            Arc::clone(&self.source),
            Arc::clone(&self.clock),
        );
        let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        let task = async move {
            let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
            let answer = tokio::time::timeout(LIMIT, source.token(&scopes)).await;
            let answer = answer.unwrap_or_else(|_elapsed| {
                let text = "the access token did not come in time";
                Err(TokenError::new(ErrorKind::Timeout, text))
            });
            let answer = slot.land(answer, clock.now());
            sender.send_replace(Some(answer));
        };
        // Its handle is not needed: who waits, waits for the channel, which closes with the task.
        drop(tokio::spawn(task.in_current_span()));
        question
    }
}

impl TokenSource for CachedTokens {
    fn token<'a>(&'a self, scopes: &'a [&'a str]) -> BoxFuture<'a, Result<Token, TokenError>> {
        Box::pin(self.fetch(scopes))
    }

    fn principal(&self) -> BoxFuture<'_, Option<String>> {
        self.source.principal()
    }

    fn quota_project(&self) -> Option<String> {
        self.source.quota_project()
    }

    fn universe_domain(&self) -> Option<String> {
        self.source.universe_domain()
    }

    fn forget(&self, refused: &Token) {
        let slots: Vec<_> = {
            let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.values().map(Arc::clone).collect()
        };
        for slot in slots {
            let mut state = slot.state();
            let held = state.held.take();
            state.held = held.filter(|held| held.token.secret() != refused.secret());
        }
        self.source.forget(refused);
    }
}

impl fmt::Debug for CachedTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CachedTokens")
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what came, and tells what those who waited get.
    fn land(
        &self,
        answer: Result<Token, TokenError>,
        now: SystemTime,
    ) -> Result<Token, TokenError> {
        let mut state = self.state();
        state.question = None;
        match answer {
            Ok(token) => {
                state.held = Some(Held {
                    replace_from: replace_from(now, token.expires_at),
                    token: token.clone(),
                });
                // However short: nobody has a better one.
                Ok(token)
            }
            Err(error) => {
                let valid = state.held.as_mut().filter(|it| now < it.token.expires_at);
                let Some(held) = valid else {
                    return Err(error);
                };
                tracing::warn!(%error, "no new access token; the old one is still valid");
                held.replace_from = held.token.expires_at.min(now + PAUSE);
                Ok(held.token.clone())
            }
        }
    }
}

impl State {
    /// A task that was stopped, with its runtime or by a panic, never lands.
    fn question_under_way(&self) -> Option<Question> {
        let question = self.question.as_ref()?;
        question.has_changed().is_ok().then(|| question.clone())
    }
}

fn stopped() -> TokenError {
    TokenError::new(
        ErrorKind::Unavailable,
        "the question for an access token was stopped, with the runtime that it ran on",
    )
}

fn replace_from(now: SystemTime, expires_at: SystemTime) -> SystemTime {
    let life = expires_at.duration_since(now).unwrap_or_default();
    let early = EARLY.min(life / 2);
    expires_at.checked_sub(early).unwrap_or(expires_at)
}

#[cfg(test)]
mod tests;
