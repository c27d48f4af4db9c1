//! The steps that are not one transaction: those that PostgreSQL refuses to run in one, index builds
//! beside running traffic, and changes of so many rows that they are made in batches.
//!
//! Such a step can die half-way. An index build then leaves an index that costs every write and helps no
//! read. So it is recorded as begun before it starts, verified when it ends, and resumed by the next
//! runner: a valid index is finished work, an invalid one is dropped and built again. Of batches, those
//! that were made stay.

use std::time::Instant;

use sqlx::{PgConnection, Row as _};

use super::error::Error;
use super::file::{Role, Script};
use super::history::{self, State};
use super::plan::{Direction, Step};
use super::session::{LOCK_TIMEOUT, Patience};
use super::statements::{Concurrent, Statement};
use super::step::{execute, run_statements};
use super::{OWNER, Settings};

/// Whether a step runs here. A half-built index is also taken back here, whatever the down file
/// says: that file may well expect the index to be there.
pub(super) fn is_needed(step: &Step<'_>) -> bool {
    !step.script().in_transaction || takes_back_half_an_index(step).is_some()
}

fn takes_back_half_an_index<'a>(step: &Step<'a>) -> Option<&'a Script> {
    let up = &step.migration.up;
    let builds = matches!(concurrent(up), Concurrent::BuildIndex { .. });
    let half = step.direction == Direction::Down && step.unfinished.is_some();
    (half && builds && !up.in_transaction).then_some(up)
}

fn concurrent(script: &Script) -> Concurrent {
    script
        .statements
        .first()
        .map_or(Concurrent::Other, Statement::concurrent)
}

/// Runs a step that is not in a transaction.
pub(super) async fn run(
    connection: &mut PgConnection,
    step: &Step<'_>,
    settings: &Settings,
) -> Result<(), Error> {
    let mut patience = Patience::new(&step.script().file, settings);
    let result = mark_and_run(connection, step, settings, &mut patience).await;
    if !matches!(result, Err(Error::Unavailable { .. })) {
        execute(connection, "reset role").await?;
        execute(connection, &lock_timeout(LOCK_TIMEOUT)).await?;
    }
    result
}

async fn mark_and_run(
    connection: &mut PgConnection,
    step: &Step<'_>,
    settings: &Settings,
    patience: &mut Patience<'_>,
) -> Result<(), Error> {
    let started = Instant::now();
    let begun = match step.direction {
        Direction::Up => State::Applying,
        Direction::Down => State::Reverting,
    };
    record(connection, step, Some((begun, None)), patience).await?;
    become_role(connection, step.script().role).await?;
    let result = match takes_back_half_an_index(step) {
        Some(up) => drop_leftover(connection, up, settings, patience).await,
        None if step.script().in_batches => {
            batches(connection, step.script(), settings, patience).await
        }
        None => work(connection, step, settings, patience).await,
    };
    become_role(connection, Role::Owner).await?;
    if let Err(error) = result {
        // A build that failed and was cleaned away never happened.
        let gone = index(connection, step.script()).await?.is_none();
        if gone && step.direction == Direction::Up && builds_index(step.script()) {
            record(connection, step, None, patience).await?;
        }
        return Err(error);
    }
    let duration_ms = i64::try_from(started.elapsed().as_millis()).ok();
    let end = match step.direction {
        Direction::Up => Some((State::Applied, duration_ms)),
        Direction::Down => None,
    };
    record(connection, step, end, patience).await
}

fn builds_index(script: &Script) -> bool {
    matches!(concurrent(script), Concurrent::BuildIndex { .. })
}

/// Runs the statement, each time in a transaction of its own, until it finds nothing left to change.
async fn batches(
    connection: &mut PgConnection,
    script: &Script,
    settings: &Settings,
    patience: &mut Patience<'_>,
) -> Result<(), Error> {
    let mut changed = 0;
    loop {
        match run_statements(connection, script).await {
            Ok(0) => return Ok(()),
            Ok(rows) => {
                changed += rows;
                let told = format!("{}: {changed} rows so far", script.file);
                settings.progress.say(&told);
            }
            Err(error) => patience.after(error, connection).await?,
        }
        if *settings.stop.borrow() {
            let when = format!("after {changed} rows of {}", script.file);
            return Err(Error::Stopped { when });
        }
    }
}

