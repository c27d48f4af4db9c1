//! The pool: connections that are ready again at once.
//!
//! sqlx's own pool asks each connection that comes back whether it lives: a round trip for each
//! transaction, by a task of its own, after the answer went out. That is when Cloud Run takes the
//! processor away; and it was a tenth of what an upload costs. A connection that has just answered
//! `COMMIT` is known to live and to hold nothing, so it is lent to the next who asks, as it is.
//! After anything else it is rolled back, or asked, first.
//!
//! sqlx's pool is still what connects: it tries again while a server starts.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, raw_sql};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// The server, or what is between, may have dropped a connection that was silent for longer: it is
/// asked before it is lent.
const ASK_AFTER_IDLE: Duration = Duration::from_secs(5);
const CLOSE_AFTER_IDLE: Duration = Duration::from_mins(5);
/// Rights, plans and memory of a server's process are not kept for longer.
const MAX_LIFETIME: Duration = Duration::from_mins(30);
/// What it may take to be ready again, with the end of a statement that nobody waits for any more.
/// Then the connection is closed.
const READY_AGAIN_DEADLINE: Duration = Duration::from_secs(5);

/// How many connections there are, and who has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// In use.
    pub lent: usize,
    /// Open and not in use.
    pub idle: usize,
    /// As many as there ever are at once.
    pub most: usize,
}

/// Lends connections, as many at once as sqlx's pool would have.
#[derive(Clone, Debug)]
pub(crate) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connects: PgPool,
    /// One for each connection that is lent. As many as those are all connections there ever are:
    /// a new one is made by who holds a turn and finds none ready.
    turns: Arc<Semaphore>,
    most: usize,
    ready: Mutex<Ready>,
}

/// Whoever came back last is lent first, so that the others grow old and are closed.
#[derive(Debug, Default)]
struct Ready {
    idle: Vec<Idle>,
    /// Whether a task closes what grows old.
    is_watched: bool,
}

#[derive(Debug)]
struct Idle {
    connection: PgConnection,
    born: Instant,
    since: Instant,
}

/// A connection in use. Dropped, it is made ready for the next by a task of its own.
#[derive(Debug)]
pub(crate) struct Lent {
    /// Always there, until the value ends.
    connection: Option<PgConnection>,
    born: Instant,
    in_transaction: bool,
    turn: Option<OwnedSemaphorePermit>,
    home: Connections,
}

impl Connections {
    /// Connects as a pool of sqlx does. Nothing is connected yet.
    pub(crate) fn new(connects: PgPool) -> Self {
        let count = usize::try_from(connects.options().get_max_connections());
        let most = count.map_or(Semaphore::MAX_PERMITS, |it| it.min(Semaphore::MAX_PERMITS));
        Self(Arc::new(Shared {
            connects,
            turns: Arc::new(Semaphore::new(most)),
            most,
            ready: Mutex::default(),
        }))
    }

    /// What connects.
    pub(crate) fn sqlx(&self) -> &PgPool {
        &self.0.connects
    }

    /// As it is at this moment.
    pub(crate) fn status(&self) -> PoolStatus {
        PoolStatus {
            lent: self.0.most.saturating_sub(self.0.turns.available_permits()),
            idle: self.0.ready().idle.len(),
            most: self.0.most,
        }
    }

    /// Lends a connection: one that is ready, or a new one.
    ///
    /// # Errors
    ///
    /// [`sqlx::Error::PoolTimedOut`] when none can be had in time.
    pub(crate) async fn lend(&self) -> Result<Lent, sqlx::Error> {
        let time = self.0.connects.options().get_acquire_timeout();
        let lent = timeout(time, self.wait()).await;
        lent.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn wait(&self) -> Result<Lent, sqlx::Error> {
        let turn = Arc::clone(&self.0.turns).acquire_owned().await;
        let turn = turn.map_err(|_closed| sqlx::Error::PoolClosed)?;
        while let Some(mut idle) = self.0.pop() {
            // Who does not answer is closed, and the next is asked.
            if idle.since.elapsed() < ASK_AFTER_IDLE || idle.connection.ping().await.is_ok() {
                return Ok(self.lent(idle.connection, idle.born, turn));
            }
        }
        let connection = self.0.connects.acquire().await?.detach();
        Ok(self.lent(connection, Instant::now(), turn))
    }

    fn lent(&self, connection: PgConnection, born: Instant, turn: OwnedSemaphorePermit) -> Lent {
        Lent {
            connection: Some(connection),
            born,
            in_transaction: false,
            turn: Some(turn),
            home: self.clone(),
        }
    }

    fn keep(&self, connection: PgConnection, born: Instant) {
        if born.elapsed() > MAX_LIFETIME {
            return;
        }
        let mut ready = self.0.ready();
        ready.idle.push(Idle {
            connection,
            born,
            since: Instant::now(),
        });
        if !ready.is_watched
            && let Ok(runtime) = Handle::try_current()
        {
            ready.is_watched = true;
            runtime.spawn(close_old(Arc::downgrade(&self.0)));
        }
    }
}

impl Shared {
    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pop(&self) -> Option<Idle> {
        self.ready().idle.pop()
    }
}

/// Closes what nobody wanted for a while, until there is nothing left.
async fn close_old(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(CLOSE_AFTER_IDLE / 5).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let mut ready = shared.ready();
        ready
            .idle
            .retain(|it| it.since.elapsed() < CLOSE_AFTER_IDLE);
        if ready.idle.is_empty() {
            ready.is_watched = false;
            return;
        }
    }
}

impl Lent {
    /// Begins a transaction with a batch of the simple protocol: one round trip.
    ///
    /// # Errors
    ///
    /// What the database says, and what happens on the way.
    pub(crate) async fn begin(&mut self, batch: &str) -> Result<(), sqlx::Error> {
        self.in_transaction = true;
        let batch = AssertSqlSafe(batch.to_owned());
        raw_sql(batch).execute(&mut **self).await.map(drop)
    }

    /// Makes the transaction permanent; the connection is ready for the next.
    ///
    /// # Errors
    ///
    /// What the database says, and what happens on the way.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        raw_sql("COMMIT").execute(&mut *self).await?;
        if let Some(connection) = self.connection.take() {
            self.home.keep(connection, self.born);
        }
        Ok(())
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        #[expect(clippy::expect_used, reason = "only what ends the value takes it")]
        self.connection.as_ref().expect("a lent connection")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        #[expect(clippy::expect_used, reason = "only what ends the value takes it")]
        self.connection.as_mut().expect("a lent connection")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let Ok(runtime) = Handle::try_current() else {
            return; // nobody could ask it anything; it is closed
        };
        let (in_transaction, born) = (self.in_transaction, self.born);
        let (home, turn) = (self.home.clone(), self.turn.take());
        runtime.spawn(async move {
            let ready = async {
                if in_transaction {
                    raw_sql("ROLLBACK").execute(&mut connection).await.map(drop)
                } else {
                    connection.ping().await
                }
            };
            if matches!(timeout(READY_AGAIN_DEADLINE, ready).await, Ok(Ok(()))) {
                home.keep(connection, born);
            }
            drop(turn);
        });
    }
}

#[cfg(test)]
mod tests;
