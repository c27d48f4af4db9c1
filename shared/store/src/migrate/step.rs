//! Runs one migration up or down.
//!
//! Nearly all run in a transaction of their own together with their history row: after any crash
//! either both are there or neither is. While a strong lock is not granted within half a second the
//! whole transaction is rolled back, so that nobody queues behind it, and tried again.

use std::time::{Duration, Instant};

use sqlx::PgConnection;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use super::error::Error;
use super::file::{Role, Script};
use super::history::{self, State};
use super::plan::{Direction, Step};
use super::session::Patience;
use super::statements::Statement;
use super::{OWNER, Settings, alone};

/// Runs a step to its end and says how long it took.
pub(super) async fn run(
    connection: &mut PgConnection,
    step: &Step<'_>,
    settings: &Settings,
) -> Result<Duration, Error> {
    let started = Instant::now();
    if alone::is_needed(step) {
        alone::run(connection, step, settings).await?;
        return Ok(started.elapsed());
    }
    let mut patience = Patience::new(&step.script().file, settings);
    loop {
        let error = match attempt(connection, step).await {
            Ok(()) => return Ok(started.elapsed()),
            Err(error) => error,
        };
        // Before the pause: a transaction that is merely abandoned keeps its locks.
        if !matches!(error, Error::Unavailable { .. }) {
            execute(connection, "rollback").await?;
        }
        patience.after(error, connection).await?;
    }
}

async fn attempt(connection: &mut PgConnection, step: &Step<'_>) -> Result<(), Error> {
    let started = Instant::now();
    begin(connection, step.script()).await?;
    run_statements(connection, step.script()).await?;
    execute(connection, &format!("set local role {OWNER}")).await?;
    let recorded = match step.direction {
        Direction::Up => {
            let duration_ms = i64::try_from(started.elapsed().as_millis()).ok();
            history::write(connection, step.migration, State::Applied, duration_ms).await
        }
        Direction::Down => history::remove(connection, step.migration).await,
    };
    recorded.map_err(Error::database("recording a migration"))?;
    // A constraint that is deferred speaks up here.
    sqlx::raw_sql("commit")
        .execute(&mut *connection)
        .await
        .map(|_| ())
        .map_err(|source| {
            let statements = &step.script().statements;
            let end = Statement {
                line: step.script().text.lines().count(),
                text: String::new(),
            };
            failed(step.script(), statements.len() + 1, &end, source)
        })
}

/// Opens the transaction of a script. The server looks every two seconds whether the runner is
/// still there, so that the locks of a killed one are let go even in a long statement.
pub(super) async fn begin(connection: &mut PgConnection, script: &Script) -> Result<(), Error> {
    let role = match script.role {
        Role::Owner => format!("; set local role {OWNER}"),
        Role::Session => String::new(),
    };
    execute(
        connection,
        &format!("begin; set local client_connection_check_interval = '2s'{role}"),
    )
    .await
}

/// Runs the statements one by one, so that a failure has a number and a line; answers how many rows
/// they changed.
pub(super) async fn run_statements(
    connection: &mut PgConnection,
    script: &Script,
) -> Result<u64, Error> {
    let mut changed = 0;
    for (number, statement) in (1..).zip(&script.statements) {
        changed += sqlx::raw_sql(sqlx::AssertSqlSafe(statement.text.as_str()))
            .execute(&mut *connection)
            .await
            .map_err(|source| failed(script, number, statement, source))?
            .rows_affected();
    }
    Ok(changed)
}

/// One of the engine's own statements.
pub(super) async fn execute(connection: &mut PgConnection, statement: &str) -> Result<(), Error> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(Error::database(statement))
}

/// The error of a statement in a file, with the place and all that PostgreSQL said about it.
pub(super) fn failed(
    script: &Script,
    number: usize,
    statement: &Statement,
    source: sqlx::Error,
) -> Error {
    if super::error::is_unavailable(&source) {
        let doing = format!("{}:{}", script.file, statement.line);
        return Error::Unavailable { doing, source };
    }
    let mut line = statement.line;
    if let sqlx::Error::Database(error) = &source
        && let Some(error) = error.try_downcast_ref::<PgDatabaseError>()
        && let Some(PgErrorPosition::Original(position)) = error.position()
    {
        line = statement.line_at(position);
    }
    Error::Statement {
        file: script.file.clone(),
        statement: number,
        line,
        source,
    }
}
