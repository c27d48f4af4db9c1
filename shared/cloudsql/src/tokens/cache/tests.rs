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
    let impatient = async { tokio::time::timeout(Duration::from_millis(5), setup.secret()).await };
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
