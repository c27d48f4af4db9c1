//! Research: questions put to the search provider, and the numbered sources it answered with.

use uuid::Uuid;

use crate::tenant::watch;
use crate::{Answer, ArticleId, Error, Tenant};

/// A question and what came back.
#[derive(Clone, Debug)]
pub struct AnsweredQuery {
    /// The question, word for word.
    pub query: String,
    /// The sources, in the provider's order.
    pub sources: Vec<FoundSource>,
}

/// One source of an answer.
#[derive(Clone, Debug)]
pub struct FoundSource {
    /// Its address, or its title where the provider gave none.
    pub url: String,
    /// The passage that answers.
    pub answer: String,
}

/// A numbered source of an article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResearchResult {
    /// The number that users see: `Source [n]`.
    pub source_no: i64,
    /// The question it answers.
    pub query: String,
    /// Its address or title.
    pub url: String,
    /// The passage that answers.
    pub answer: String,
}

impl Tenant {
    /// Keeps a round of research and gives its sources the article's next numbers, without gaps
    /// however many rounds run at once. The same call again adds nothing. Answers how many
    /// sources were added.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such article.
    pub fn add_research<'a>(
        &'a mut self,
        article: ArticleId,
        call_id: Uuid,
        answered: &'a [AnsweredQuery],
    ) -> Answer<'a, u64> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let ids: Vec<Uuid> = answered.iter().map(|_| Uuid::now_v7()).collect();
            let queries: Vec<String> = answered.iter().map(|one| one.query.clone()).collect();
            let sources = || {
                answered
                    .iter()
                    .zip(1_i64..)
                    .flat_map(|(one, nth)| one.sources.iter().map(move |source| (nth, source)))
            };
            let places: Vec<i64> = sources().map(|(nth, _)| nth).collect();
            let urls: Vec<String> = sources().map(|(_, source)| source.url.clone()).collect();
            let answers: Vec<String> = sources().map(|(_, source)| source.answer.clone()).collect();
            // The article's row is locked first, so that rounds take their numbers one after the other.
            let row = sqlx::query!(
                r#"-- research: add a round
                WITH article AS (
                  SELECT id, user_id, next_source_no FROM articles WHERE id = $1 AND user_id = $2 FOR UPDATE),
                asked AS (
                  INSERT INTO research_queries (id, user_id, article_id, call_id, position, query)
                  SELECT q.id, a.user_id, a.id, $3, q.position, q.query
                    FROM article a, unnest($4::uuid[], $5::text[]) WITH ORDINALITY AS q (id, query, position)
                  ON CONFLICT (article_id, call_id, position) DO NOTHING
                  RETURNING id, position),
                found AS (
                  INSERT INTO research_sources (article_id, source_no, user_id, query_id, url, answer)
                  SELECT a.id, a.next_source_no + row_number() OVER (ORDER BY s.nth) - 1, a.user_id, asked.id, s.url, s.answer
                    FROM article a,
                         unnest($6::bigint[], $7::text[], $8::text[]) WITH ORDINALITY AS s (place, url, answer, nth)
                    JOIN asked ON asked.position = s.place
                  RETURNING 1),
                counted AS (SELECT count(*) AS sources FROM found),
                numbered AS (
                  UPDATE articles SET next_source_no = articles.next_source_no + counted.sources
                    FROM article, counted WHERE articles.id = article.id AND articles.user_id = $2 AND counted.sources > 0)
                SELECT counted.sources AS "added!", EXISTS (SELECT 1 FROM article) AS "found!" FROM counted"#,
                article,
                user,
                call_id,
                &ids,
                &queries,
                &places,
                &urls,
                &answers,
            )
            .fetch_one(connection)
            .await?;
            if !row.found {
                return Err(Error::NotFound { what: "article" });
            }
            Ok(row.added.try_into().unwrap_or_default())
        })
    }

    /// Judges every source of an article: those named are kept for the document, the others are
    /// not. Answers how many are kept; numbers that the article does not have are left out.
    pub fn keep_research<'a>(&'a mut self, article: ArticleId, kept: &'a [i64]) -> Answer<'a, u64> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let kept = sqlx::query_scalar!(
                r#"-- research: keep
                WITH judged AS (
                  UPDATE research_sources SET selected = source_no = ANY ($3), selected_at = now()
                   WHERE article_id = $1 AND user_id = $2 RETURNING selected)
                SELECT count(*) FILTER (WHERE selected) AS "kept!" FROM judged"#,
                article,
                user,
                kept,
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

    /// The search answers that belong into the document: those that were kept, or all while none
    /// has been judged. Questions stand in the order in which they were first asked, each with
    /// its answers by number; a question that was asked again has all its answers together.
    pub fn research_results(&mut self, article: ArticleId) -> Answer<'_, Vec<ResearchResult>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let results = sqlx::query_as!(
                ResearchResult,
                "-- research: results
                SELECT source_no, query, url, answer
                  FROM (SELECT s.source_no, q.query, s.url, s.answer, s.selected,
                               bool_or(s.selected IS NOT NULL) OVER () AS judged,
                               min(s.source_no) OVER (PARTITION BY q.query) AS first_asked
                          FROM research_sources s
                          JOIN research_queries q ON q.user_id = s.user_id AND q.article_id = s.article_id AND q.id = s.query_id
                         WHERE s.article_id = $1 AND s.user_id = $2) AS every
                 WHERE coalesce(selected, NOT judged)
                 ORDER BY first_asked, source_no",
                article,
                user,
            )
            .fetch_all(connection)
            .await?;
            Ok(results)
        })
    }
}
