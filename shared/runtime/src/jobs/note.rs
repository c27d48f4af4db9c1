//! What a worker is doing, in words for whoever waits.

use tokio::sync::watch;

/// The latest words; the worker writes them down from time to time.
pub(super) struct Note(watch::Sender<Option<String>>);

impl Note {
    pub(super) fn new() -> (Self, watch::Receiver<Option<String>>) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), receiver)
    }

    pub(super) fn say(&self, words: String) {
        self.0.send_replace(Some(words));
    }
}
