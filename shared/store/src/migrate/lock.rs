//! One runner at a time: an advisory lock that is tried and polled.
//!
//! It is never waited for inside PostgreSQL. A session that waits in `pg_advisory_lock` has a
//! snapshot open, `CREATE INDEX CONCURRENTLY` waits for all snapshots, and the two runners would
//! wait for each other. A runner that sleeps here has nothing open.
//!
//! The lock belongs to the migrating session: if the runner is killed and its statement goes on
//! in the server, the next runner waits for that statement's end.

use std::time::Duration;

use sqlx::PgConnection;

use super::Settings;
use super::error::Error;
use super::wait::{Ended, Wait};

/// "novamigr" in ASCII; advisory locks are numbers, and this one is per database.
const KEY: i64 = 0x6e6f_7661_6d69_6772;

/// Takes the lock, or fails after the time limit naming the holder. It is let go by closing the
/// session.
pub(super) async fn acquire(
    connection: &mut PgConnection,
    settings: &Settings,
) -> Result<(), Error> {
    let mut wait = Wait::new(settings.lock_timeout, &settings.stop);
    let mut told = false;
    while !try_acquire(connection).await? {
        let holder = holder(connection).await?;
        if !told {
            told = true;
            settings.progress.say(&format!(
                "waiting for another migration to finish: {holder}"
            ));
        }
        match wait.pause(Duration::from_millis(300)).await {
            Ok(()) => {}
            Err(Ended::Expired) => {
                return Err(Error::LockHeld {
                    waited: wait.elapsed(),
                    holder,
                });
            }
            Err(Ended::Stopped) => {
                let when = "while waiting for another migration".to_owned();
                return Err(Error::Stopped { when });
            }
        }
    }
    Ok(())
}

async fn try_acquire(connection: &mut PgConnection) -> Result<bool, Error> {
    sqlx::query_scalar("-- migrate_try_lock()\nselect pg_try_advisory_lock($1)")
        .bind(KEY)
        .fetch_one(connection)
        .await
        .map_err(Error::database("taking the migration lock"))
}

async fn holder(connection: &mut PgConnection) -> Result<String, Error> {
    let holder: Option<String> = sqlx::query_scalar(
        "-- migrate_lock_holder()
         select format('process %s, user %s, since %s', a.pid, a.usename,
                       to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS \"UTC\"'))
         from pg_locks l join pg_stat_activity a using (pid)
         where l.locktype = 'advisory' and l.granted and l.objsubid = 1
           and l.database = (select oid from pg_database where datname = current_database())
           and (l.classid::bigint << 32) | l.objid::bigint = $1",
    )
    .bind(KEY)
    .fetch_optional(connection)
    .await
    .map_err(Error::database("asking who holds the migration lock"))?;
    Ok(holder.unwrap_or_else(|| "it has just finished".to_owned()))
}
