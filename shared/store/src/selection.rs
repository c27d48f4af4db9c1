//! Selection: which of the found sources are kept for the document, and which are read in full.

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

impl Tenant {
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
