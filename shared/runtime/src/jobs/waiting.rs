//! Waiting for jobs: one listening connection for all who wait in this process.
//!
//! It is opened when the first begins to wait and closed when the last has gone. Whoever waits also
//! looks at the row now and then, so that nothing depends on what is heard.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nova_store::{Job, Store, UserId};
use tokio::{
    sync::broadcast::{self, Receiver, Sender, error::RecvError},
    time::{Instant, sleep, sleep_until},
};
use uuid::Uuid;

use crate::{app::App, problem::Problem};

/// How often a waiting call looks at the row unasked: soon at first, while nobody listens yet.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_secs(2);
/// Steps within this time are looked at together.
const GATHER: Duration = Duration::from_millis(20);
/// How long the connection stays for the next who waits.
const LINGER: Duration = Duration::from_secs(1);
/// More steps than a process hears while one of its tasks is not run.
const CAPACITY: usize = 1024;

/// What is heard: a job that took a step, or that nobody knows what was missed.
type Heard = Option<Uuid>;

/// Those who wait in this process.
#[derive(Clone, Default)]
pub(crate) struct Waiting(Arc<Mutex<Option<Sender<Heard>>>>);

impl Waiting {
    /// Hears from now on, or a moment later.
    fn join(&self, store: &Store) -> Receiver<Heard> {
        let mut listening = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*listening {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(CAPACITY);
        *listening = Some(sender.clone());
        let (waiting, store) = (self.clone(), store.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = listen(&store, &sender) => sleep(LINGER).await,
                    () = forsaken(&sender) => {}
                }
                if waiting.ends(&sender) {
                    return;
                }
            }
        });
        receiver
    }

    /// Whether nobody waits any more; whoever comes next begins anew.
    fn ends(&self, sender: &Sender<Heard>) -> bool {
        let mut listening = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = sender.receiver_count() == 0;
        if ends {
            *listening = None;
        }
        ends
    }
}

/// Returns when the connection is lost.
async fn listen(store: &Store, sender: &Sender<Heard>) {
    let Ok(mut announcements) = store.announcements().await else {
        return;
    };
    // What happened before nobody heard. An error is that nobody waits, which `forsaken` sees.
    sender.send(None).ok();
    while let Ok(heard) = announcements.hear().await {
        sender.send(heard).ok();
    }
}

/// Returns when nobody has waited for a while.
async fn forsaken(sender: &Sender<Heard>) {
    loop {
        sender.closed().await;
        sleep(LINGER).await;
        if sender.receiver_count() == 0 {
            return;
        }
    }
}

/// Waits until a job has ended, at most this long, and says how far it has come.
///
/// # Errors
///
/// 404 when it is somebody else's, or was expired meanwhile; 503 when the database is away.
pub async fn wait(app: &App, user: &UserId, id: Uuid, patience: Duration) -> Result<Job, Problem> {
    let deadline = Instant::now() + patience;
    let mut heard = None;
    let mut pause = FIRST_LOOK;
    loop {
        let mut tenant = app.tenant(user).await?;
        let job = tenant.job(id).await?;
        // Read, nothing to commit; the connection goes back at once.
        drop(tenant);
        if job.state.has_ended() || Instant::now() >= deadline {
            return Ok(job);
        }
        let heard = heard.get_or_insert_with(|| app.waiting().join(app.store()));
        tokio::select! {
            () = step_of(id, heard) => {}
            () = sleep(pause) => pause = (pause * 2).min(LOOK),
            () = sleep_until(deadline) => {}
        }
    }
}

/// Returns when the job took a step, or may have.
async fn step_of(id: Uuid, heard: &mut Receiver<Heard>) {
    loop {
        match heard.recv().await {
            Ok(Some(other)) if other != id => {}
            Ok(_) | Err(RecvError::Lagged(_)) => break,
            // Cannot be while this waits; the looks go on.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
    sleep(GATHER).await;
    while heard.try_recv().is_ok() {}
}
