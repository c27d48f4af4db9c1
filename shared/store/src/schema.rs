//! Whether the database has the schema that this build's code was written for.
//!
//! Migrations run before the code that needs them gets traffic, so a function that finds an older
//! schema has been started too early and refuses. A newer schema is normal: it is what the previous
//! release sees during a roll-out, and what is left after a rollback of the code.

use crate::migrate::MIGRATIONS;
use crate::{Answer, Error, Store};

/// The schema version that this build's code needs: the newest migration that runs before its
/// release. Contract migrations at the end of the list run only afterwards, so no code needs them.
pub const REQUIRED_VERSION: i32 = required();

impl Store {
    /// The newest schema version that the database has completely; `None` when it was never
    /// migrated. Every role may ask.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database cannot be asked.
    pub fn found_version(&self) -> Answer<'_, Option<i32>> {
        Box::pin(async move {
            let found = sqlx::query_scalar("-- schema: found version\nSELECT max(version) FROM nova_schema_migrations WHERE state = 'applied'")
                .fetch_one(&mut *self.connections.lend().await?)
                .await;
            match found {
                Err(sqlx::Error::Database(missing))
                    if missing.code().as_deref() == Some("42P01") =>
                {
                    Ok(None)
                }
                found => Ok(found?),
            }
        })
    }

    /// Says whether the database is there and new enough, and which version it has.
    ///
    /// # Errors
    /// [`Error::Schema`] when it is older than this program needs, [`Error::Unavailable`] when
    /// it cannot be asked.
    pub fn health(&self) -> Answer<'_, i32> {
        Box::pin(async move {
            match self.found_version().await? {
                Some(version) if version >= REQUIRED_VERSION => Ok(version),
                found => Err(Error::Schema {
                    expected: REQUIRED_VERSION,
                    found,
                }),
            }
        })
    }
}

/// The list is looked through at compile time, so that the SQL of the migrations is no part of
/// the functions that only need this number.
const fn required() -> i32 {
    let (mut index, mut version, mut required) = (0, 0, 0);
    while index < MIGRATIONS.len() {
        version += 1;
        if !is_contract(MIGRATIONS[index].up) {
            required = version;
        }
        index += 1;
    }
    required
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
        assert_eq!(
            REQUIRED_VERSION,
            newest.map_or(0, |migration| migration.version)
        );
    }

    #[test]
    fn contract_migrations_are_recognised_at_compile_time() {
        assert!(is_contract(
            "-- nova: a\n-- nova:phase=contract  at last\nselect 1;"
        ));
        assert!(!is_contract("-- nova: a\n-- nova:phase=expand\nselect 1;"));
        assert!(!is_contract(""));
    }
}
