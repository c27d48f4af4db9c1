//! Faults in the order a test wants them: what all stand-ins share that can be told to go wrong.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What goes wrong, when, and how often (once, unless said otherwise).
#[derive(Clone, Debug)]
pub struct Fault<When, Effect> {
    pub(crate) when: When,
    pub(crate) effect: Effect,
    skip: u32,
    times: u32,
}

impl<When, Effect> Fault<When, Effect> {
    pub(crate) const fn once(when: When, effect: Effect) -> Self {
        Self {
            when,
            effect,
            skip: 0,
            times: 1,
        }
    }

    /// Lets so many pass first that it would be for.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Happens so many times in a row.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

/// Those that are to come.
#[derive(Debug)]
pub(crate) struct Faults<When, Effect>(Mutex<Vec<Fault<When, Effect>>>);

impl<When, Effect> Default for Faults<When, Effect> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<When, Effect: Clone> Faults<When, Effect> {
    pub(crate) fn add(&self, fault: Fault<When, Effect>) {
        self.all().push(fault);
    }

    /// Whether every fault has happened as often as it was to.
    pub(crate) fn are_used_up(&self) -> bool {
        self.all().iter().all(|fault| fault.times == 0)
    }

    /// The effect of the first fault that is for this occasion and due.
    pub(crate) fn take(&self, is_now: impl Fn(&When) -> bool) -> Option<Effect> {
        let mut faults = self.all();
        let left = faults.iter_mut().filter(|fault| fault.times > 0);
        for fault in left.filter(|fault| is_now(&fault.when)) {
            if fault.skip == 0 {
                fault.times -= 1;
                return Some(fault.effect.clone());
            }
            fault.skip -= 1;
        }
        None
    }

    fn all(&self) -> MutexGuard<'_, Vec<Fault<When, Effect>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
