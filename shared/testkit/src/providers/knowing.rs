//! A stand-in that answers by what tests have told it.

use std::{
    io,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Answer, Received, StandIn};

/// Clones are the same one.
pub(super) struct Knowing<T> {
    stand_in: StandIn,
    known: Arc<Mutex<T>>,
}

impl<T: Default + Send + 'static> Knowing<T> {
    /// One that knows nothing yet.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub(super) async fn start(answer: fn(&Received, &T) -> Answer) -> io::Result<Self> {
        let known = Arc::<Mutex<T>>::default();
        let asked = Arc::clone(&known);
        let stand_in = StandIn::start(move |received| answer(received, &locked(&asked)));
        Ok(Self {
            stand_in: stand_in.await?,
            known,
        })
    }
}

impl<T> Knowing<T> {
    /// What it knows, to be changed.
    pub(super) fn known(&self) -> MutexGuard<'_, T> {
        locked(&self.known)
    }
}

impl<T> Clone for Knowing<T> {
    fn clone(&self) -> Self {
        Self {
            stand_in: self.stand_in.clone(),
            known: Arc::clone(&self.known),
        }
    }
}

impl<T> Deref for Knowing<T> {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.stand_in
    }
}

fn locked<T>(known: &Mutex<T>) -> MutexGuard<'_, T> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
