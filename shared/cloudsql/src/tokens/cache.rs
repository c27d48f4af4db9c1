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
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;
    use crate::clock::ManualClock;

    const SCOPES: &[&str] = &["a"];
    const HOUR: Duration = Duration::from_hours(1);
    /// When a token of an hour is replaced.
    const DUE: Duration = HOUR.saturating_sub(EARLY);
    const SECOND: Duration = Duration::from_secs(1);

    /// Gives `t1`, `t2` … with the lifetimes it was told, or fails, after a moment.
    struct Script {
        clock: Arc<ManualClock>,
        lives: Vec<Option<Duration>>,
        asked: AtomicUsize,
        takes: Duration,
    }

    impl TokenSource for Script {
        fn token<'a>(&'a self, scopes: &'a [&'a str]) -> BoxFuture<'a, Result<Token, TokenError>> {
            Box::pin(async move {
                let number = self.asked.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(self.takes).await;
                match self.lives.get(number).copied().flatten() {
                    Some(life) => Ok(Token::new(
                        format!("{} {}", scopes.join("+"), number + 1),
                        self.clock.now() + life,
                    )),
                    None => Err(TokenError::new(ErrorKind::Unavailable, "down")),
                }
            })
        }
    }

    struct Setup {
        clock: Arc<ManualClock>,
        script: Arc<Script>,
        tokens: CachedTokens,
    }

    impl Setup {
        fn new(lives: &[Option<Duration>]) -> Self {
            let clock = Arc::new(ManualClock::at(SystemTime::now()));
            let script = Arc::new(Script {
                clock: Arc::clone(&clock),
                lives: lives.to_vec(),
                asked: AtomicUsize::new(0),
                takes: Duration::from_millis(50),
            });
            let source: Arc<dyn TokenSource> = Arc::clone(&script) as _;
            let tokens = CachedTokens::with_clock(source, Arc::clone(&clock) as _);
            Self {
                clock,
                script,
                tokens,
            }
        }

        async fn secret(&self) -> Result<String, TokenError> {
            let token = self.tokens.token(SCOPES).await?;
            Ok(token.secret().to_owned())
        }

        fn asked(&self) -> usize {
            self.script.asked.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn fifty_callers_ask_once() {
        let setup = Setup::new(&[Some(HOUR)]);
        let secrets = join_all((0..50).map(|_| setup.secret())).await;
        assert!(secrets.iter().all(|it| it.as_ref().unwrap() == "a 1"));
        assert_eq!(setup.secret().await.unwrap(), "a 1");
        assert_eq!(setup.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn fifty_callers_share_one_failure_and_the_next_asks_again() {
        let setup = Setup::new(&[None, Some(HOUR)]);
        let answers = join_all((0..50).map(|_| setup.secret())).await;
        assert!(answers.iter().all(Result::is_err));
        assert_eq!(setup.asked(), 1);
        assert_eq!(setup.secret().await.unwrap(), "a 2");
    }

    #[tokio::test(start_paused = true)]
    async fn each_set_of_scopes_has_its_own_token_whatever_their_order() {
        let setup = Setup::new(&[Some(HOUR), Some(HOUR), Some(HOUR)]);
        let secret = async |scopes: &[&str]| {
            let token = setup.tokens.token(scopes).await.unwrap();
            token.secret().to_owned()
        };
        assert_eq!(secret(&["a", "b"]).await, "a+b 1");
        assert_eq!(secret(&["b", "a"]).await, "a+b 1");
        assert_eq!(secret(&["b"]).await, "b 2");
        assert_eq!(setup.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_goes_away_spoils_it_for_nobody() {
        let setup = Setup::new(&[Some(HOUR)]);
        let impatient = tokio::time::timeout(Duration::from_millis(10), setup.secret());
        let (impatient, patient) = tokio::join!(impatient, setup.secret());
        assert!(impatient.is_err());
        assert_eq!(patient.unwrap(), "a 1");
        assert_eq!(setup.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_for_by_a_caller_who_went_away_is_kept() {
        let setup = Setup::new(&[Some(HOUR)]);
        let impatient = tokio::time::timeout(Duration::from_millis(10), setup.secret());
        assert!(impatient.await.is_err());
        tokio::time::sleep(SECOND).await;
        assert_eq!(setup.secret().await.unwrap(), "a 1");
        assert_eq!(setup.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_replaced_four_minutes_before_its_end() {
        let setup = Setup::new(&[Some(HOUR), Some(HOUR)]);
        setup.secret().await.unwrap();
        setup.clock.advance(DUE.saturating_sub(SECOND));
        assert_eq!(setup.secret().await.unwrap(), "a 1");
        setup.clock.advance(SECOND);
        assert_eq!(setup.secret().await.unwrap(), "a 2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_token_is_used_for_half_of_its_life() {
        let setup = Setup::new(&[Some(100 * SECOND), Some(HOUR)]);
        assert_eq!(setup.secret().await.unwrap(), "a 1");
        setup.clock.advance(49 * SECOND);
        assert_eq!(setup.secret().await.unwrap(), "a 1");
        setup.clock.advance(SECOND);
        assert_eq!(setup.secret().await.unwrap(), "a 2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_without_any_life_left_is_given_to_those_who_waited_and_kept_from_others() {
        let setup = Setup::new(&[Some(Duration::ZERO), Some(HOUR)]);
        let both = tokio::join!(setup.secret(), setup.secret());
        assert_eq!(
            (both.0.unwrap(), both.1.unwrap()),
            ("a 1".to_owned(), "a 1".to_owned())
        );
        assert_eq!(setup.secret().await.unwrap(), "a 2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_valid_token_is_served_when_the_refresh_fails_and_nobody_asks_for_ten_seconds() {
        let setup = Setup::new(&[Some(HOUR), None, Some(HOUR)]);
        setup.secret().await.unwrap();
        setup.clock.advance(DUE);
        assert_eq!(setup.secret().await.unwrap(), "a 1");
        setup.clock.advance(PAUSE.saturating_sub(SECOND));
        assert_eq!(setup.secret().await.unwrap(), "a 1");
        assert_eq!(setup.asked(), 2);
        setup.clock.advance(SECOND);
        assert_eq!(setup.secret().await.unwrap(), "a 3");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_has_ended_is_never_served() {
        let setup = Setup::new(&[Some(HOUR), None]);
        setup.secret().await.unwrap();
        setup.clock.advance(HOUR);
        assert!(setup.secret().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_come_while_a_new_token_is_asked_for_get_the_old_one_at_once() {
        let setup = Setup::new(&[Some(HOUR), Some(HOUR)]);
        setup.secret().await.unwrap();
        setup.clock.advance(DUE);
        let (first, second) = tokio::join!(setup.secret(), async {
            let started = tokio::time::Instant::now();
            let secret = setup.secret().await.unwrap();
            (secret, started.elapsed())
        });
        assert_eq!(first.unwrap(), "a 2");
        assert_eq!(second, ("a 1".to_owned(), Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refresh_that_hangs_holds_nobody_up_who_has_a_valid_token() {
        let mut setup = Setup::new(&[Some(HOUR), Some(HOUR)]);
        setup.secret().await.unwrap();
        let slow = Arc::new(Script {
            clock: Arc::clone(&setup.clock),
            lives: vec![Some(HOUR)],
            asked: AtomicUsize::new(0),
            takes: HOUR,
        });
        setup.tokens.source = slow;
        setup.clock.advance(DUE);
        let started = tokio::time::Instant::now();
        assert_eq!(setup.secret().await.unwrap(), "a 1");
        assert!(started.elapsed() < PATIENCE + SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_hangs_is_given_up() {
        let mut setup = Setup::new(&[Some(HOUR)]);
        let script = std::mem::replace(
            &mut setup.tokens.source,
            Arc::new(Script {
                clock: Arc::clone(&setup.clock),
                lives: vec![],
                asked: AtomicUsize::new(0),
                takes: HOUR,
            }),
        );
        assert_eq!(setup.secret().await.unwrap_err().kind(), ErrorKind::Timeout);
        setup.tokens.source = script;
        assert_eq!(setup.secret().await.unwrap(), "a 1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_was_refused_is_given_to_nobody_else() {
        let setup = Setup::new(&[Some(HOUR), Some(HOUR)]);
        let token = setup.tokens.token(SCOPES).await.unwrap();
        setup
            .tokens
            .forget(&Token::new("another", token.expires_at()));
        assert_eq!(setup.secret().await.unwrap(), "a 1");
        setup.tokens.forget(&token);
        assert_eq!(setup.secret().await.unwrap(), "a 2");
    }

    #[test]
    fn a_question_whose_runtime_ended_is_asked_again_on_another() {
        let setup = Setup::new(&[Some(HOUR), Some(HOUR)]);
        let runtime = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_time().build().unwrap()
        };
        let impatient =
            async { tokio::time::timeout(Duration::from_millis(5), setup.secret()).await };
        assert!(runtime().block_on(impatient).is_err());
        assert_eq!(runtime().block_on(setup.secret()).unwrap(), "a 2");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_runs_between_questions() {
        let setup = Setup::new(&[Some(HOUR)]);
        setup.secret().await.unwrap();
        tokio::task::yield_now().await;
        let metrics = tokio::runtime::Handle::current().metrics();
        assert_eq!(metrics.num_alive_tasks(), 0);
    }
}
