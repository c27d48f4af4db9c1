//! What can stop a migration, in words for the person who reads the job's log, and the exit code
//! that tells Cloud Run (and a shell) whether running the job again can help.

use std::time::Duration;

use super::check::Difference;

/// Why a command of the migration engine did not reach its goal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A migration file breaks a rule of its format.
    #[error("{file}:{line}: {problem}")]
    File {
        /// The file's name.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The database could not be reached, or went away.
    #[error("the database cannot be reached ({doing})")]
    Unavailable {
        /// What was being done, for the reader of the log.
        doing: String,
        /// What the connection said.
        #[source]
        source: sqlx::Error,
    },
    /// Another runner kept the migration lock for the whole time limit.
    #[error("another migration is still running after {}: {holder}; run this job again, or raise --lock-timeout", seconds(.waited))]
    LockHeld {
        /// How long this runner tried.
        waited: Duration,
        /// Who holds the lock, as far as this user may see.
        holder: String,
    },
    /// A table was in use for the whole time limit.
    #[error("{file}: a table stayed locked by others for {}{oldest}; run this job again, or raise --lock-timeout", seconds(.waited))]
    Blocked {
        /// The file whose statement could not get its lock.
        file: String,
        /// How long it was tried.
        waited: Duration,
        /// The oldest other transaction, as far as this user may see.
        oldest: String,
        /// What PostgreSQL said last.
        #[source]
        source: sqlx::Error,
    },
    /// The process was asked to stop, and did so between two steps.
    #[error("stopped on request {when}; what was finished is kept, run this job again to go on")]
    Stopped {
        /// Where it stopped.
        when: String,
    },
    /// The files of an applied migration are not what was applied.
    #[error(
        "{file} was changed after it had been applied at {applied_at}: {difference}; put the file back and write a new migration"
    )]
    Drift {
        /// The file's name.
        file: String,
        /// When the database applied it.
        applied_at: String,
        /// What differs.
        difference: String,
    },
    /// A migration is pending below one that is applied.
    #[error(
        "{pending} is not applied, but the later {applied} is; give the new migration the next number"
    )]
    Order {
        /// The migration that came too late.
        pending: String,
        /// The newest applied one.
        applied: String,
    },
    /// What was asked for makes no sense for this database or this build.
    #[error("{0}")]
    Refused(String),
    /// The live schema differs from the one the migrations make.
    #[error("the live schema differs from this build's migrations in {} place(s):\n{}", .0.len(), lines(.0))]
    SchemaDiffers(Vec<Difference>),
    /// A statement failed; nothing of its file remains.
    #[error("{file}:{line}: statement {statement} failed")]
    Statement {
        /// The file's name.
        file: String,
        /// The number of the statement in the file, from 1.
        statement: usize,
        /// The line of the file, from 1: the exact one where PostgreSQL names a position.
        line: usize,
        /// What PostgreSQL said.
        #[source]
        source: sqlx::Error,
    },
    /// A concurrent build ended without an error and without a usable index.
    #[error("{file}: the index {index} is not valid after it was built")]
    InvalidIndex {
        /// The file's name.
        file: String,
        /// The index.
        index: String,
    },
    /// One of the engine's own queries failed.
    #[error("{doing} failed")]
    Database {
        /// What was being done.
        doing: String,
        /// What PostgreSQL said.
        #[source]
        source: sqlx::Error,
    },
}

impl Error {
    /// The process's exit code: 64 for what a person must repair in files or settings, 69 for a
    /// database out of reach, 75 for what passes by itself, 1 for SQL that failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::File { .. }
            | Self::Drift { .. }
            | Self::Order { .. }
            | Self::Refused(_)
            | Self::SchemaDiffers(_) => 64,
            Self::Unavailable { .. } => 69,
            Self::LockHeld { .. } | Self::Blocked { .. } | Self::Stopped { .. } => 75,
            Self::Statement { .. } | Self::InvalidIndex { .. } | Self::Database { .. } => 1,
        }
    }

    /// The server's detail, hint and context, where it gave them on what stopped a statement or the
    /// connection.
    pub fn remarks(&self) -> Vec<String> {
        match self {
            Self::Unavailable { source, .. } | Self::Statement { source, .. } => {
                crate::remarks::remarks(source)
            }
            _ => Vec::new(),
        }
    }

    /// Wraps an error of the engine's own query, told apart by whether the connection survived.
    pub(super) fn database(doing: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        |source| {
            let doing = doing.into();
            if is_unavailable(&source) {
                Self::Unavailable { doing, source }
            } else {
                Self::Database { doing, source }
            }
        }
    }
}

/// Whether an error says that the server is away, starting, stopping or full.
pub(super) fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(_) => sqlstate(error).is_some_and(|code| {
            // Connection exceptions, but not the one that says that trying again is useless; shut down by an
            // administrator, crashed, starting; too many clients.
            (code.starts_with("08") && code != "08004")
                || code.starts_with("57P")
                || code == "53300"
        }),
        _ => false,
    }
}

/// The five characters by which PostgreSQL names an error.
pub(super) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error
        .as_database_error()?
        .code()
        .map(std::borrow::Cow::into_owned)
}

fn seconds(duration: &Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn lines(differences: &[Difference]) -> String {
    differences
        .iter()
        .map(|difference| format!("  {difference}"))
        .collect::<Vec<_>>()
        .join("\n")
}
