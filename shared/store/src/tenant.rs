use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Answer, Error, UserId,
    connections::{Connections, Lent},
};

/// One transaction on behalf of one user.
///
/// Its methods, spread over the files of their nouns, see and change that user's rows only.
/// Dropped without [`Tenant::commit`], nothing has happened.
#[derive(Debug)]
pub struct Tenant {
    user: UserId,
    connection: Lent,
    /// Whether a statement failed, or was not waited for. Nothing can be saved then, and the database would say so to
    /// any further statement, but answers a commit as if all were well.
    broken: Arc<AtomicBool>,
}

impl Tenant {
    /// `BEGIN` and the settings that row level security reads, as one batch of the simple
    /// protocol: one round trip instead of two. The settings are local to the transaction, so
    /// that a pooled connection carries nothing over to the next user. `SET` needs neither a plan
    /// nor an executor, and no row comes back: half of what `SELECT set_config(…)` costs.
    pub(crate) async fn begin(
        connections: &Connections,
        user: &UserId,
        call: Option<(&str, Uuid)>,
    ) -> Result<Self, Error> {
        let call = call.map_or_else(String::new, |(tool, id)| {
            let tool = literal(tool);
            format!("; SET LOCAL app.tool = {tool}; SET LOCAL app.call_id = '{id}'")
        });
        let user_id = literal(user.as_str());
        let batch = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL app.user_id = {user_id}{call}"
        );
        let connection = begin(connections, &batch).await?;
        Ok(Self {
            user: user.clone(),
            connection,
            broken: Arc::default(),
        })
    }

    /// Whose transaction this is.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Makes everything done so far permanent.
    ///
    /// # Errors
    /// [`Error::Database`] when a statement had failed: nothing is saved, as after every failure.
    /// [`Error::Unavailable`] when the connection broke: the work may or may not be done.
    pub fn commit(self) -> Answer<'static, ()> {
        Box::pin(async move {
            if self.broken.load(Ordering::Relaxed) {
                let told = "commit after a failed statement".to_owned();
                return Err(Error::Database(Box::new(sqlx::Error::Protocol(told))));
            }
            Ok(self.connection.commit().await?)
        })
    }

    /// What [`watch`] marks.
    pub(crate) fn broken(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.broken)
    }

    /// The user's id and the connection, as a query needs them.
    pub(crate) fn parts(&mut self) -> (&str, &mut PgConnection) {
        (self.user.as_str(), &mut self.connection)
    }
}

/// `BEGIN`, on a connection that lives. After a failover, or a night without a processor, those in
/// the pool are dead and do not know it; none was told anything yet, so the next one is tried.
async fn begin(connections: &Connections, batch: &str) -> Result<Lent, sqlx::Error> {
    let started = Instant::now();
    loop {
        let mut connection = connections.lend().await?;
        match connection.begin(batch).await {
            Err(error) if is_dead(&error) && started.elapsed() < PATIENCE_WITH_DEAD => {}
            begun => return begun.map(|()| connection),
        }
    }
}

/// A dead connection is noticed within a moment; what takes longer is the server's trouble.
const PATIENCE_WITH_DEAD: Duration = Duration::from_secs(1);

/// Whether the connection was gone before it was asked anything.
fn is_dead(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::UnexpectedEof
                | ErrorKind::BrokenPipe
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
        ),
        // The last words of a server that ends it: by an administrator, by a crash.
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P01" | "57P02")),
        _ => false,
    }
}

/// Boxes what a method of a tenant does, and notes when the database refused a part of it, or
/// when the caller did not wait for the end.
pub(crate) fn watch<'a, T>(
    broken: Arc<AtomicBool>,
    work: impl Future<Output = Result<T, Error>> + Send + 'a,
) -> Answer<'a, T> {
    Box::pin(async move {
        let was_broken = broken.swap(true, Ordering::Relaxed);
        let done = work.await;
        let failed = done.as_ref().is_err_and(Error::is_from_database);
        broken.store(was_broken || failed, Ordering::Relaxed);
        done
    })
}

/// A string constant that means the same whatever the server's settings: the simple protocol
/// has no parameters.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
