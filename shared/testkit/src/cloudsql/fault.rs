//! Scripted misbehaviour: each step on the way to a connection can be made to fail, in the order a test wants.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The steps of a connection, each of which can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The instance is described: `connectSettings`.
    ConnectSettings,
    /// A client certificate is issued: `generateEphemeralCert`.
    Certificate,
    /// A DNS name becomes an instance: `resolveConnectSettings`.
    ResolveSettings,
    /// The OAuth token endpoint.
    Token,
    /// The security token service: a subject token for a token of Google's.
    Exchange,
    /// The metadata server.
    Metadata,
    /// A token for another service account: `generateAccessToken`.
    Impersonation,
    /// A question to the DNS server.
    Dns,
    /// A connection to an instance is accepted.
    Tcp,
    /// The client's first TLS message has come.
    Tls,
    /// The start-up packet has come through the tunnel; where that is not read, the tunnel is open.
    Login,
}

/// What goes wrong.
///
/// Statuses are for steps that speak HTTP. DNS answers any of them with SERVFAIL, PostgreSQL's login with
/// the error of a failed IAM login; elsewhere they cut the connection.
#[derive(Clone, Debug)]
pub enum Effect {
    /// The request is refused with this status.
    Status(u16),
    /// As `Status`, with `Retry-After` in whole seconds.
    RetryAfter(u16, Duration),
    /// The status, reason and message of one of Google's errors.
    Reason(u16, &'static str, &'static str),
    /// The step waits this long, and then succeeds.
    Delay(Duration),
    /// The connection is closed without an answer. A DNS question over UDP stays unanswered.
    Drop,
    /// The answer is not what the protocol knows, and claims success.
    Garbage,
    /// The connection stays open and no answer comes.
    Hang,
}

/// An [`Effect`] on a [`Step`], and how often it happens (once, unless said otherwise).
#[derive(Clone, Debug)]
pub struct Fault {
    step: Step,
    effect: Effect,
    skip: u32,
    times: u32,
}

impl Fault {
    /// Goes wrong the next time.
    pub const fn new(step: Step, effect: Effect) -> Self {
        Self {
            step,
            effect,
            skip: 0,
            times: 1,
        }
    }

    /// Happens this many times in a row.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Lets this many pass first.
    #[must_use]
    pub const fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }
}

#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(super) fn add(&self, fault: Fault) {
        self.lock().push(fault);
    }

    pub(super) fn are_used_up(&self) -> bool {
        self.lock().iter().all(|fault| fault.times == 0)
    }

    /// The effect on this occasion: that of the first fault for the step that is due.
    pub(super) fn take(&self, step: Step) -> Option<Effect> {
        let mut faults = self.lock();
        for fault in faults
            .iter_mut()
            .filter(|fault| fault.step == step && fault.times > 0)
        {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times -= 1;
            return Some(fault.effect.clone());
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
