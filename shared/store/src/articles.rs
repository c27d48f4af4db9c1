//! Articles: a guideline that was uploaded, and how far its research has come.

use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::blobs::{BlobRef, Columns};
use crate::tenant::watch;
use crate::text_enum::text_enum;
use crate::{Answer, Error, Tenant};

/// The id of an article: a `UUIDv7` made by the function that uploads its guideline.
pub type ArticleId = Uuid;

const NO_ARTICLE: Error = Error::NotFound { what: "article" };

text_enum! {
    /// How far the research for an article has come, in the order of the workflow.
    pub enum ArticleStatus {
        /// The guideline is here.
        Created = "created",
        /// Its links were looked for.
        ExtractingUrls = "extracting_urls",
        /// What it names is being fetched.
        ProcessingSources = "processing_sources",
        /// Questions are being put to the search provider.
        Researching = "researching",
        /// What came back is being judged.
        SelectingSources = "selecting_sources",
        /// The best of it is being read in full.
        ScrapingResearch = "scraping_research",
        /// The document is being compiled.
        Finalizing = "finalizing",
        /// The document is there.
        Completed = "completed",
        /// The last tool failed; any may be called again.
        Failed = "failed",
    }
}

/// An article about to be made. Its guideline is a committed blob.
#[derive(Clone, Debug)]
pub struct NewArticle {
    /// A fresh id; the same one again is the same article.
    pub id: ArticleId,
    /// The guideline's first heading.
    pub title: Option<String>,
    /// The guideline.
    pub guideline_blob_id: Uuid,
    /// What the uploader gave so that an upload that is repeated makes one article.
    pub idempotency_key: Option<String>,
}

/// One article with its two files.
#[derive(Clone, Debug)]
pub struct Article {
    /// Users know it as `article_guideline_id`.
    pub id: ArticleId,
    /// How far it has come.
    pub status: ArticleStatus,
    /// The guideline's first heading.
    pub title: Option<String>,
    /// The guideline.
    pub guideline: BlobRef,
    /// The research document, once there is one.
    pub research: Option<BlobRef>,
    /// What was found in the guideline, once it was looked for: a JSON object, as text, since most
    /// who load an article do not look into it.
    pub extracted_urls: Option<Box<RawValue>>,
    /// Why its sources were ranked without the language model that was asked; `None` when it did not
    /// fail, or none was asked.
    pub ranked_because: Option<String>,
    /// Counts the changes of the row.
    pub version: i64,
    /// When the guideline was uploaded.
    pub created_at: OffsetDateTime,
    /// When the row changed last.
    pub updated_at: OffsetDateTime,
}

impl Article {
    /// What was found in the guideline, read as what its writer wrote; `None` before it was looked for.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn extracted<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        let extracted = self.extracted_urls.as_deref();
        extracted
            .map(|json| serde_json::from_str(json.get()))
            .transpose()
    }
}

/// One article in a list.
#[derive(Clone, Debug)]
pub struct ArticleSummary {
    /// The article.
    pub id: ArticleId,
    /// How far it has come.
    pub status: ArticleStatus,
    /// The guideline's first heading.
    pub title: Option<String>,
    /// Whether there is a research document.
    pub has_research: bool,
    /// When the guideline was uploaded.
    pub created_at: OffsetDateTime,
    /// When the row changed last.
    pub updated_at: OffsetDateTime,
}

/// Some articles, newest first.
#[derive(Clone, Debug)]
pub struct Page {
    /// At most as many as were asked for.
    pub articles: Vec<ArticleSummary>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<Cursor>,
}

/// A place in the list of articles: just after the one it names. Stays true however many are added or erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    created_at: OffsetDateTime,
    id: ArticleId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}.{}",
            self.created_at.unix_timestamp_nanos() / 1000,
            self.id.simple()
        )
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let parse = || {
            let (micros, id) = text.split_once('.')?;
            // Unsigned: PostgreSQL knows none of the years before those of its calendar.
            let nanos = i128::from(micros.parse::<u64>().ok()?) * 1000;
            let created_at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
            Some(Self {
                created_at,
                id: id.parse().ok()?,
            })
        };
        parse().ok_or(InvalidCursor)
    }
}

/// A text that is not the `next` of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct InvalidCursor;

/// One move of an article's status.
#[derive(Clone, Debug)]
pub struct StatusChange {
    /// `None` for the first.
    pub from: Option<ArticleStatus>,
    /// What it became.
    pub to: ArticleStatus,
    /// The tool that moved it.
    pub tool: Option<String>,
    /// The call that moved it.
    pub call_id: Option<Uuid>,
    /// When.
    pub at: OffsetDateTime,
}

