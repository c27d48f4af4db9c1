//! Receipts of pieces, until they are kept with what came of the piece.
//!
//! They are held here and not by whoever fetches the piece, who may be cut off in the middle of a
//! call: what has not been kept by then is kept when the worker lets go of its job.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::receipts::Receipts;

/// Receipts by the position of their piece.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<BTreeMap<u64, Arc<Receipts>>>);

impl Ledger {
    /// A piece is begun.
    pub(super) fn open(&self, piece: u64) -> Arc<Receipts> {
        Arc::clone(self.lock().entry(piece).or_default())
    }

    /// The receipts of a piece are kept.
    pub(super) fn close(&self, piece: u64) {
        self.lock().remove(&piece);
    }

    /// What is not kept yet.
    pub(super) fn left(&self) -> Vec<(u64, Arc<Receipts>)> {
        let left = self.lock();
        left.iter()
            .map(|(piece, receipts)| (*piece, Arc::clone(receipts)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Receipts>>> {
        // Whoever panicked while it was held had changed one entry, or not: it is whole either way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
