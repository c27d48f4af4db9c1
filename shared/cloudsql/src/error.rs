//! What goes wrong, said so that the reader knows what to do.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

/// Where on the way to a connection something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Reading the settings of the connector or the name of the instance.
    Configuration,
    /// Finding the instance behind a DNS name.
    Dns,
    /// Fetching an access token or a login token.
    Token,
    /// Making the client key.
    Key,
    /// `connectSettings` of the Admin API: addresses and the certificates of the server's CA.
    Settings,
    /// `generateEphemeralCert` of the Admin API.
    Certificate,
    /// Choosing an address of the instance.
    Address,
    /// Opening the TCP connection.
    Tcp,
    /// The TLS handshake, the server's identity included.
    Tls,
    /// What the database server says to the login.
    Login,
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Configuration => "configuration",
            Self::Dns => "dns",
            Self::Token => "token",
            Self::Key => "key",
            Self::Settings => "settings",
            Self::Certificate => "certificate",
            Self::Address => "address",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Login => "login",
        })
    }
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting or a name that cannot work.
    Configuration,
    /// No such instance, project or DNS name.
    NotFound,
    /// Not allowed, or not enabled.
    Denied,
    /// A quota is used up.
    Quota,
    /// The other side could not be reached, broke off, or has a fault of its own.
    Unavailable,
    /// What came back is not what the protocol says.
    Protocol,
    /// The server is not the instance that was asked for.
    Identity,
    /// The deadline was reached.
    Timeout,
    /// The connector was closed.
    Closed,
}

impl ErrorKind {
    /// The kind in one word of lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::Quota => "quota",
            Self::Unavailable => "unavailable",
            Self::Protocol => "protocol",
            Self::Identity => "identity",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
        }
    }

    /// Whether it may pass without anybody doing anything.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::Timeout | Self::Quota | Self::Protocol
        )
    }
}

type Source = Arc<dyn StdError + Send + Sync>;

/// Why there is no connection. Cloning is cheap: all who waited for one refresh get the same error.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    step: Step,
    message: String,
    instance: Option<String>,
    elapsed: Option<Duration>,
    status: Option<u16>,
    reason: Option<String>,
    remedy: Option<String>,
    retry_after: Option<Duration>,
    source: Option<Source>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, step: Step, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            step,
            message: message.into(),
            instance: None,
            elapsed: None,
            status: None,
            reason: None,
            remedy: None,
            retry_after: None,
            source: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// What to do about it, in words.
    #[must_use]
    pub(crate) fn remedy(self, remedy: impl Into<String>) -> Self {
        self.with(|inner| inner.remedy = Some(remedy.into()))
    }

    /// The HTTP status and Google's reason for it.
    #[must_use]
    pub(crate) fn answer(self, status: u16, reason: Option<String>) -> Self {
        self.with(|inner| (inner.status, inner.reason) = (Some(status), reason))
    }

    #[must_use]
    pub(crate) fn asked_to_wait(self, pause: Option<Duration>) -> Self {
        self.with(|inner| inner.retry_after = pause)
    }

    #[must_use]
    pub(crate) fn caused_by(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source: Box<dyn StdError + Send + Sync> = source.into();
        self.with(|inner| inner.source = Some(Arc::from(source)))
    }

    /// Which instance it was about, and how long after the start of the call; said once.
    #[must_use]
    pub(crate) fn about(self, instance: &str, elapsed: Duration) -> Self {
        self.with(|inner| {
            inner.instance.get_or_insert_with(|| instance.to_owned());
            inner.elapsed.get_or_insert(elapsed);
        })
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where on the way it went wrong.
    pub fn step(&self) -> Step {
        self.0.step
    }

    /// What went wrong, without the instance, the causes and the remedy.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The instance, as the caller named it.
    pub fn instance(&self) -> Option<&str> {
        self.0.instance.as_deref()
    }

    /// From the start of the call, or of the refresh that it waited for, to the failure.
    pub fn elapsed(&self) -> Option<Duration> {
        self.0.elapsed
    }

    /// The HTTP status of Google's answer, when there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Google's reason, such as `accessNotConfigured`.
    pub fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    /// How long Google asked to wait (`Retry-After`), when it did.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the same call may succeed later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }

    /// Step and kind in one word, such as `tls/identity`: for logs and counters.
    pub fn class(&self) -> String {
        format!("{}/{}", self.0.step, self.0.kind.as_str())
    }

    /// The message and its causes in one line, without the remedy.
    pub fn detail(&self) -> String {
        let mut text = self.0.message.clone();
        let mut cause = StdError::source(self);
        while let Some(error) = cause {
            let said = error.to_string();
            if !text.contains(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        write!(formatter, "{}: ", inner.step)?;
        if let Some(instance) = &inner.instance {
            write!(formatter, "{instance}: ")?;
        }
        formatter.write_str(&inner.message)?;
        match (inner.status, &inner.reason) {
            (Some(status), Some(reason)) => write!(formatter, " (HTTP {status}, {reason})")?,
            (Some(status), None) => write!(formatter, " (HTTP {status})")?,
            (None, _) => {}
        }
        if let Some(elapsed) = inner.elapsed {
            write!(formatter, " after {} ms", elapsed.as_millis())?;
        }
        if let Some(remedy) = &inner.remedy {
            write!(formatter, "; {remedy}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Error({:?}: {self}", self.0.kind)?;
        if let Some(source) = &self.0.source {
            write!(formatter, ": {source:?}")?;
        }
        formatter.write_str(")")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Timeout => std::io::ErrorKind::TimedOut,
            ErrorKind::Denied => std::io::ErrorKind::PermissionDenied,
            ErrorKind::NotFound => std::io::ErrorKind::NotFound,
            ErrorKind::Configuration => std::io::ErrorKind::InvalidInput,
            ErrorKind::Protocol | ErrorKind::Identity => std::io::ErrorKind::InvalidData,
            ErrorKind::Quota | ErrorKind::Unavailable | ErrorKind::Closed => {
                std::io::ErrorKind::ConnectionAborted
            }
        };
        Self::new(kind, error)
    }
}