impl Tenant {
    /// Makes an article and links its guideline. Answers the id of the article: that of an
    /// earlier one if the id or the idempotency key was used before.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the guideline is not a committed blob of this user.
    pub fn create_article<'a>(&'a mut self, article: &'a NewArticle) -> Answer<'a, ArticleId> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let made = sqlx::query_scalar!(
                "-- articles: create
                 INSERT INTO articles (id, user_id, title, guideline_blob_id, idempotency_key)
                 SELECT $1, me, $3, $4, $5 FROM ensure_user() AS me WHERE me = $2
                 ON CONFLICT DO NOTHING RETURNING id",
                article.id,
                user,
                article.title,
                article.guideline_blob_id,
                article.idempotency_key,
            )
            .fetch_optional(&mut *connection)
            .await?;
            if let Some(id) = made {
                return Ok(id);
            }
            sqlx::query_scalar!(
                "-- articles: created before
                 SELECT id FROM articles WHERE user_id = $2 AND (idempotency_key = $3 OR id = $1)
                 ORDER BY id = $1 LIMIT 1",
                article.id,
                user,
                article.idempotency_key,
            )
            .fetch_optional(connection)
            .await?
            .ok_or_else(|| Error::conflict("this article id is taken"))
        })
    }

    /// One article with its two files.
    ///
    /// # Errors
    /// [`Error::NotFound`] also when it is somebody else's.
    pub fn article(&mut self, id: ArticleId) -> Answer<'_, Article> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let row = sqlx::query!(
                r#"-- articles: one
                SELECT a.status::text AS "status!: ArticleStatus", a.title, a.extracted_urls AS "extracted_urls: Json<Box<RawValue>>", a.ranked_because, a.version, a.created_at, a.updated_at,
                       g.id AS guideline_id, g.bucket AS guideline_bucket, g.object_name AS guideline_object_name,
                       g.content_type AS guideline_content_type, g.size AS guideline_size,
                       g.crc32c AS guideline_crc32c, g.generation AS guideline_generation,
                       r.id AS "research_id?", r.bucket AS "research_bucket?", r.object_name AS "research_object_name?",
                       r.content_type AS "research_content_type?", r.size AS research_size,
                       r.crc32c AS research_crc32c, r.generation AS research_generation
                  FROM articles a
                  JOIN blobs g ON g.user_id = a.user_id AND g.id = a.guideline_blob_id
                  LEFT JOIN blobs r ON r.user_id = a.user_id AND r.id = a.research_blob_id
                 WHERE a.id = $1 AND a.user_id = $2"#,
                id,
                user,
            )
            .fetch_optional(connection)
            .await?
            .ok_or(NO_ARTICLE)?;
            let guideline = Columns {
                id: Some(row.guideline_id),
                bucket: Some(row.guideline_bucket),
                object_name: Some(row.guideline_object_name),
                content_type: Some(row.guideline_content_type),
                size: row.guideline_size,
                crc32c: row.guideline_crc32c,
                generation: row.guideline_generation,
            };
            let research = Columns {
                id: row.research_id,
                bucket: row.research_bucket,
                object_name: row.research_object_name,
                content_type: row.research_content_type,
                size: row.research_size,
                crc32c: row.research_crc32c,
                generation: row.research_generation,
            };
            Ok(Article {
                id,
                status: row.status,
                title: row.title,
                guideline: guideline.blob().ok_or(NO_ARTICLE)?,
                research: research.blob(),
                extracted_urls: row.extracted_urls.map(|urls| urls.0),
                ranked_because: row.ranked_because,
                version: row.version,
                created_at: row.created_at,
                updated_at: row.updated_at,
            })
        })
    }

    /// The user's articles, newest first: at most `limit`, from just after `before` on.
    pub fn articles(&mut self, before: Option<Cursor>, limit: u32) -> Answer<'_, Page> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            // One more than asked for tells whether there is a next page.
            let mut articles = sqlx::query_as!(
                ArticleSummary,
                r#"-- articles: recent
                SELECT id, status::text AS "status!: ArticleStatus", title, research_blob_id IS NOT NULL AS "has_research!",
                       created_at, updated_at
                  FROM articles
                 WHERE user_id = $1 AND (created_at, id) < (coalesce($2, 'infinity'::timestamptz), coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
                 ORDER BY created_at DESC, id DESC
                 LIMIT $4"#,
                user,
                before.map(|cursor| cursor.created_at),
                before.map(|cursor| cursor.id),
                i64::from(limit) + 1,
            )
            .fetch_all(connection)
            .await?;
            let has_next = articles.len() > usize::try_from(limit).unwrap_or(usize::MAX);
            if has_next {
                articles.pop();
            }
            let last = articles.last().filter(|_| has_next);
            let next = last.map(|article| Cursor {
                created_at: article.created_at,
                id: article.id,
            });
            Ok(Page { articles, next })
        })
    }

    /// Erases an article with everything that hangs on it; its files follow within minutes.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn delete_article(&mut self, id: ArticleId) -> Answer<'_, ()> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let deleted = sqlx::query!(
                "-- articles: delete
                 DELETE FROM articles WHERE id = $1 AND user_id = $2",
                id,
                user,
            )
            .execute(connection)
            .await?;
            if deleted.rows_affected() == 1 {
                Ok(())
            } else {
                Err(NO_ARTICLE)
            }
        })
    }

    /// Moves the status, if the workflow allows the move from where the article is; otherwise
    /// leaves it. Answers whether it moved.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn advance(&mut self, id: ArticleId, to: ArticleStatus) -> Answer<'_, bool> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let row = sqlx::query!(
                r#"-- articles: advance
                WITH moved AS (
                  UPDATE articles a SET status = $3::text::article_status
                   WHERE a.id = $1 AND a.user_id = $2
                     AND EXISTS (SELECT 1 FROM article_status_transitions t
                                  WHERE t.from_status = a.status AND t.to_status = $3::text::article_status)
                  RETURNING 1)
                SELECT EXISTS (SELECT 1 FROM moved) AS "moved!",
                       EXISTS (SELECT 1 FROM articles WHERE id = $1 AND user_id = $2) AS "found!""#,
                id,
                user,
                to.as_str(),
            )
            .fetch_one(connection)
            .await?;
            if row.found {
                Ok(row.moved)
            } else {
                Err(NO_ARTICLE)
            }
        })
    }

    /// Keeps what was found in the guideline, in place of what was found before, and moves the
    /// status to `extracting_urls` where the workflow allows it.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] when `urls` is not a JSON object.
    pub fn save_extracted_urls<'a>(
        &'a mut self,
        id: ArticleId,
        urls: &'a RawValue,
    ) -> Answer<'a, ()> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let saved = sqlx::query!(
                "-- articles: save extracted urls
                 UPDATE articles a
                    SET extracted_urls = $3,
                        status = CASE WHEN EXISTS (SELECT 1 FROM article_status_transitions t
                                                    WHERE t.from_status = a.status AND t.to_status = 'extracting_urls')
                                      THEN 'extracting_urls' ELSE a.status END
                  WHERE a.id = $1 AND a.user_id = $2",
                id,
                user,
                Json(urls) as _,
            )
            .execute(connection)
            .await?;
            if saved.rows_affected() == 1 {
                Ok(())
            } else {
                Err(NO_ARTICLE)
            }
        })
    }

    /// Makes a committed blob the article's research document, and the article completed where the
    /// workflow allows it: another tool may have moved it on while the document was made. An earlier
    /// document is left to the sweeper.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] when the blob is not committed.
    pub fn link_research(&mut self, id: ArticleId, blob_id: Uuid) -> Answer<'_, ()> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let linked = sqlx::query!(
                "-- articles: link research
                 UPDATE articles a
                    SET research_blob_id = $3,
                        status = CASE WHEN EXISTS (SELECT 1 FROM article_status_transitions t
                                                    WHERE t.from_status = a.status AND t.to_status = 'completed')
                                      THEN 'completed' ELSE a.status END
                  WHERE a.id = $1 AND a.user_id = $2",
                id,
                user,
                blob_id,
            )
            .execute(connection)
            .await?;
            if linked.rows_affected() == 1 {
                Ok(())
            } else {
                Err(NO_ARTICLE)
            }
        })
    }

    /// Every move of the article's status, first to last.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn status_history(&mut self, id: ArticleId) -> Answer<'_, Vec<StatusChange>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let history = sqlx::query_as!(
                StatusChange,
                r#"-- articles: status history
                SELECT from_status::text AS "from: ArticleStatus", to_status::text AS "to!: ArticleStatus",
                       tool_name AS tool, call_id, created_at AS at
                  FROM article_status_history WHERE article_id = $1 AND user_id = $2 ORDER BY seq"#,
                id,
                user,
            )
            .fetch_all(connection)
            .await?;
            // Every article has the row of its creation.
            if history.is_empty() {
                Err(NO_ARTICLE)
            } else {
                Ok(history)
            }
        })
    }
}
