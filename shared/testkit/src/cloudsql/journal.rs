//! What a fake Cloud SQL saw, in order, without the secrets.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use http::{HeaderMap, Method};

use super::fault::Step;

/// One thing that happened. Connections to instances are numbered from 1, over all instances.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A request over HTTP arrived.
    Request(Box<Request>),
    /// A question was put to the DNS server.
    Dns {
        /// The name, as it was asked.
        name: String,
        /// The type of record, as a number: 1 is A, 5 is CNAME, 16 is TXT, 28 is AAAA.
        kind: u16,
        /// Whether it came by TCP.
        tcp: bool,
    },
    /// An instance accepted a connection.
    Accepted {
        /// The connection's number.
        connection: u64,
        /// The instance's connection name.
        instance: String,
        /// The address that was dialled: it tells the public from the private one.
        address: SocketAddr,
    },
    /// A TLS handshake ended, well or not.
    Handshake {
        /// The connection's number.
        connection: u64,
        /// The version, such as `TLSv1_3`; `None` when none was agreed on.
        version: Option<String>,
        /// The name that the client asked for.
        server_name: Option<String>,
        /// The protocols that the client offered.
        alpn: Vec<String>,
        /// Why it failed.
        error: Option<String>,
    },
    /// Somebody logged in, or tried to.
    Login {
        /// The connection's number.
        connection: u64,
        /// The user of the start-up packet.
        user: String,
        /// The database of the start-up packet.
        database: String,
        /// How the user was to be proven.
        how: LoginMethod,
        /// Why not. What the client read may say less.
        refused: Option<String>,
    },
    /// A connection to an instance is closed.
    Closed {
        /// The connection's number.
        connection: u64,
    },
}

/// How a user proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginMethod {
    /// By the login token in the client certificate: automatic IAM.
    Certificate,
    /// By an access token in the place of the password: manual IAM.
    Token,
    /// By a password.
    Password,
}

/// A request to the Admin API, the token endpoint, the metadata server or for impersonation.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which step it was; `None` for what nobody answers.
    pub step: Option<Step>,
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query, or nothing.
    pub query: String,
    /// The headers, without `Authorization`.
    pub headers: HeaderMap,
    /// What stood in `Authorization`.
    pub bearer: Bearer,
    /// The scopes that were asked for, where tokens are.
    pub scopes: Vec<String>,
    /// For certificates: the login token that came with the key.
    pub login_token: Bearer,
    /// When it arrived.
    pub arrived: Instant,
    /// When it was answered; `None` as long as it was not.
    pub answered: Option<Instant>,
    /// The status of the answer; `None` as long as there is none, and when the connection was cut.
    pub status: Option<u16>,
}

impl Request {
    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|it| it.to_str().ok());
        value.unwrap_or_default()
    }
}

/// What is known about a token that a client showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Bearer {
    /// There was none.
    #[default]
    None,
    /// It was never handed out here.
    Unknown,
    /// It was handed out here.
    Known {
        /// Whom it speaks for.
        principal: String,
        /// What it is good for.
        scopes: Vec<String>,
        /// Until when.
        expires: SystemTime,
    },
}

#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Vec<Event>>);

/// Where an event stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry(usize);

impl Journal {
    pub(super) fn add(&self, event: Event) -> Entry {
        let mut events = self.lock();
        events.push(event);
        Entry(events.len() - 1)
    }

    /// Completes what is known of a request.
    pub(super) fn amend(&self, entry: Entry, amend: impl FnOnce(&mut Request)) {
        if let Some(Event::Request(request)) = self.lock().get_mut(entry.0) {
            amend(request);
        }
    }

    pub(super) fn all(&self) -> Vec<Event> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
