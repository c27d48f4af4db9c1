//! A gate before answers: requests wait at it until a test says so.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Semaphore;

/// Holds requests until it is opened, for good. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// It has no permits; closing it lets everybody pass.
    shut: Semaphore,
    held: AtomicUsize,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Inner {
            shut: Semaphore::new(0),
            held: AtomicUsize::new(0),
        }))
    }
}

impl Gate {
    /// A gate that is shut.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets all pass who wait and all who come.
    pub fn open(&self) {
        self.0.shut.close();
    }

    /// Requests that wait now. One whose client is gone does not.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::SeqCst)
    }

    pub(crate) async fn pass(&self) {
        self.0.held.fetch_add(1, Ordering::SeqCst);
        let _waits = Waits(&self.0.held);
        // An error is that it is open.
        drop(self.0.shut.acquire().await);
    }
}

/// One who waits, until this is dropped.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
