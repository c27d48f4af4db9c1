//! What must exist before migration 1: the role that owns everything, and the history table.
//!
//! It works for a superuser, and for a user who may create roles and stands in for the database's
//! owner, which is all that Cloud SQL gives anyone. Roles belong to the whole server, so runners
//! on two databases can meet here although each holds its own database's lock.

use std::time::Duration;

use sqlx::{PgConnection, Row as _};

use super::error::{Error, sqlstate};
use super::history;
use super::wait::Wait;
use super::{OWNER, Settings};

/// Which parts are already there.
#[derive(Debug, Default, Clone, Copy)]
struct Found {
    role: bool,
    may_become_role: bool,
    schema_rights: bool,
    history: bool,
}

/// Makes whatever is missing; asks one question when nothing is.
pub(super) async fn ensure(
    connection: &mut PgConnection,
    settings: &Settings,
) -> Result<(), Error> {
    let found = look(connection).await?;
    if !found.role {
        let create = format!("create role {OWNER} nologin");
        despite_others(connection, settings, create, &["42710", "23505"]).await?;
    }
    let found = if found.role {
        found
    } else {
        look(connection).await?
    };
    if !found.may_become_role {
        // Since PostgreSQL 16 the role's creator may hand it out but does not have it.
        let grant = format!("grant {OWNER} to current_user");
        despite_others(connection, settings, grant, &["23505"]).await?;
    }
    if !found.schema_rights {
        let grant = format!("grant usage, create on schema public to {OWNER}");
        despite_others(connection, settings, grant, &[]).await?;
    }
    let found = if found.schema_rights {
        found
    } else {
        look(connection).await?
    };
    if !found.schema_rights {
        // PostgreSQL answers such a GRANT with a warning only.
        return Err(Error::Refused(format!(
            "this user may not give {OWNER} rights on the schema public; run the first migration as the owner of the database"
        )));
    }
    if !found.history {
        // One message is one transaction, unless the caller has opened one.
        let create = format!("set role {OWNER}; {}; reset role", history::CREATE_TABLE);
        sqlx::raw_sql(sqlx::AssertSqlSafe(create))
            .execute(connection)
            .await
            .map_err(Error::database("creating the migration history"))?;
    }
    Ok(())
}

/// Whether nothing is missing.
pub(super) async fn is_done(connection: &mut PgConnection) -> Result<bool, Error> {
    let Found {
        role,
        may_become_role,
        schema_rights,
        history,
    } = look(connection).await?;
    Ok(role && may_become_role && schema_rights && history)
}

/// The same as a script for `psql`.
pub(super) fn sql() -> String {
    format!(
        "-- before the first migration\n\
         do $$ begin create role {OWNER} nologin; exception when duplicate_object then null; end $$;\n\
         grant {OWNER} to current_user;\n\
         grant usage, create on schema public to {OWNER};\n\
         set role {OWNER};{};\nreset role;\n",
        history::CREATE_TABLE
    )
}

async fn look(connection: &mut PgConnection) -> Result<Found, Error> {
    let row = sqlx::query(
        "-- migrate_bootstrap()
         select owner.oid is not null as role,
                coalesce(case when current_setting('server_version_num')::int >= 160000
                              then pg_has_role(owner.oid, 'SET')
                              else pg_has_role(owner.oid, 'MEMBER') end, false) as may_become_role,
                coalesce(has_schema_privilege(owner.oid, 'public', 'USAGE')
                         and has_schema_privilege(owner.oid, 'public', 'CREATE'), false) as schema_rights,
                to_regclass('public.nova_schema_migrations') is not null as history
         from (values (1)) as one left join pg_roles owner on owner.rolname = $1",
    )
    .bind(OWNER)
    .fetch_one(connection)
    .await
    .map_err(Error::database("looking for the owner role"))?;
    let read = |column| {
        row.try_get(column)
            .map_err(Error::database("looking for the owner role"))
    };
    Ok(Found {
        role: read("role")?,
        may_become_role: read("may_become_role")?,
        schema_rights: read("schema_rights")?,
        history: read("history")?,
    })
}

/// Runs a statement about roles that another runner may be running on another database: codes in
/// `done` mean that the other was first, and an update of the same catalogue row is tried again.
async fn despite_others(
    connection: &mut PgConnection,
    settings: &Settings,
    statement: String,
    done: &[&str],
) -> Result<(), Error> {
    let mut wait = Wait::new(Duration::from_secs(10), &settings.stop);
    loop {
        let result = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.as_str()))
            .execute(&mut *connection)
            .await;
        let Err(error) = result else { return Ok(()) };
        let code = sqlstate(&error).unwrap_or_default();
        if done.contains(&code.as_str()) {
            return Ok(());
        }
        // "tuple concurrently updated" has no code of its own.
        let met_another = code == "XX000" || code == "55P03";
        if !met_another || wait.pause(Duration::from_millis(50)).await.is_err() {
            return Err(Error::database(statement)(error));
        }
    }
}
