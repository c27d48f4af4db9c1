//! Adopts a database whose schema exists already, made by hand or restored without its history:
//! the migrations are recorded as applied and none is run. `check` says whether that was true.

use futures_util::future::BoxFuture;
use sqlx::PgConnection;

use super::error::Error;
use super::history::{self, State};
use super::step::execute;
use super::{Migration, Migrator, OWNER, bootstrap, close, lock, plan, session};

impl Migrator {
    /// Records the versions 1 to `to` as applied and answers how many were recorded: none if they
    /// are recorded already.
    pub fn baseline(&self, to: i32) -> BoxFuture<'_, Result<usize, Error>> {
        Box::pin(async move {
            let migrations = Migration::list(&self.sources)?;
            let mut connection = session::open(&self.settings).await?;
            let recorded = self.record(&mut connection, &migrations, to).await;
            close(connection).await;
            recorded
        })
    }

    async fn record(
        &self,
        connection: &mut PgConnection,
        migrations: &[Migration],
        to: i32,
    ) -> Result<usize, Error> {
        lock::acquire(connection, &self.settings).await?;
        bootstrap::ensure(connection, &self.settings).await?;
        let found = history::read(connection).await?;
        let missing = plan::baseline(migrations, &found, to)?;
        execute(connection, &format!("begin; set local role {OWNER}")).await?;
        for migration in &missing {
            history::write(connection, migration, State::Applied, None)
                .await
                .map_err(Error::database("recording a migration"))?;
        }
        execute(connection, "commit").await?;
        Ok(missing.len())
    }
}
