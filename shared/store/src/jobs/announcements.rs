//! Hearing of the steps of jobs, as the database announces them.

use sqlx::postgres::{PgListener, PgPoolOptions};
use uuid::Uuid;

use super::JOBS_CHANNEL;
use crate::{Answer, Store};

/// Hears of every step of every job, on a connection of its own beside the pool's: it is held for
/// as long as this value.
#[derive(Debug)]
pub struct Announcements {
    listener: PgListener,
}

impl Store {
    /// Begins to listen.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] when no connection can be had.
    pub fn announcements(&self) -> Answer<'_, Announcements> {
        Box::pin(async move {
            let connects = self.connections.sqlx();
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(connects.options().get_acquire_timeout())
                .connect_lazy_with((*connects.connect_options()).clone());
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(JOBS_CHANNEL).await?;
            Ok(Announcements { listener })
        })
    }
}

impl Announcements {
    /// Waits for the next step of a job; `None` when the connection was lost and made anew, so that steps
    /// may have been missed.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] when the connection is gone for now. Listen anew after a while.
    pub fn hear(&mut self) -> Answer<'_, Option<Uuid>> {
        Box::pin(async move {
            loop {
                let Some(heard) = self.listener.try_recv().await? else {
                    return Ok(None);
                };
                // Anybody may announce anything.
                if let Ok(id) = heard.payload().parse() {
                    return Ok(Some(id));
                }
            }
        })
    }
}
