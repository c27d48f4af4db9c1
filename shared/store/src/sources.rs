//! Sources: what was fetched or uploaded for an article, one row per thing however often a tool runs.

use std::borrow::Cow;

use serde_json::Value;
use sqlx::types::Json;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::blobs::{BlobRef, Columns};
use crate::tenant::watch;
use crate::text::text;
use crate::text_enum::text_enum;
use crate::{Answer, ArticleId, Error, Origin, Tenant};

text_enum! {
    /// Where a source came from, in the order of the document's sections.
    pub enum SourceKind {
        /// A page found by research and read in full.
        ScrapedResearchUrl = "scraped_research_url",
        /// Code named in the guideline.
        GithubIngest = "github_ingest",
        /// A video named in the guideline.
        YoutubeTranscript = "youtube_transcript",
        /// A web page named in the guideline.
        ScrapedUrl = "scraped_url",
        /// A file that the user uploaded.
        LocalFile = "local_file",
    }
}

/// A source to be kept. Its text is a committed blob.
#[derive(Clone, Debug)]
pub struct NewSource {
    /// A fresh id; unused if the article has this source already.
    pub id: Uuid,
    /// Where it came from.
    pub kind: SourceKind,
    /// What makes it the same thing again: the normalised URL, or the file name.
    pub key: String,
    /// The URL as the guideline or the search gave it, or the name of the local file.
    pub title: String,
    /// Place among its kind in the document.
    pub position: i64,
    /// The text, as Markdown.
    pub blob_id: Uuid,
    /// Who gave it, and what is known of it; nothing for a file that was uploaded.
    pub origin: Origin,
}

/// A source with its text.
#[derive(Clone, Debug)]
pub struct Source {
    /// The source.
    pub id: Uuid,
    /// Where it came from.
    pub kind: SourceKind,
    /// Its URL, or the name of the local file.
    pub title: String,
    /// The text, as Markdown.
    pub blob: BlobRef,
    /// What it calls itself, if that is known.
    pub page_title: Option<String>,
    /// Who wrote it, if that is known.
    pub author: Option<String>,
    /// The day on which it was published, if that is known.
    pub published: Option<Date>,
    /// When it was first kept.
    pub created_at: OffsetDateTime,
    /// When its text was replaced last.
    pub updated_at: OffsetDateTime,
    /// When its origin was last asked for it; `None` for a local file.
    pub fetched_at: Option<OffsetDateTime>,
}

/// A file that the user uploaded, for whoever lists them.
#[derive(Clone, Debug)]
pub struct RecentFile {
    /// The source.
    pub id: Uuid,
    /// Which article it belongs to.
    pub article: ArticleId,
    /// Its name.
    pub filename: String,
    /// The bytes of its text.
    pub size: u64,
    /// When it was first kept.
    pub created_at: OffsetDateTime,
}

