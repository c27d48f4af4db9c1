//! Selection: which of the found sources are kept for the document, and which are read in full.

use uuid::Uuid;

use crate::tenant::watch;
use crate::{Answer, ArticleId, Tenant};

/// A found source with all that it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResearchSource {
    /// The number that users see: `Source [n]`.
    pub source_no: i64,
    /// Its address.
    pub url: String,
    /// Its title; `None` = not told.
    pub title: Option<String>,
    /// When it was published or changed, as the provider wrote it.
    pub published: Option<String>,
    /// Kept for the document; `None` = not judged yet.
    pub selected: Option<bool>,
    /// Place among those to be read in full, from 1; `None` = not chosen.
    pub scrape_rank: Option<i64>,
    /// The questions that it answers, in the order in which they were asked.
    pub questions: Vec<String>,
    /// What it says to each.
    pub answers: Vec<String>,
}

/// How far the research for an article has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResearchCounts {
    /// Questions that were answered.
    pub questions: u64,
    /// Sources that were found.
    pub found: u64,
    /// Sources that nobody has judged yet.
    pub unjudged: u64,
    /// Sources that are kept for the document.
    pub kept: u64,
    /// Sources that were chosen to be read in full.
    pub chosen: u64,
}

impl Tenant {
    /// How far the research for an article has come. Nothing, if there is no such article.
    pub fn research_counts(&mut self, article: ArticleId) -> Answer<'_, ResearchCounts> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let row = sqlx::query!(
                r#"-- selection: counts
                SELECT (SELECT count(*) FROM research_queries WHERE article_id = $1 AND user_id = $2) AS "questions!",
                       count(*) AS "found!", count(*) FILTER (WHERE selected IS NULL) AS "unjudged!",
                       count(*) FILTER (WHERE selected) AS "kept!", count(scrape_rank) AS "chosen!"
                  FROM research_sources WHERE article_id = $1 AND user_id = $2"#,
                article,
                user,
            )
            .fetch_one(connection)
            .await?;
            let count = |number: i64| number.try_into().unwrap_or_default();
            Ok(ResearchCounts {
                questions: count(row.questions),
                found: count(row.found),
                unjudged: count(row.unjudged),
                kept: count(row.kept),
                chosen: count(row.chosen),
            })
        })
    }

    /// The calls that brought answers to questions, each once: jobs are forgotten, what they brought
    /// is not.
    pub fn research_calls(&mut self, article: ArticleId) -> Answer<'_, Vec<Uuid>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let calls = sqlx::query_scalar!(
                "-- selection: calls
                 SELECT DISTINCT call_id FROM research_queries WHERE article_id = $1 AND user_id = $2",
                article,
                user,
            )
            .fetch_all(connection)
            .await?;
            Ok(calls)
        })
    }

    /// Every source that was found for an article, by number.
    pub fn research_sources(&mut self, article: ArticleId) -> Answer<'_, Vec<ResearchSource>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let sources = sqlx::query_as!(
                ResearchSource,
                r#"-- selection: sources
                SELECT s.source_no, s.url, s.title, s.published, s.selected, s.scrape_rank,
                       array_agg(q.query ORDER BY q.created_at, q.position, q.id) AS "questions!",
                       array_agg(said.answer ORDER BY q.created_at, q.position, q.id) AS "answers!"
                  FROM research_sources s
                  JOIN (SELECT source_no, query_id, answer FROM research_sources WHERE article_id = $1 AND user_id = $2
                        UNION ALL
                        SELECT source_no, query_id, answer FROM research_answers WHERE article_id = $1 AND user_id = $2) AS said
                    ON said.source_no = s.source_no
                  JOIN research_queries q ON q.user_id = $2 AND q.article_id = $1 AND q.id = said.query_id
                 WHERE s.article_id = $1 AND s.user_id = $2
                 GROUP BY s.article_id, s.source_no
                 ORDER BY s.source_no"#,
                article,
                user,
            )
            .fetch_all(connection)
            .await?;
            Ok(sources)
        })
    }

    /// Every question that was asked for an article, in order.
    pub fn research_questions(&mut self, article: ArticleId) -> Answer<'_, Vec<String>> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let questions = sqlx::query_scalar!(
                "-- selection: questions
                 SELECT query FROM research_queries WHERE article_id = $1 AND user_id = $2
                 ORDER BY created_at, position, id",
                article,
                user,
            )
            .fetch_all(connection)
            .await?;
            Ok(questions)
        })
    }

    /// Chooses the sources to be read in full, in this order, in place of those chosen before.
    /// Only kept ones can be chosen; answers how many are.
    pub fn choose_to_scrape<'a>(
        &'a mut self,
        article: ArticleId,
        chosen: &'a [i64],
    ) -> Answer<'a, u64> {
        watch(self.broken(), async move {
            let (user, connection) = self.parts();
            let chosen = sqlx::query_scalar!(
                r#"-- selection: choose to scrape
                WITH ranked AS (
                  UPDATE research_sources
                     SET scrape_rank = CASE WHEN selected THEN array_position($3::bigint[], source_no) END
                   WHERE article_id = $1 AND user_id = $2 RETURNING scrape_rank)
                SELECT count(scrape_rank) AS "chosen!" FROM ranked"#,
                article,
                user,
                chosen,
            )
            .fetch_one(connection)
            .await?;
            Ok(chosen.try_into().unwrap_or_default())
        })
    }
}
