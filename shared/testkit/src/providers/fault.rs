//! What goes wrong, on demand and in the order a test wants.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde_json::json;

use super::{Answer, Received};
use crate::Gate;

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Nothing is done, and this is the status (500, 503, 402, …).
    Status(u16),
    /// As `Status`, with `Retry-After` in seconds (429, 503).
    RetryAfter(u16, u32),
    /// This is answered, and nothing is paid.
    Answer(Answer),
    /// All is done and paid, and the answer is a page of HTML.
    Garbage,
    /// Nothing is done, and no answer comes.
    Hang,
    /// All is done and paid, after a while.
    Delay(Duration),
    /// All is done and paid, once the gate is open; nothing, where the client left before that.
    Hold(Gate),
    /// Nothing is done, and the connection is closed.
    CutBefore,
    /// All is done and paid, and the connection breaks after so many bytes of the answer's body.
    CutAfter(usize),
}

/// An [`Effect`], the requests it is for, and how often it happens (once, unless said otherwise).
#[derive(Clone, Debug)]
pub struct Fault {
    effect: Effect,
    mention: String,
    skip: u32,
    times: u32,
}

impl Fault {
    /// Goes wrong once, for the next request.
    pub fn new(effect: Effect) -> Self {
        Self {
            effect,
            mention: String::new(),
            skip: 0,
            times: 1,
        }
    }

    /// Only for requests that mention this, in their address or in their body.
    #[must_use]
    pub fn on(mut self, mention: impl Into<String>) -> Self {
        self.mention = mention.into();
        self
    }

    /// Lets so many of them pass first.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Happens so many times in a row.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(super) fn add(&self, fault: Fault) {
        self.all().push(fault);
    }

    pub(super) fn are_used_up(&self) -> bool {
        self.all().iter().all(|fault| fault.times == 0)
    }

    /// The effect for this request: that of the first fault that is for it and due.
    pub(super) fn take(&self, received: &Received) -> Option<Effect> {
        for fault in self.all().iter_mut() {
            if fault.times == 0 || !received.mentions(&fault.mention) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times -= 1;
            return Some(fault.effect.clone());
        }
        None
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer of a server that is not well.
pub(super) fn unwell(status: u16) -> Answer {
    Answer::json(status, &json!({"error": "A fault was injected here."}))
}
