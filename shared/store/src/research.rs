//! Research: questions put to a search provider, and the numbered sources it answered with.
//!
//! A source is one for each identity, whatever the question: the first answer stands with the
//! source, further ones beside it.

use std::{borrow::Cow, time::Duration};

use time::OffsetDateTime;
use uuid::Uuid;

use crate::tenant::watch;
use crate::text::text;
use crate::{Answer, ArticleId, Error, Tenant};

/// A question and what came back.
#[derive(Clone, Debug)]
pub struct AnsweredQuery {
    /// The question, word for word.
    pub query: String,
    /// Who was asked; `None` when the caller searched, and brought the sources.
    pub provider: Option<String>,
    /// The sources, in the provider's order.
    pub sources: Vec<FoundSource>,
}

/// One source of an answer.
#[derive(Clone, Debug)]
pub struct FoundSource {
    /// What makes it the same source again, whatever the question.
    pub identity: String,
    /// Its address.
    pub url: String,
    /// Its title.
    pub title: Option<String>,
    /// When it was published or changed, as the provider wrote it.
    pub published: Option<String>,
    /// The passage that answers.
    pub answer: String,
}

/// What a question brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Sources that the article did not have.
    pub sources: u64,
    /// Further answers of sources that it had.
    pub answers: u64,
}

/// A question that was answered before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredBefore {
    /// When.
    pub at: OffsetDateTime,
    /// Who was asked.
    pub provider: String,
    /// How many sources answer it.
    pub sources: u64,
}

/// An answer of a numbered source of an article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResearchResult {
    /// The number that users see: `Source [n]`.
    pub source_no: i64,
    /// The question it answers.
    pub query: String,
    /// Its address.
    pub url: String,
    /// The passage that answers.
    pub answer: String,
}

/// A numbered source of an article, for a list of references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundReference {
    /// The number that users see: `Source [n]`.
    pub source_no: i64,
    /// Its address.
    pub url: String,
    /// Its title; `None` = not told.
    pub title: Option<String>,
    /// When it was published or changed, as the provider wrote it.
    pub published: Option<String>,
    /// Whether it belongs into the document: it was kept, or none has been judged.
    pub kept: bool,
}

