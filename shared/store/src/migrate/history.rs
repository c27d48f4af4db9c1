//! What the database remembers: one row for each migration it has, in the same transaction as the
//! migration itself, so that neither can exist without the other.

use serde::Serialize;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::error::Error;
use super::file::Migration;

/// The table is the engine's own; migrations never touch it. Functions read it to learn whether
/// the schema is new enough, hence the grant to everyone.
pub(super) const CREATE_TABLE: &str = "
create table if not exists public.nova_schema_migrations (
    version     integer primary key check (version > 0),
    name        text not null,
    checksum    text not null check (checksum ~ '^[0-9a-f]{64}$'),
    state       text not null check (state in ('applied', 'applying', 'reverting')),
    applied_at  timestamptz not null default now(),
    duration_ms bigint check (duration_ms >= 0),
    applied_by  text not null default session_user
);
grant select on public.nova_schema_migrations to public;
comment on table public.nova_schema_migrations is
    'One row for each migration this database has; written by the job migrate only';
comment on column public.nova_schema_migrations.checksum is
    'SHA-256 of the up file with LF line ends';
comment on column public.nova_schema_migrations.state is
    'applying and reverting: a step that cannot run in a transaction was begun and is not known to be finished';
comment on column public.nova_schema_migrations.duration_ms is
    'null: recorded by baseline, not run here'";

/// One migration that the database has, or has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The migration's number.
    pub version: i32,
    /// The migration's name, such as `0007_name`.
    pub name: String,
    /// SHA-256 of the up file that was applied.
    pub checksum: String,
    /// Whether it is finished.
    pub state: State,
    /// When it was applied, begun or recorded.
    #[serde(with = "time::serde::rfc3339")]
    pub applied_at: OffsetDateTime,
    /// How long it took; none when `baseline` recorded it.
    pub duration_ms: Option<i64>,
    /// The database user who ran it.
    pub applied_by: String,
}

/// Whether a recorded migration is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is in the schema.
    Applied,
    /// A step outside of a transaction was begun and is not known to be finished.
    Applying,
    /// The same, on the way down.
    Reverting,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Applying => "applying",
            Self::Reverting => "reverting",
        }
    }
}

/// The recorded migrations, oldest first; none where the table does not exist yet.
pub(super) async fn read(connection: &mut PgConnection) -> Result<Vec<Record>, Error> {
    let rows = sqlx::query(
        "-- migrate_history()
         select version, name, checksum, state, applied_at, duration_ms, applied_by
         from public.nova_schema_migrations order by version",
    )
    .fetch_all(connection)
    .await;
    match rows {
        Ok(rows) => rows.iter().map(record).collect::<Result<_, _>>(),
        Err(error) if super::error::sqlstate(&error).as_deref() == Some("42P01") => Ok(Vec::new()),
        Err(error) => Err(error),
    }
    .map_err(Error::database("reading the migration history"))
}

fn record(row: &sqlx::postgres::PgRow) -> Result<Record, sqlx::Error> {
    let state = match row.try_get("state")? {
        "applied" => State::Applied,
        "reverting" => State::Reverting,
        _ => State::Applying,
    };
    Ok(Record {
        version: row.try_get("version")?,
        name: row.try_get("name")?,
        checksum: row.try_get("checksum")?,
        state,
        applied_at: row.try_get("applied_at")?,
        duration_ms: row.try_get("duration_ms")?,
        applied_by: row.try_get("applied_by")?,
    })
}

/// Records a migration in a state, over what was recorded before.
pub(super) async fn write(
    connection: &mut PgConnection,
    migration: &Migration,
    state: State,
    duration_ms: Option<i64>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "-- migrate_record()
         insert into public.nova_schema_migrations (version, name, checksum, state, duration_ms)
         values ($1, $2, $3, $4, $5)
         on conflict (version) do update set
             name = excluded.name, checksum = excluded.checksum, state = excluded.state,
             applied_at = excluded.applied_at, duration_ms = excluded.duration_ms,
             applied_by = excluded.applied_by",
    )
    .bind(migration.version)
    .bind(&migration.name)
    .bind(&migration.checksum)
    .bind(state.as_str())
    .bind(duration_ms)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Forgets a migration that was taken back.
pub(super) async fn remove(
    connection: &mut PgConnection,
    migration: &Migration,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "-- migrate_forget()
         delete from public.nova_schema_migrations where version = $1",
    )
    .bind(migration.version)
    .execute(connection)
    .await
    .map(|_| ())
}
