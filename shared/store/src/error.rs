//! What can go wrong with the database, sorted by what the caller can do about it.
//!
//! Errors of the driver become one of a few kinds by their SQLSTATE, in one table below. The
//! schema's own refusals have codes of their own, `NV001` to `NV006`. A message that may reach a
//! user is written on purpose; what the database said travels as the source, for the log.

use sqlx::postgres::PgDatabaseError;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it belongs to somebody else: the two cannot be told apart.
    #[error("there is no such {what}")]
    NotFound {
        /// The noun: `article`, `blob`, `source`.
        what: &'static str,
    },
    /// The thing exists, in a state that does not allow this.
    #[error("{what}")]
    Conflict {
        /// A sentence for the caller.
        what: String,
        /// What the database said, if it was the database that noticed.
        #[source]
        source: Option<Box<sqlx::Error>>,
    },
    /// The schema refuses the value or the step, now and on every further try.
    #[error("refused by the schema")]
    Refused {
        /// SQLSTATE: a failed check, `NV003` (no tenant) or `NV005` (user being erased).
        code: String,
        /// What the database said.
        #[source]
        source: Box<sqlx::Error>,
    },
    /// The database cannot be reached, is going away, or had to break off: trying again can help.
    #[error("the database is not available{}", crate::remarks::in_brackets(.0))]
    Unavailable(#[source] Box<sqlx::Error>),
    /// The schema is older than this program.
    #[error("this program needs schema version {expected}, the database has {}", display_version(*.found))]
    Schema {
        /// The version that this program was built for.
        expected: i32,
        /// The newest version applied; `None` if there is no history.
        found: Option<i32>,
    },
    /// Anything else: a defect of ours or of the schema.
    #[error("the database reported an error")]
    Database(#[source] Box<sqlx::Error>),
}

impl Error {
    /// Whether the same unit of work may succeed if it is tried again, from its `BEGIN` on.
    ///
    /// When it was the commit that failed so, the work may or may not be done: only what is
    /// idempotent may be tried again.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether the database said so, and not this crate about an answer that was well: the
    /// transaction in which it was said is lost.
    pub(crate) fn is_from_database(&self) -> bool {
        match self {
            Self::Conflict { source, .. } => source.is_some(),
            Self::Refused { .. } | Self::Unavailable(_) | Self::Database(_) => true,
            Self::NotFound { .. } | Self::Schema { .. } => false,
        }
    }

    pub(crate) fn conflict(what: impl Into<String>) -> Self {
        Self::Conflict {
            what: what.into(),
            source: None,
        }
    }
}

fn display_version(found: Option<i32>) -> String {
    found.map_or_else(|| "none".to_owned(), |version| version.to_string())
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let error = Box::new(error);
        match error.as_ref() {
            sqlx::Error::RowNotFound => Self::NotFound { what: "row" },
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            sqlx::Error::Database(reported) => {
                let code = reported.code().unwrap_or_default().into_owned();
                match kind(&code) {
                    Kind::Conflict => Self::Conflict {
                        what: sentence(reported.as_ref()),
                        source: Some(error),
                    },
                    Kind::Refused => Self::Refused {
                        code,
                        source: error,
                    },
                    Kind::Unavailable => Self::Unavailable(error),
                    Kind::Defect => Self::Database(error),
                }
            }
            _ => Self::Database(error),
        }
    }
}

enum Kind {
    Conflict,
    Refused,
    Unavailable,
    Defect,
}

/// The table. Classes are the first two characters of a SQLSTATE.
fn kind(code: &str) -> Kind {
    match code {
        // Unique and foreign keys, exclusion; an illegal status, a call id of another user, a blob that is not
        // committed, a blob's way back.
        "23505" | "23503" | "23P01" | "NV001" | "NV002" | "NV004" | "NV006" => Kind::Conflict,
        // Check, not null, bad values (22), no tenant, a user being erased.
        "23514" | "23502" | "NV003" | "NV005" => Kind::Refused,
        // Statement time-out, serialization, deadlock, lock time-out.
        "57014" | "40001" | "40P01" | "55P03" => Kind::Unavailable,
        _ => match code.get(..2) {
            Some("22") => Kind::Refused,
            // Connection, login (a token that has just expired), resources, shutdown, idle transaction ended, disk.
            Some("08" | "28" | "53" | "57" | "58") => Kind::Unavailable,
            _ if code == "25P03" => Kind::Unavailable,
            _ => Kind::Defect,
        },
    }
}

/// What a caller may read about a conflict, by the constraint that noticed it.
fn sentence(reported: &dyn sqlx::error::DatabaseError) -> String {
    let constraint = reported
        .try_downcast_ref::<PgDatabaseError>()
        .and_then(PgDatabaseError::constraint);
    match (reported.code().as_deref(), constraint) {
        (_, Some("articles_user_id_idempotency_key_key")) => {
            "this upload was made before".to_owned()
        }
        (Some("NV001"), _) => {
            "the article has moved on to a state that does not allow this".to_owned()
        }
        (Some("NV002"), _) => "this call id is taken".to_owned(),
        (Some("NV004"), _) => "the file is not there, or is being deleted".to_owned(),
        (Some("23503"), _) => "what this refers to is gone".to_owned(),
        _ => "this exists already".to_owned(),
    }
}