impl Tenant {
    /// The user's files of all articles, the newest first, at most `limit`.
    pub fn recent_files(&mut self, limit: u32) -> Answer<'_, Vec<RecentFile>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let rows = sqlx::query!(
                r#"-- sources: recent files
                SELECT s.id, s.article_id, s.filename AS "filename!", b.size, s.created_at
                  FROM sources s JOIN blobs b ON b.user_id = s.user_id AND b.id = s.blob_id
                 WHERE s.user_id = $1 AND s.kind = 'local_file'
                 ORDER BY s.created_at DESC, s.id DESC LIMIT $2"#,
                user,
                i64::from(limit),
            )
            .fetch_all(connection)
            .await?;
            let files = rows.into_iter().map(|row| RecentFile {
                id: row.id,
                article: row.article_id,
                filename: row.filename,
                size: row
                    .size
                    .and_then(|size| size.try_into().ok())
                    .unwrap_or_default(),
                created_at: row.created_at,
            });
            Ok(files.collect())
        })
    }

    /// Keeps sources, in one statement. Where the article has one of the same kind and key, its
    /// text is replaced, and the former text is left to the sweeper. Of two that are the same
    /// within `sources`, the later counts.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such article; [`Error::Conflict`] when a text is not a
    /// committed blob of this user.
    pub fn upsert_sources<'a>(
        &'a mut self,
        article: ArticleId,
        sources: &'a [NewSource],
    ) -> Answer<'a, ()> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let ids: Vec<Uuid> = sources.iter().map(|source| source.id).collect();
            let kinds: Vec<String> = sources
                .iter()
                .map(|source| source.kind.to_string())
                .collect();
            let keys: Vec<String> = sources.iter().map(|source| source.key.clone()).collect();
            let titles: Vec<String> = sources
                .iter()
                .map(|source| text(&source.title).into_owned())
                .collect();
            let positions: Vec<i64> = sources.iter().map(|source| source.position).collect();
            let blobs: Vec<Uuid> = sources.iter().map(|source| source.blob_id).collect();
            let origin = Origins::of(sources);
            let found = sqlx::query_scalar!(
                r#"-- sources: upsert
                WITH article AS (SELECT id, user_id FROM articles WHERE id = $1 AND user_id = $2),
                given AS (
                  SELECT DISTINCT ON (kind, key)
                         id, kind::source_kind AS kind, key, title, position, blob_id, page_title, author, published, language,
                         final_url, etag, last_modified, revision, provider, cost
                    FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::uuid[],
                                $9::text[], $10::text[], $11::date[], $12::text[], $13::text[], $14::text[], $15::text[],
                                $16::text[], $17::text[], $18::jsonb[])
                         WITH ORDINALITY
                         AS s (id, kind, key, title, position, blob_id, page_title, author, published, language, final_url,
                               etag, last_modified, revision, provider, cost, nth)
                   ORDER BY kind, key, nth DESC),
                kept AS (
                  INSERT INTO sources AS s (id, user_id, article_id, kind, source_key, position, url, filename, blob_id,
                         page_title, author, published, language, final_url, etag, last_modified, revision, provider, cost,
                         fetched_at)
                  SELECT g.id, a.user_id, a.id, g.kind, g.key, g.position,
                         CASE WHEN g.kind <> 'local_file' THEN g.title END,
                         CASE WHEN g.kind = 'local_file' THEN g.title END, g.blob_id,
                         g.page_title, g.author, g.published, g.language, g.final_url, g.etag, g.last_modified, g.revision,
                         g.provider, g.cost, CASE WHEN g.kind <> 'local_file' THEN now() END
                    FROM article a, given g
                  ON CONFLICT (article_id, kind, source_key) DO UPDATE
                     SET position = excluded.position, url = excluded.url, filename = excluded.filename, blob_id = excluded.blob_id,
                         page_title = excluded.page_title, author = excluded.author, published = excluded.published,
                         language = excluded.language, final_url = excluded.final_url, etag = excluded.etag,
                         last_modified = excluded.last_modified, revision = excluded.revision, provider = excluded.provider,
                         cost = excluded.cost, fetched_at = excluded.fetched_at
                   WHERE s.user_id = excluded.user_id)
                SELECT EXISTS (SELECT 1 FROM article) AS "found!""#,
                article,
                user,
                &ids,
                &kinds,
                &keys,
                &titles,
                &positions,
                &blobs,
                &origin.titles as _,
                &origin.authors as _,
                &origin.published as _,
                &origin.languages as _,
                &origin.final_urls as _,
                &origin.etags as _,
                &origin.last_modified as _,
                &origin.revisions as _,
                &origin.providers as _,
                &origin.costs as _,
            )
            .fetch_one(connection)
            .await?;
            if found {
                Ok(())
            } else {
                Err(Error::NotFound { what: "article" })
            }
        })
    }

    /// Keeps one source: [`Tenant::upsert_sources`] of one.
    ///
    /// # Errors
    /// As there.
    pub fn upsert_source<'a>(
        &'a mut self,
        article: ArticleId,
        source: &'a NewSource,
    ) -> Answer<'a, ()> {
        self.upsert_sources(article, std::slice::from_ref(source))
    }

    /// Waits until nobody else who asked holds this article's sources, and holds them until this
    /// transaction ends: so that what is counted is still true when the next one is kept. Only
    /// whoever asks waits; tools go on.
    pub fn hold_sources(&mut self, article: ArticleId) -> Answer<'_, ()> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            sqlx::query!(
                "-- sources: hold
                 SELECT pg_advisory_xact_lock(hashtextextended('sources of ' || $1::uuid::text, hashtextextended($2::text, 0)))",
                article,
                user,
            )
            .execute(connection)
            .await?;
            Ok(())
        })
    }

    /// Takes a source out of an article; its text is left to the sweeper. Those who upload may do
    /// so with local files only.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn delete_source<'a>(
        &'a mut self,
        article: ArticleId,
        kind: SourceKind,
        key: &'a str,
    ) -> Answer<'a, ()> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let deleted = sqlx::query!(
                "-- sources: delete
                 DELETE FROM sources
                  WHERE article_id = $1 AND user_id = $2 AND kind = $3::text::source_kind AND source_key = $4",
                article,
                user,
                kind.as_str(),
                key,
            )
            .execute(connection)
            .await?;
            if deleted.rows_affected() == 1 {
                Ok(())
            } else {
                Err(Error::NotFound { what: "source" })
            }
        })
    }

    /// All sources of an article with their texts, in document order: by section, and within it
    /// as the guideline or the selection names them. None if there is no such article.
    pub fn document_sources(&mut self, article: ArticleId) -> Answer<'_, Vec<Source>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let rows = sqlx::query!(
                r#"-- sources: of a document
                SELECT s.id, s.kind::text AS "kind!: SourceKind", coalesce(s.url, s.filename) AS "title!", s.page_title,
                       s.author, s.published, s.created_at, s.updated_at, s.fetched_at,
                       b.id AS blob_id, b.bucket, b.object_name, b.content_type, b.size, b.crc32c, b.generation
                  FROM sources s JOIN blobs b ON b.user_id = s.user_id AND b.id = s.blob_id
                 WHERE s.article_id = $1 AND s.user_id = $2
                 ORDER BY s.kind, s.position, s.created_at, s.id"#,
                article,
                user,
            )
            .fetch_all(connection)
            .await?;
            let sources = rows.into_iter().filter_map(|row| {
                let blob = Columns {
                    id: Some(row.blob_id),
                    bucket: Some(row.bucket),
                    object_name: Some(row.object_name),
                    content_type: Some(row.content_type),
                    size: row.size,
                    crc32c: row.crc32c,
                    generation: row.generation,
                };
                Some(Source {
                    id: row.id,
                    kind: row.kind,
                    title: row.title,
                    blob: blob.blob()?,
                    page_title: row.page_title,
                    author: row.author,
                    published: row.published,
                    created_at: row.created_at,
                    updated_at: row.updated_at,
                    fetched_at: row.fetched_at,
                })
            });
            Ok(sources.collect())
        })
    }
}

