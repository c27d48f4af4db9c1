//! What time it is.

use std::time::SystemTime;

/// Tells the time of day. Tokens and certificates end by it, not by the monotonic clock, which stands
/// still while a machine sleeps.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that is moved by hand.
#[cfg(test)]
#[derive(Clone, Debug)]
pub(crate) struct HandClock(std::sync::Arc<std::sync::Mutex<SystemTime>>);

#[cfg(test)]
impl HandClock {
    pub(crate) fn new() -> Self {
        Self(std::sync::Arc::new(
            std::sync::Mutex::new(SystemTime::now()),
        ))
    }

    pub(crate) fn advance(&self, by: std::time::Duration) {
        *self.0.lock().unwrap() += by;
    }
}

#[cfg(test)]
impl Clock for HandClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}