/// Runs the statement until it worked and its result can be seen.
async fn work(
    connection: &mut PgConnection,
    step: &Step<'_>,
    settings: &Settings,
    patience: &mut Patience<'_>,
) -> Result<(), Error> {
    let script = step.script();
    let found = index(connection, script).await?;
    let is_done = match (concurrent(script), &found) {
        (Concurrent::BuildIndex { .. }, Some(found)) => found.valid,
        (Concurrent::DropIndex { .. }, None) => true,
        _ => false,
    };
    if step.unfinished.is_some() && is_done {
        settings
            .progress
            .say(&format!("{}: an earlier run had finished it", script.file));
        return Ok(());
    }
    loop {
        if builds_index(script) {
            drop_leftover(connection, script, settings, patience).await?;
        }
        // These statements wait with a weak lock that stops neither readers nor writers, and a
        // build that gives up has to start over: they may wait as long as the whole step may.
        if concurrent(script) != Concurrent::Other {
            execute(connection, &lock_timeout(patience.remaining())).await?;
        }
        let Err(error) = run_statements(connection, script).await else {
            break;
        };
        if matches!(error, Error::Unavailable { .. }) {
            return Err(error);
        }
        if builds_index(script) {
            drop_leftover(connection, script, settings, patience).await?;
        }
        patience.after(error, connection).await?;
    }
    match (concurrent(script), index(connection, script).await?) {
        (Concurrent::BuildIndex { index, .. }, found)
            if !found.as_ref().is_some_and(|one| one.valid) =>
        {
            Err(Error::InvalidIndex {
                file: script.file.clone(),
                index,
            })
        }
        _ => Ok(()),
    }
}

/// Drops the index of a build that died, if there is one.
async fn drop_leftover(
    connection: &mut PgConnection,
    script: &Script,
    settings: &Settings,
    patience: &mut Patience<'_>,
) -> Result<(), Error> {
    while let Some(leftover) = index(connection, script)
        .await?
        .filter(|found| !found.valid)
    {
        settings.progress.say(&format!(
            "{}: dropping the unfinished index {}",
            script.file, leftover.name
        ));
        execute(connection, &lock_timeout(patience.remaining())).await?;
        match execute(
            connection,
            &format!("drop index concurrently {}", leftover.name),
        )
        .await
        {
            Ok(()) => {}
            Err(error) => patience.after(error, connection).await?,
        }
    }
    Ok(())
}

/// An index as the catalogue has it.
struct Index {
    /// Its name, quoted where needed.
    name: String,
    valid: bool,
}

/// The index that a script is about, if it exists.
async fn index(connection: &mut PgConnection, script: &Script) -> Result<Option<Index>, Error> {
    let (name, table) = match concurrent(script) {
        Concurrent::BuildIndex { index, table } => (index, Some(table)),
        Concurrent::DropIndex { index } => (index, None),
        Concurrent::Other => return Ok(None),
    };
    let row = sqlx::query(
        "-- migrate_index()
         select i.indexrelid::regclass::text as name, i.indisvalid and i.indisready as valid
         from pg_index i
         where i.indexrelid = case when $2::text is null then to_regclass($1)
               else (select c.oid from pg_class c
                     join pg_class t on t.relnamespace = c.relnamespace
                     where t.oid = to_regclass($2) and quote_ident(c.relname) = quote_ident($3)) end",
    )
    .bind(&name)
    .bind(table)
    .bind(unquoted(&name))
    .fetch_optional(connection)
    .await
    .map_err(Error::database("looking for an index"))?;
    row.map(|row| {
        let read = Error::database("looking for an index");
        let index = || {
            Ok(Index {
                name: row.try_get("name")?,
                valid: row.try_get("valid")?,
            })
        };
        index().map_err(read)
    })
    .transpose()
}

fn unquoted(name: &str) -> String {
    let inner = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'));
    inner.map_or_else(|| name.to_owned(), |inner| inner.replace("\"\"", "\""))
}

/// Writes or removes the history row, as often as it takes.
async fn record(
    connection: &mut PgConnection,
    step: &Step<'_>,
    state: Option<(State, Option<i64>)>,
    patience: &mut Patience<'_>,
) -> Result<(), Error> {
    become_role(connection, Role::Owner).await?;
    execute(connection, &lock_timeout(LOCK_TIMEOUT)).await?;
    loop {
        let recorded = match state {
            Some((state, duration_ms)) => {
                history::write(connection, step.migration, state, duration_ms).await
            }
            None => history::remove(connection, step.migration).await,
        };
        match recorded.map_err(Error::database("recording a migration")) {
            Ok(()) => return Ok(()),
            Err(error) => patience.after(error, connection).await?,
        }
    }
}

async fn become_role(connection: &mut PgConnection, role: Role) -> Result<(), Error> {
    match role {
        Role::Owner => execute(connection, &format!("set role {OWNER}")).await,
        Role::Session => execute(connection, "reset role").await,
    }
}

fn lock_timeout(limit: std::time::Duration) -> String {
    // 0 would mean no limit at all.
    format!(
        "set lock_timeout = {}",
        limit.as_millis().clamp(1, 2_000_000_000)
    )
}
