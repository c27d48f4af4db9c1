//! The one database session that a command uses, made to behave the same for every user and
//! server: fixed search path and isolation, short lock waits, no statement limit.
//!
//! The session must be a direct one: the migration lock belongs to it, so a pooler that shares
//! sessions between transactions would lose the lock.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use super::error::{Error, is_unavailable};
use super::wait::{Ended, Stop, Wait};
use super::{Progress, Settings};

/// How long one statement may wait for a table's lock. While it waits, everybody who comes later
/// waits behind it, so this is what a migration may cost the people who use the system.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// One attempt to connect; Cloud SQL's first connection takes up to a second or two.
const ATTEMPT: Duration = Duration::from_secs(10);

/// `idle_in_transaction…` and the keep-alives end the session of a runner that vanished without a
/// word, so that its locks do not outlive it for hours.
const SETTINGS: &str = "
set search_path = public;
set lock_timeout = '500ms';
set statement_timeout = 0;
set idle_in_transaction_session_timeout = '60s';
set tcp_keepalives_idle = 30;
set tcp_keepalives_interval = 10;
set tcp_keepalives_count = 3;
set client_min_messages = warning;
set default_transaction_isolation = 'read committed';
set default_transaction_read_only = off";

/// Connects, trying again for a bounded time while the server is away or starting.
pub(super) async fn open(settings: &Settings) -> Result<PgConnection, Error> {
    let options = settings
        .options
        .clone()
        .application_name("nova migrate")
        // The schema changes under this session: nothing prepared may outlive its statement.
        .statement_cache_capacity(0)
        .disable_statement_logging();
    let mut wait = Wait::new(settings.connect_timeout, &settings.stop);
    let mut pause = Duration::from_millis(200);
    let mut told = false;
    loop {
        let error = match attempt(&options).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        if !is_unavailable(&error) {
            return Err(Error::Unavailable {
                doing: "connecting".to_owned(),
                source: error,
            });
        }
        if !told {
            told = true;
            let limit = settings.connect_timeout.as_secs();
            settings.progress.say(&format!(
                "waiting up to {limit} s for the database: {error}"
            ));
        }
        match wait.pause(pause).await {
            Ok(()) => pause = (pause * 2).min(Duration::from_secs(5)),
            Err(Ended::Expired) => {
                let doing = format!("connecting for {:.0} s", wait.elapsed().as_secs_f64());
                return Err(Error::Unavailable {
                    doing,
                    source: error,
                });
            }
            Err(Ended::Stopped) => {
                return Err(Error::Stopped {
                    when: "while connecting".to_owned(),
                });
            }
        }
    }
}

async fn attempt(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connecting = async {
        let mut connection = PgConnection::connect_with(options).await?;
        sqlx::raw_sql(SETTINGS).execute(&mut connection).await?;
        Ok(connection)
    };
    tokio::time::timeout(ATTEMPT, connecting)
        .await
        .unwrap_or_else(|_elapsed| {
            Err(sqlx::Error::Io(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                "the server accepted the connection and said nothing",
            )))
        })
}

/// A table's lock was not granted in time: pauses and lets the caller try again, until the limit.
pub(super) struct Patience<'a> {
    file: &'a str,
    wait: Wait,
    pause: Duration,
    progress: &'a Progress,
}

impl<'a> Patience<'a> {
    pub(super) fn new(file: &'a str, settings: &'a Settings) -> Self {
        let stop: &Stop = &settings.stop;
        Self {
            file,
            wait: Wait::new(settings.lock_timeout, stop),
            pause: LOCK_TIMEOUT,
            progress: &settings.progress,
        }
    }

    pub(super) fn remaining(&self) -> Duration {
        self.wait.remaining()
    }

    /// Gives the error back unless trying again may help. The pause is as long as the wait was, or
    /// longer, so that those who queued behind it get through.
    pub(super) async fn after(
        &mut self,
        error: Error,
        connection: &mut PgConnection,
    ) -> Result<(), Error> {
        let source = match error {
            Error::Statement { source, .. } | Error::Database { source, .. }
                if is_lock_conflict(&source) =>
            {
                source
            }
            other => return Err(other),
        };
        let oldest = oldest_transaction(connection).await;
        let waited = self.wait.elapsed();
        self.progress.say(&format!(
            "{}: a lock was not granted after {:.1} s, trying again{oldest}",
            self.file,
            waited.as_secs_f64()
        ));
        match self.wait.pause(self.pause).await {
            Ok(()) => {
                self.pause = (self.pause * 3 / 2).min(Duration::from_secs(4));
                Ok(())
            }
            Err(Ended::Expired) => Err(Error::Blocked {
                file: self.file.to_owned(),
                waited,
                oldest,
                source,
            }),
            Err(Ended::Stopped) => Err(Error::Stopped {
                when: format!("while {} waited for a lock", self.file),
            }),
        }
    }
}

/// Lock not available, or chosen as the victim of a deadlock.
fn is_lock_conflict(error: &sqlx::Error) -> bool {
    matches!(
        super::error::sqlstate(error).as_deref(),
        Some("55P03" | "40P01")
    )
}

/// Who has had a transaction open for longest, ready to follow a sentence; empty when this user
/// may not see it. It is a hint for a person: a failure to ask is no failure of the migration.
async fn oldest_transaction(connection: &mut PgConnection) -> String {
    let oldest: Result<Option<String>, _> = sqlx::query_scalar(
        "-- migrate_oldest_transaction()
         select format('; the oldest open transaction is of process %s, user %s, %s, for %s s',
                       pid, usename, coalesce(nullif(application_name, ''), 'unnamed'),
                       round(extract(epoch from now() - xact_start)))
         from pg_stat_activity
         where datname = current_database() and backend_type = 'client backend'
           and pid <> pg_backend_pid() and xact_start is not null
         order by xact_start limit 1",
    )
    .fetch_optional(connection)
    .await;
    oldest.ok().flatten().unwrap_or_default()
}
