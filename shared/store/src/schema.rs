use crate::{Answer, Error, Store};

/// The schema version that this program was built for: it uses nothing newer, and works with
/// nothing older. Newer versions only add until nothing needs the old any more.
pub const REQUIRED_VERSION: i32 = 8;

impl Store {
    /// The newest schema version that the database has; `None` when it was never migrated.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database cannot be asked.
    pub fn found_version(&self) -> Answer<'_, Option<i32>> {
        Box::pin(async move {
            let found = sqlx::query_scalar("-- schema: found version\nSELECT max(version) FROM nova_schema_migrations WHERE state = 'applied'")
                .fetch_one(&self.pool)
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
