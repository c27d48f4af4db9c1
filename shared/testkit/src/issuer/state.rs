//! What an issuer remembers while it runs: keys, codes on their way, and what tests asked of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::authorize::Grant;
use super::fault::Fault;
use super::key::SigningKey;
use super::{Issuer, RunningIssuer};

/// A code is exchanged at once or never.
const CODE_LIFETIME: Duration = Duration::from_mins(1);
/// Codes that nobody fetched must not fill the memory.
const MAX_CODES: usize = 1_000;

pub(super) struct State(Mutex<Mutable>);

struct Mutable {
    /// All that are published; the last one signs.
    keys: Vec<Arc<SigningKey>>,
    codes: HashMap<String, (SystemTime, Grant)>,
    key_set_max_age: Duration,
    clock_ahead: Duration,
    fault: Option<Fault>,
    delay: Duration,
    requests: HashMap<String, usize>,
}

impl State {
    pub(super) fn new(key: SigningKey) -> Self {
        Self(Mutex::new(Mutable {
            keys: vec![Arc::new(key)],
            codes: HashMap::new(),
            key_set_max_age: Duration::from_mins(5),
            clock_ahead: Duration::ZERO,
            fault: None,
            delay: Duration::ZERO,
            requests: HashMap::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Mutable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> SystemTime {
        SystemTime::now() + self.lock().clock_ahead
    }

    pub(super) fn keys(&self) -> Vec<Arc<SigningKey>> {
        self.lock().keys.clone()
    }

    pub(super) fn key_set_max_age(&self) -> Duration {
        self.lock().key_set_max_age
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.lock().fault
    }

    pub(super) fn delay(&self) -> Duration {
        self.lock().delay
    }

    pub(super) fn count(&self, path: &str) {
        *self.lock().requests.entry(path.to_owned()).or_default() += 1;
    }

    pub(super) fn keep_code(&self, code: String, grant: Grant) {
        let now = self.now();
        let mut state = self.lock();
        state
            .codes
            .retain(|_, (made_at, _)| is_young(*made_at, now));
        if state.codes.len() < MAX_CODES {
            state.codes.insert(code, (now, grant));
        }
    }

    /// Takes a code out for good, so that it works once.
    pub(super) fn take_code(&self, code: &str) -> Option<Grant> {
        let now = self.now();
        let (made_at, grant) = self.lock().codes.remove(code)?;
        is_young(made_at, now).then_some(grant)
    }
}

fn is_young(made_at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(made_at).unwrap_or_default() < CODE_LIFETIME
}

/// What only tests ask for.
impl Issuer {
    /// The key that signs now.
    pub fn signing_key(&self) -> Arc<SigningKey> {
        let state = self.0.state.lock();
        Arc::clone(state.keys.last().expect("an issuer always has a key"))
    }

    /// Signs with `key` from now on; the earlier keys stay published.
    pub fn rotate_to(&self, key: SigningKey) {
        self.0.state.lock().keys.push(Arc::new(key));
    }

    /// Stops to publish all keys but the one that signs.
    pub fn withdraw_old_keys(&self) {
        let mut state = self.0.state.lock();
        let old = state.keys.len() - 1;
        state.keys.drain(..old);
    }

    /// Misbehaves from now on; `None` ends it.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.0.state.lock().fault = fault;
    }

    /// Thinks this long before each answer from now on.
    pub fn set_delay(&self, delay: Duration) {
        self.0.state.lock().delay = delay;
    }

    /// What the key set's `Cache-Control` says from now on.
    pub fn set_key_set_max_age(&self, max_age: Duration) {
        self.0.state.lock().key_set_max_age = max_age;
    }

    /// Lets time pass for the issuer alone.
    pub fn advance_clock(&self, duration: Duration) {
        self.0.state.lock().clock_ahead += duration;
    }

    /// How often a path was asked for, such as `/jwks.json`, faults included.
    pub fn requests(&self, path: &str) -> usize {
        self.0
            .state
            .lock()
            .requests
            .get(path)
            .copied()
            .unwrap_or_default()
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Issuer").field(&self.url()).finish()
    }
}

impl std::fmt::Debug for RunningIssuer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("RunningIssuer")
            .field(&self.url())
            .finish()
    }
}
