//! Scripted misbehaviour: each step on the way to a connection can be made to fail, in the order a test wants.

use std::time::Duration;

use crate::fault;

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
pub type Fault = fault::Fault<Step, Effect>;

impl Fault {
    /// Goes wrong the next time.
    pub const fn new(step: Step, effect: Effect) -> Self {
        Self::once(step, effect)
    }
}
