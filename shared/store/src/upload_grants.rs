//! Grants for single uploads: whoever holds a grant's token may send one thing to one address in
//! the user's name. The database knows the token's hash and not the token.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::blobs::database_number;
use crate::tenant::watch;
use crate::{Answer, ArticleId, Error, Store, Tenant, UserId};

/// A grant about to be given.
#[derive(Clone, Debug)]
pub struct NewUploadGrant {
    /// A fresh id; the article that comes of a guideline's grant has the same.
    pub id: Uuid,
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// The article that the upload is for; `None` when it begins one.
    pub article: Option<ArticleId>,
    /// Path and query of the one address that it opens.
    pub target: String,
    /// The media type that has to be declared.
    pub content_type: String,
    /// The most that may be sent.
    pub max_bytes: u64,
}

/// A grant as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadGrant {
    /// The grant, and the article that comes of it, if it is a guideline's.
    pub id: Uuid,
    /// In whose name the upload is.
    pub user: UserId,
    /// Path and query of the one address that it opens.
    pub target: String,
    /// The media type that has to be declared.
    pub content_type: String,
    /// The most that may be sent.
    pub max_bytes: u64,
    /// Its time is over.
    pub is_expired: bool,
    /// It was used.
    pub is_used: bool,
}

impl Tenant {
    /// Gives a grant, and answers when it expires.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the article is gone; [`Error::Refused`] when the user is being
    /// erased.
    pub fn create_upload_grant<'a>(
        &'a mut self,
        grant: &'a NewUploadGrant,
    ) -> Answer<'a, OffsetDateTime> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let expires_at = sqlx::query_scalar!(
                "-- upload grants: create
                 INSERT INTO upload_grants (id, user_id, article_id, token_hash, target, content_type, max_bytes)
                 SELECT $1, me, $3, $4, $5, $6, $7 FROM ensure_user() AS me WHERE me = $2
                 RETURNING expires_at",
                grant.id,
                user,
                grant.article,
                grant.token_hash.as_slice(),
                grant.target,
                grant.content_type,
                database_number(grant.max_bytes),
            )
            .fetch_one(connection)
            .await?;
            Ok(expires_at)
        })
    }

    /// Whether the guideline came for which there is a grant. It can be asked for as long as the
    /// grant is kept, which is longer than it lasts.
    ///
    /// # Errors
    /// [`Error::NotFound`] also when the grant is for something else.
    pub fn is_guideline_uploaded(&mut self, id: Uuid) -> Answer<'_, bool> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let is_used = sqlx::query_scalar!(
                r#"-- upload grants: is used
                SELECT used_at IS NOT NULL AS "is_used!" FROM upload_grants
                 WHERE id = $1 AND user_id = $2 AND article_id IS NULL"#,
                id,
                user,
            )
            .fetch_optional(connection)
            .await?;
            is_used.ok_or(Error::NotFound {
                what: "upload grant",
            })
        })
    }

    /// Uses a grant up, in the transaction that keeps what was uploaded: of several uploads at
    /// once the first to come here is kept. One that began in time may end later.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it was used before, or its article is gone.
    pub fn use_upload_grant(&mut self, id: Uuid) -> Answer<'_, ()> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let used = sqlx::query!(
                "-- upload grants: use
                 UPDATE upload_grants SET used_at = now() WHERE id = $1 AND user_id = $2 AND used_at IS NULL",
                id,
                user,
            )
            .execute(connection)
            .await?;
            if used.rows_affected() == 1 {
                return Ok(());
            }
            Err(Error::conflict(
                "this upload grant was used before; ask for another one",
            ))
        })
    }
}

impl Store {
    /// The grant of a token, used and expired ones too.
    pub fn find_upload_grant(&self, token_hash: [u8; 32]) -> Answer<'_, Option<UploadGrant>> {
        Box::pin(async move {
            let row = sqlx::query!(
                r#"-- upload grants: find
                SELECT id AS "id!", user_id AS "user_id!", target AS "target!", content_type AS "content_type!",
                       max_bytes AS "max_bytes!", expires_at <= now() AS "is_expired!", used_at IS NOT NULL AS "is_used!"
                  FROM find_upload_grant($1)"#,
                token_hash.as_slice(),
            )
            .fetch_optional(&mut *self.connections.lend().await?)
            .await?;
            let Some(row) = row else { return Ok(None) };
            let user = UserId::try_from(row.user_id)
                .map_err(|error| Error::Database(Box::new(sqlx::Error::Decode(error.into()))))?;
            Ok(Some(UploadGrant {
                id: row.id,
                user,
                target: row.target,
                content_type: row.content_type,
                max_bytes: row.max_bytes.try_into().unwrap_or_default(),
                is_expired: row.is_expired,
                is_used: row.is_used,
            }))
        })
    }

    /// Forgets at most `limit` grants that expired longer than `age` ago; how many.
    pub fn expire_upload_grants(&self, age: Duration, limit: u32) -> Answer<'_, u64> {
        Box::pin(async move {
            let gone = sqlx::query_scalar!(
                r#"-- sweep: expire upload grants
                SELECT expire_upload_grants(make_interval(secs => $1), $2) AS "gone!""#,
                age.as_secs_f64(),
                i64::from(limit),
            )
            .fetch_one(&mut *self.connections.lend().await?)
            .await?;
            Ok(gone.try_into().unwrap_or_default())
        })
    }
}