impl Tenant {
    /// Keeps the answer to a question, the `position`th of a call, and gives the sources that are
    /// new the article's next numbers, without gaps however many do so at once. An answer of a
    /// source that the article has already is kept beside the first, unless it says the same to
    /// the same question. The same call again adds nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such article.
    pub fn add_research<'a>(
        &'a mut self,
        article: ArticleId,
        call_id: Uuid,
        position: u64,
        answered: &'a AnsweredQuery,
    ) -> Answer<'a, Added> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            // Before anything is looked for, so that those who add at once do so one after the
            // other, and each sees what the one before it added.
            sqlx::query_scalar!(
                "-- research: take turns
                 SELECT id FROM articles WHERE id = $1 AND user_id = $2 FOR NO KEY UPDATE",
                article,
                user,
            )
            .fetch_optional(&mut *connection)
            .await?
            .ok_or(Error::NotFound { what: "article" })?;
            let sources = &answered.sources;
            let all = |of: fn(&FoundSource) -> &String| -> Vec<Cow<'_, str>> {
                sources.iter().map(|source| text(of(source))).collect()
            };
            let told = |of: fn(&FoundSource) -> &Option<String>| -> Vec<Option<Cow<'_, str>>> {
                let all = sources.iter().map(|source| of(source).as_deref());
                all.map(|it| it.map(text)).collect()
            };
            let row = sqlx::query!(
                r#"-- research: add an answer
                WITH asked AS (
                  INSERT INTO research_queries (id, user_id, article_id, call_id, position, query, provider)
                  VALUES ($3, $2, $1, $4, $5, $6, $7)
                  ON CONFLICT (article_id, call_id, position) DO NOTHING
                  RETURNING id),
                given AS (
                  SELECT DISTINCT ON (identity) identity, url, title, published, answer, nth
                    FROM unnest($8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
                         WITH ORDINALITY AS s (identity, url, title, published, answer, nth)
                   ORDER BY identity, nth),
                matched AS (
                  SELECT given.identity, given.url, given.title, given.published, given.answer, given.nth,
                         asked.id AS query_id, known.source_no, known.query_id AS first_query_id, known.answer AS first_answer
                    FROM asked CROSS JOIN given
                    LEFT JOIN research_sources known
                      ON known.article_id = $1 AND known.user_id = $2 AND known.identity = given.identity),
                found AS (
                  INSERT INTO research_sources (article_id, source_no, user_id, query_id, identity, url, title, published, answer)
                  SELECT $1, a.next_source_no + row_number() OVER (ORDER BY m.nth) - 1, $2, m.query_id, m.identity, m.url, m.title, m.published, m.answer
                    FROM matched m JOIN articles a ON a.id = $1 AND a.user_id = $2
                   WHERE m.source_no IS NULL
                  RETURNING 1),
                further AS (
                  INSERT INTO research_answers (article_id, source_no, query_id, user_id, answer)
                  SELECT $1, m.source_no, m.query_id, $2, m.answer
                    FROM matched m
                   WHERE m.source_no IS NOT NULL
                     AND NOT EXISTS (
                       SELECT 1
                         FROM (SELECT m.first_query_id AS query_id, m.first_answer AS answer
                               UNION ALL
                               SELECT f.query_id, f.answer FROM research_answers f
                                WHERE f.article_id = $1 AND f.user_id = $2 AND f.source_no = m.source_no) AS said
                         JOIN research_queries q ON q.user_id = $2 AND q.article_id = $1 AND q.id = said.query_id
                        WHERE said.answer = m.answer AND lower(q.query COLLATE "und-x-icu") = lower($6 COLLATE "und-x-icu"))
                  RETURNING 1),
                counted AS (SELECT (SELECT count(*) FROM found) AS sources, (SELECT count(*) FROM further) AS answers),
                numbered AS (
                  UPDATE articles SET next_source_no = next_source_no + counted.sources
                    FROM counted WHERE articles.id = $1 AND articles.user_id = $2 AND counted.sources > 0)
                SELECT counted.sources AS "sources!", counted.answers AS "answers!" FROM counted"#,
                article,
                user,
                Uuid::now_v7(),
                call_id,
                i64::try_from(position).unwrap_or(i64::MAX),
                &*text(&answered.query),
                answered.provider,
                all(|it| &it.identity) as _,
                all(|it| &it.url) as _,
                told(|it| &it.title) as _,
                told(|it| &it.published) as _,
                all(|it| &it.answer) as _,
            )
            .fetch_one(connection)
            .await?;
            Ok(Added {
                sources: row.sources.try_into().unwrap_or_default(),
                answers: row.answers.try_into().unwrap_or_default(),
            })
        })
    }

    /// What the article has on a question that a provider was asked no longer ago than `age`, in
    /// whatever case it was written. `None` when none was.
    pub fn answered_before<'a>(
        &'a mut self,
        article: ArticleId,
        query: &'a str,
        age: Duration,
    ) -> Answer<'a, Option<AnsweredBefore>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let row = sqlx::query!(
                r#"-- research: answered before
                SELECT q.created_at, q.provider AS "provider!",
                       (SELECT count(*) FROM research_sources s WHERE s.user_id = $2 AND s.article_id = $1 AND s.query_id = q.id)
                     + (SELECT count(*) FROM research_answers f WHERE f.user_id = $2 AND f.article_id = $1 AND f.query_id = q.id) AS "sources!"
                  FROM research_queries q
                 WHERE q.article_id = $1 AND q.user_id = $2 AND q.provider IS NOT NULL AND lower(q.query COLLATE "und-x-icu") = lower($3 COLLATE "und-x-icu")
                   AND q.created_at > now() - make_interval(secs => $4)
                 ORDER BY q.created_at DESC LIMIT 1"#,
                article,
                user,
                query,
                age.as_secs_f64(),
            )
            .fetch_optional(connection)
            .await?;
            Ok(row.map(|row| AnsweredBefore {
                at: row.created_at,
                provider: row.provider,
                sources: row.sources.try_into().unwrap_or_default(),
            }))
        })
    }

    /// Judges sources of an article: of those `judged`, by number, the ones in `kept` are for the
    /// document and the others are not. What else the article has stays as it was: it came while
    /// these were thought about. Answers how many are kept; numbers that the article does not have
    /// are left out. Where they were ranked without the language model that was asked,
    /// `ranked_because` says why.
    pub fn keep_research<'a>(
        &'a mut self,
        article: ArticleId,
        judged: &'a [i64],
        kept: &'a [i64],
        ranked_because: Option<&'a str>,
    ) -> Answer<'a, u64> {
        watch(self.broken(), async move {
            let ranked_because = ranked_because.map(text);
            let (user, connection) = self.parts();
            let kept = sqlx::query_scalar!(
                r#"-- research: keep
                WITH judged AS (
                  UPDATE research_sources SET selected = source_no = ANY ($3), selected_at = now()
                   WHERE article_id = $1 AND user_id = $2 AND source_no = ANY ($5) RETURNING selected),
                told AS (UPDATE articles SET ranked_because = $4 WHERE id = $1 AND user_id = $2)
                SELECT count(*) FILTER (WHERE selected) AS "kept!" FROM judged"#,
                article,
                user,
                kept,
                ranked_because.as_deref(),
                judged,
            )
            .fetch_one(connection)
            .await?;
            Ok(kept.try_into().unwrap_or_default())
        })
    }

    /// The sources that were chosen to be read in full, in the order of the choice.
    pub fn research_to_scrape(&mut self, article: ArticleId) -> Answer<'_, Vec<String>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let urls = sqlx::query_scalar!(
                "-- research: to scrape
                 SELECT url FROM research_sources
                  WHERE article_id = $1 AND user_id = $2 AND scrape_rank IS NOT NULL
                  ORDER BY scrape_rank, source_no",
                article,
                user,
            )
            .fetch_all(connection)
            .await?;
            Ok(urls)
        })
    }

    /// The search answers that belong into the document: those of sources that were kept, or all
    /// while none has been judged. Questions stand in the order in which they were first asked, each
    /// with its answers by number; a question that was asked again has all its answers together.
    pub fn research_results(&mut self, article: ArticleId) -> Answer<'_, Vec<ResearchResult>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let results = sqlx::query_as!(
                ResearchResult,
                r#"-- research: results
                SELECT source_no AS "source_no!", query AS "query!", url AS "url!", answer AS "answer!"
                  FROM (SELECT s.source_no, q.query, s.url, said.answer, s.selected, q.created_at, q.position,
                               bool_or(s.selected IS NOT NULL) OVER () AS judged,
                               min(q.created_at) OVER asked AS first_asked, first_value(q.position) OVER asked AS first_position
                          FROM (SELECT source_no, query_id, answer FROM research_sources WHERE article_id = $1 AND user_id = $2
                                UNION ALL
                                SELECT source_no, query_id, answer FROM research_answers WHERE article_id = $1 AND user_id = $2) AS said
                          JOIN research_sources s ON s.article_id = $1 AND s.user_id = $2 AND s.source_no = said.source_no
                          JOIN research_queries q ON q.user_id = $2 AND q.article_id = $1 AND q.id = said.query_id
                        WINDOW asked AS (PARTITION BY q.query ORDER BY q.created_at, q.position)) AS every
                 WHERE coalesce(selected, NOT judged)
                 ORDER BY first_asked, first_position, query, source_no, created_at, position"#,
                article,
                user,
            )
            .fetch_all(connection)
            .await?;
            Ok(results)
        })
    }

    /// Every numbered source of an article, by number, and whether the document has it.
    pub fn research_references(&mut self, article: ArticleId) -> Answer<'_, Vec<FoundReference>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let references = sqlx::query_as!(
                FoundReference,
                r#"-- research: references
                SELECT source_no, url, title, published,
                       coalesce(selected, NOT bool_or(selected IS NOT NULL) OVER ()) AS "kept!"
                  FROM research_sources WHERE article_id = $1 AND user_id = $2
                 ORDER BY source_no"#,
                article,
                user,
            )
            .fetch_all(connection)
            .await?;
            Ok(references)
        })
    }
}
