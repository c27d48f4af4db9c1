//! Drops the databases of finished tests in the background, so that hundreds of them do not fill
//! the memory or the disk.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::database::execute;

/// Takes the names of databases that are no longer needed.
#[derive(Clone, Debug)]
pub(super) struct Dropper {
    names: Sender<String>,
}

impl Dropper {
    /// For the server with this administrator's URL. The thread ends with the last clone.
    pub(super) fn of(url: String) -> Self {
        let (names, queue) = channel();
        std::thread::spawn(move || drop_all(&url, &queue));
        Self { names }
    }

    /// Returns at once: tests end in runtimes that are about to stop.
    pub(super) fn drop_later(&self, name: &str) {
        // Without the thread the database stays, which costs no more than its space.
        let _thread_is_gone = self.names.send(name.to_owned());
    }
}

fn drop_all(url: &str, names: &Receiver<String>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return;
    };
    for name in names {
        // FORCE ends what a test left connected. A server that is stopped keeps its databases.
        let _dropped_or_not = runtime.block_on(execute(
            url,
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        ));
    }
}
