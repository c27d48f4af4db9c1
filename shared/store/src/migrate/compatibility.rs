//! Whether the database has the schema that this build's code was written for.
//!
//! Migrations run before the code that needs them gets traffic, so a function that finds an older
//! schema has been started too early and refuses. A newer schema is normal: it is what the previous
//! release sees during a roll-out, and after a rollback of the code.

use futures_util::future::BoxFuture;
use sqlx::PgPool;

use super::MIGRATIONS;

/// The version that this build's code needs: the newest migration that runs before its release.
/// Contract migrations at the end of the list run only afterwards, so no code may need them.
pub const REQUIRED: i64 = required();

/// How a database's schema relates to this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compatibility {
    /// It is what the code needs.
    Ready,
    /// It lacks migrations: run the job `migrate`. A function answers 503 until then.
    TooOld {
        /// What the code needs.
        required: i64,
        /// What the database has.
        found: i64,
    },
    /// A newer build has been here, and its schema still serves this code.
    NewerTolerated {
        /// The newest version that this build knows.
        known: i64,
        /// What the database has.
        found: i64,
    },
}

impl Compatibility {
    /// Compares a version found in a database with what this build needs.
    pub fn of(found: i64) -> Self {
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        if found < REQUIRED {
            Self::TooOld {
                required: REQUIRED,
                found,
            }
        } else if found > known {
            Self::NewerTolerated { known, found }
        } else {
            Self::Ready
        }
    }

    /// Whether the code may work on this database.
    pub fn is_usable(self) -> bool {
        !matches!(self, Self::TooOld { .. })
    }
}

/// The newest version that the database has completely; 0 when it has none. Every role may ask.
pub fn found_version(pool: &PgPool) -> BoxFuture<'_, Result<i64, sqlx::Error>> {
    Box::pin(async move {
        let version = sqlx::query_scalar(
            "-- migrate_found_version()
             select coalesce(max(version), 0) from public.nova_schema_migrations
             where state = 'applied'",
        )
        .fetch_one(pool)
        .await;
        match version {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Ok(0),
            version => version,
        }
    })
}

/// The list is looked through at compile time, so that the SQL of the migrations is no part of
/// the functions that only need this number.
const fn required() -> i64 {
    let mut index = MIGRATIONS.len();
    while index > 0 && is_contract(MIGRATIONS[index - 1].up) {
        index -= 1;
    }
    assert!(index < 10_000, "versions have four digits");
    #[expect(clippy::cast_possible_wrap, reason = "below 10,000")]
    let version = index as i64;
    version
}

const fn is_contract(text: &str) -> bool {
    let (text, option) = (text.as_bytes(), b"\n-- nova:phase=contract");
    let mut start = 0;
    while start + option.len() <= text.len() {
        let mut length = 0;
        while length < option.len() && text[start + length] == option[length] {
            length += 1;
        }
        if length == option.len() {
            return true;
        }
        start += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::Migration;
    use crate::migrate::file::Phase;

    #[test]
    fn the_required_version_is_the_newest_that_runs_before_a_release() {
        let migrations = Migration::list(MIGRATIONS).unwrap();
        let newest = migrations
            .iter()
            .rev()
            .find(|migration| migration.phase == Phase::Expand);
        assert_eq!(REQUIRED, newest.map_or(0, |migration| migration.version));
    }

    #[test]
    fn contract_migrations_are_recognised_at_compile_time() {
        assert!(is_contract(
            "-- nova: a\n-- nova:phase=contract  at last\nselect 1;"
        ));
        assert!(!is_contract("-- nova: a\n-- nova:phase=expand\nselect 1;"));
        assert!(!is_contract(""));
    }

    #[test]
    fn only_an_older_schema_is_refused() {
        let known = i64::try_from(MIGRATIONS.len()).unwrap();
        assert_eq!(Compatibility::of(known), Compatibility::Ready);
        assert_eq!(
            Compatibility::of(known + 1),
            Compatibility::NewerTolerated {
                known,
                found: known + 1
            }
        );
        assert!(Compatibility::of(known + 1).is_usable());
        let older = Compatibility::of(REQUIRED - 1);
        assert_eq!(
            older,
            Compatibility::TooOld {
                required: REQUIRED,
                found: REQUIRED - 1
            }
        );
        assert!(!older.is_usable());
    }
}
