//! Receipts: what was paid to providers on the way to a result.
//!
//! Whoever calls a provider is given a place for receipts and leaves one for each call, whatever
//! came of it; whoever keeps the result keeps the receipts with it, in the same transaction. So a
//! call that failed after it was paid for, a repair, or a piece that was given up at last is
//! accounted for like any other, and an error needs to carry nothing.
//!
//! ```
//! use nova_runtime::receipts::{CallOutcome, CallUsage, Receipts};
//!
//! let receipts = Receipts::default();
//! let call = receipts.begin("Example", Some("model-1"));
//! // … the call is made …
//! call.end(CallOutcome::Answered, CallUsage { prompt_tokens: Some(7), ..CallUsage::default() });
//! assert_eq!(receipts.all()[0].usage.prompt_tokens, Some(7));
//! ```

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

pub use nova_store::{CallOutcome, CallUsage, ProviderCall};
use uuid::Uuid;

/// The calls that were made on the way to one result.
#[derive(Debug, Default)]
pub struct Receipts(Mutex<Vec<ProviderCall>>);

/// A call that has begun. Dropped without an end, because whoever waited gave up, it counts as one
/// that broke off: it may have been paid.
#[must_use = "a call that is not ended counts as one that broke off"]
#[derive(Debug)]
pub struct OpenCall<'a> {
    receipts: &'a Receipts,
    begun: Instant,
    call: ProviderCall,
}

impl Receipts {
    /// A call begins, of a model where the provider has several.
    pub fn begin(&self, provider: &'static str, model: Option<&str>) -> OpenCall<'_> {
        OpenCall {
            receipts: self,
            begun: Instant::now(),
            call: ProviderCall {
                id: Uuid::now_v7(),
                provider,
                model: model.map(str::to_owned),
                outcome: CallOutcome::Unreachable,
                duration: std::time::Duration::ZERO,
                usage: CallUsage::default(),
            },
        }
    }

    /// The calls so far, in the order in which they ended.
    pub fn all(&self) -> Vec<ProviderCall> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ProviderCall>> {
        // Whoever panicked while it was held had pushed, or not: it is whole either way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenCall<'_> {
    /// The call ended like this.
    pub fn end(mut self, outcome: CallOutcome, usage: CallUsage) {
        self.call.outcome = outcome;
        self.call.usage = usage;
    }
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        let mut call = self.call.clone();
        call.duration = self.begun.elapsed();
        self.receipts.lock().push(call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_nobody_waits_for_any_more_leaves_a_receipt_too() {
        let receipts = Receipts::default();
        receipts
            .begin("Example", None)
            .end(CallOutcome::Answered, CallUsage::default());
        drop(receipts.begin("Example", Some("model-1")));
        let outcomes: Vec<CallOutcome> = receipts.all().iter().map(|call| call.outcome).collect();
        assert_eq!(outcomes, [CallOutcome::Answered, CallOutcome::Unreachable]);
    }
}