/// The origins of sources as the columns of a statement.
struct Origins<'a> {
    titles: Vec<Option<Cow<'a, str>>>,
    authors: Vec<Option<Cow<'a, str>>>,
    published: Vec<Option<Date>>,
    languages: Vec<Option<Cow<'a, str>>>,
    final_urls: Vec<Option<Cow<'a, str>>>,
    etags: Vec<Option<Cow<'a, str>>>,
    last_modified: Vec<Option<Cow<'a, str>>>,
    revisions: Vec<Option<Cow<'a, str>>>,
    providers: Vec<Option<Cow<'a, str>>>,
    costs: Vec<Option<Json<&'a Value>>>,
}

impl<'a> Origins<'a> {
    fn of(sources: &'a [NewSource]) -> Self {
        let all = || sources.iter().map(|source| &source.origin);
        let texts = |of: fn(&Origin) -> &Option<String>| {
            all()
                .map(|origin| of(origin).as_deref().map(text))
                .collect()
        };
        Self {
            titles: texts(|origin| &origin.title),
            authors: texts(|origin| &origin.author),
            published: all().map(|origin| origin.published).collect(),
            languages: texts(|origin| &origin.language),
            final_urls: texts(|origin| &origin.final_url),
            etags: texts(|origin| &origin.etag),
            last_modified: texts(|origin| &origin.last_modified),
            revisions: texts(|origin| &origin.revision),
            providers: texts(|origin| &origin.provider),
            costs: all().map(|origin| origin.cost.as_ref().map(Json)).collect(),
        }
    }
}
