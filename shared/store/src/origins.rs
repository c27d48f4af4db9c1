//! Where sources come from, and what is known of one that an article has already.

use serde_json::Value;
use sqlx::types::Json;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::blobs::Columns;
use crate::tenant::watch;
use crate::{Answer, ArticleId, BlobRef, SourceKind, Tenant};

/// Where a source comes from, as far as that is known. `Origin::default()` for what was uploaded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// What it calls itself.
    pub title: Option<String>,
    /// Who wrote it; several are separated by commas.
    pub author: Option<String>,
    /// The day on which it was published.
    pub published: Option<Date>,
    /// Its language, as `en` or `de-AT`.
    pub language: Option<String>,
    /// Where it was found, after all redirects.
    pub final_url: Option<String>,
    /// `ETag` of the answer.
    pub etag: Option<String>,
    /// `Last-Modified` of the answer, as the server wrote it.
    pub last_modified: Option<String>,
    /// Which state of it this is, where its origin names states: the commit of a repository.
    pub revision: Option<String>,
    /// Who gave it: `built_in`, `firecrawl`, `github`, `gemini`, ….
    pub provider: Option<String>,
    /// What the text cost, in the provider's own unit: `{"credits": 1}`.
    pub cost: Option<Value>,
}

/// A source that an article has, for a tool that is about to fetch it.
#[derive(Clone, Debug)]
pub struct KnownSource {
    /// The source.
    pub id: Uuid,
    /// Where it came from.
    pub origin: Origin,
    /// When its origin was last asked for it.
    pub fetched_at: Option<OffsetDateTime>,
    /// Its text.
    pub blob: BlobRef,
    /// SHA-256 of its text: another fetch that gives the same need not be kept.
    pub sha256: Option<[u8; 32]>,
}

impl Tenant {
    /// What an article has of this kind and key; `None` also when there is no such article.
    pub fn known_source<'a>(
        &'a mut self,
        article: ArticleId,
        kind: SourceKind,
        key: &'a str,
    ) -> Answer<'a, Option<KnownSource>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let row = sqlx::query!(
                r#"-- sources: known
                SELECT s.id, s.page_title, s.author, s.published, s.language, s.final_url, s.etag, s.last_modified,
                       s.revision, s.provider, s.cost AS "cost: Json<Value>", s.fetched_at,
                       b.id AS blob_id, b.bucket, b.object_name, b.content_type, b.size, b.crc32c, b.generation, b.sha256
                  FROM sources s JOIN blobs b ON b.user_id = s.user_id AND b.id = s.blob_id
                 WHERE s.article_id = $1 AND s.user_id = $2 AND s.kind = $3::text::source_kind AND s.source_key = $4"#,
                article,
                user,
                kind.as_str(),
                key,
            )
            .fetch_optional(connection)
            .await?;
            let Some(row) = row else { return Ok(None) };
            let blob = Columns {
                id: Some(row.blob_id),
                bucket: Some(row.bucket),
                object_name: Some(row.object_name),
                content_type: Some(row.content_type),
                size: row.size,
                crc32c: row.crc32c,
                generation: row.generation,
            };
            // The text of a source is a committed blob: a trigger sees to it.
            let Some(blob) = blob.blob() else {
                return Ok(None);
            };
            Ok(Some(KnownSource {
                id: row.id,
                origin: Origin {
                    title: row.page_title,
                    author: row.author,
                    published: row.published,
                    language: row.language,
                    final_url: row.final_url,
                    etag: row.etag,
                    last_modified: row.last_modified,
                    revision: row.revision,
                    provider: row.provider,
                    cost: row.cost.map(|cost| cost.0),
                },
                fetched_at: row.fetched_at,
                blob,
                sha256: row.sha256.and_then(|sha256| sha256.try_into().ok()),
            }))
        })
    }

    /// Notes that a source's origin was asked for it and had nothing new; its place in the document
    /// may be another now. Answers false when the article has no such source (any more).
    pub fn confirm_source<'a>(
        &'a mut self,
        article: ArticleId,
        kind: SourceKind,
        key: &'a str,
        position: i64,
    ) -> Answer<'a, bool> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let confirmed = sqlx::query!(
                "-- sources: confirm
                 UPDATE sources SET position = $5, fetched_at = now()
                  WHERE article_id = $1 AND user_id = $2 AND kind = $3::text::source_kind AND source_key = $4",
                article,
                user,
                kind.as_str(),
                key,
                position,
            )
            .execute(connection)
            .await?;
            Ok(confirmed.rows_affected() == 1)
        })
    }

    /// Puts another text in the place of the one that a source has, and notes which state of its
    /// origin that is; all else that is known of it stays. Answers false when the source has not the
    /// former text (any more).
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] when the text is not a committed blob of this user.
    pub fn replace_text<'a>(
        &'a mut self,
        article: ArticleId,
        kind: SourceKind,
        key: &'a str,
        [former, text]: [Uuid; 2],
        revision: &'a str,
    ) -> Answer<'a, bool> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let replaced = sqlx::query!(
                "-- sources: replace a text
                 UPDATE sources SET blob_id = $6, revision = $7
                  WHERE article_id = $1 AND user_id = $2 AND kind = $3::text::source_kind AND source_key = $4 AND blob_id = $5",
                article,
                user,
                kind.as_str(),
                key,
                former,
                text,
                revision,
            )
            .execute(connection)
            .await?;
            Ok(replaced.rows_affected() == 1)
        })
    }
}
