//! What the sweeper asks: which objects have to go, and who is being erased.
//!
//! These are methods of the [`Store`] and not of a tenant: the sweeper works for nobody in
//! particular, as a role that can change rows through a few functions of the database only.

use uuid::Uuid;

use crate::{Answer, Store, UserId};

/// A blob whose object has to be deleted, taken for the asking sweeper for a while.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadBlob {
    /// The blob.
    pub id: Uuid,
    /// Bucket that holds the object.
    pub bucket: String,
    /// Name of the object, which may not exist, or no more.
    pub object_name: String,
    /// A resumable upload to be cancelled before the object is deleted. A secret.
    pub upload_session: Option<String>,
    /// How often it was tried, this time included.
    pub attempts: i64,
    /// The object was deleted before; this is the second look, after every upload has ended.
    pub is_tombstone: bool,
}

impl std::fmt::Debug for DeadBlob {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("DeadBlob")
            .field("id", &self.id)
            .field("bucket", &self.bucket)
            .field("object_name", &self.object_name)
            .field("attempts", &self.attempts)
            .field("is_tombstone", &self.is_tombstone)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Takes at most `limit` blobs whose time has come: uploads that never ended, blobs that
    /// nothing ever referred to, deletes to be tried (again), tombstones that stood long enough.
    /// Any number of sweepers may ask at once; one that dies is succeeded by the next.
    pub fn claim_dead_blobs(&self, limit: u32) -> Answer<'_, Vec<DeadBlob>> {
        Box::pin(async move {
            let dead = sqlx::query_as!(
                DeadBlob,
                r#"-- sweep: claim
                SELECT id AS "id!", bucket AS "bucket!", object_name AS "object_name!", upload_session,
                       delete_attempts AS "attempts!", state = 'deleted' AS "is_tombstone!"
                  FROM claim_dead_blobs($1)"#,
                i64::from(limit),
            )
            .fetch_all(&mut *self.connections.lend().await?)
            .await?;
            Ok(dead)
        })
    }

    /// Notes that a claimed blob's object is gone (deleted now, or not there). Answers whether
    /// the row is gone too; if not, it stands as a tombstone for eight days.
    pub fn blob_deleted(&self, id: Uuid) -> Answer<'_, bool> {
        Box::pin(async move {
            let gone = sqlx::query_scalar!(
                r#"-- sweep: deleted
                SELECT blob_deleted($1) AS "gone!""#,
                id,
            )
            .fetch_one(&mut *self.connections.lend().await?)
            .await?;
            Ok(gone)
        })
    }

    /// Forgets usage that is older than `months` whole months, of at most `limit` users and months;
    /// answers of how many. Receipts of what was paid stay.
    pub fn forget_usage(&self, months: u32, limit: u32) -> Answer<'_, u64> {
        Box::pin(async move {
            let gone = sqlx::query_scalar!(
                r#"-- sweep: forget usage
                SELECT forget_usage($1, $2) AS "gone!""#,
                i64::from(months),
                i64::from(limit),
            )
            .fetch_one(&mut *self.connections.lend().await?)
            .await?;
            Ok(gone.try_into().unwrap_or_default())
        })
    }

    /// Erases a user: articles and everything on them at once, files as the sweeper gets to
    /// them; usage keeps its numbers under a hash salted with `salt`. To be called again until it
    /// answers true, which takes as long as the last tombstone stands.
    pub fn erase_user<'a>(&'a self, user: &'a UserId, salt: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let erased = sqlx::query_scalar!(
                r#"-- sweep: erase a user
                SELECT erase_user($1, $2) AS "erased!""#,
                user.as_str(),
                salt,
            )
            .fetch_one(&mut *self.connections.lend().await?)
            .await?;
            Ok(erased)
        })
    }

    /// At most `limit` users whose erasure has begun and is not complete, longest first.
    pub fn users_being_erased(&self, limit: u32) -> Answer<'_, Vec<UserId>> {
        Box::pin(async move {
            let users = sqlx::query_scalar!(
                "-- sweep: users being erased
                 SELECT user_id FROM users WHERE erasing_since IS NOT NULL ORDER BY erasing_since LIMIT $1",
                i64::from(limit),
            )
            .fetch_all(&mut *self.connections.lend().await?)
            .await?;
            Ok(users
                .into_iter()
                .filter_map(|user| user.try_into().ok())
                .collect())
        })
    }
}
