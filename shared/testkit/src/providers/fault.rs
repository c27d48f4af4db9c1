//! What goes wrong, on demand and in the order a test wants.

use std::time::Duration;

use serde_json::json;

use super::Answer;
use crate::{Gate, fault};

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
pub type Fault = fault::Fault<Mention, Effect>;

/// Requests that mention this, in their address or in their body.
#[derive(Clone, Debug, Default)]
pub struct Mention(pub(super) String);

impl Fault {
    /// Goes wrong once, for the next request.
    pub fn new(effect: Effect) -> Self {
        Self::once(Mention::default(), effect)
    }

    /// Only for requests that mention this, in their address or in their body.
    #[must_use]
    pub fn on(mut self, mention: impl Into<String>) -> Self {
        self.when = Mention(mention.into());
        self
    }
}

/// An answer of a server that is not well.
pub(super) fn unwell(status: u16) -> Answer {
    Answer::json(status, &json!({"error": "A fault was injected here."}))
}
