//! The five queries that users know run as they were published, and the reports say the same.

use nova_store::{ArticleStatus, Charge};
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use crate::support::{article, database, store, user, within};

const PUBLISHED: &str = include_str!("published_queries.sql");

#[tokio::test]
async fn the_published_queries_run_unchanged_and_the_reports_agree() {
    let database = database().await;
    let (uploads, tools, reports) = (
        store(&database, "upload"),
        store(&database, "research"),
        store(&database, "analytics"),
    );
    for (name, articles, calls) in [("alice", 2, 90), ("bob", 1, 3), ("carol", 1, 0)] {
        let user = user(name);
        let mut id = None;
        for _ in 0..articles {
            id = Some(article(&uploads, &user).await);
        }
        for nth in 0..calls {
            let tool = if nth % 3 == 0 {
                "create_research_file"
            } else {
                "extract_guidelines_urls"
            };
            let charge = Charge {
                tool,
                call_id: Uuid::now_v7(),
                article: id,
                default_limit: 100,
            };
            within(&tools, &user, async |t| t.charge(&charge).await)
                .await
                .unwrap();
        }
        within(&tools, &user, async |t| {
            t.advance(id.unwrap(), ArticleStatus::Finalizing).await
        })
        .await
        .unwrap();
    }
    let analysts = database.pool_as("test_analytics");
    let queries: Vec<&str> = PUBLISHED
        .split(';')
        .map(str::trim)
        .filter(|query| !query.is_empty())
        .collect();
    assert_eq!(queries.len(), 5);
    let mut published = Vec::new();
    for query in queries {
        published.push(
            sqlx::query(AssertSqlSafe(query))
                .fetch_all(&analysts)
                .await
                .unwrap_or_else(|error| panic!("{query}: {error}")),
        );
    }
    let text = |row: &sqlx::postgres::PgRow, column: &str| row.get::<String, _>(column);
    let number = |row: &sqlx::postgres::PgRow, column: &str| row.get::<i64, _>(column);

    let monthly: Vec<_> = published[0]
        .iter()
        .map(|row| {
            (
                text(row, "user_id"),
                text(row, "year_month"),
                number(row, "calls"),
            )
        })
        .collect();
    let report = reports.monthly_calls(100).await.unwrap();
    assert_eq!(
        report
            .into_iter()
            .map(|row| (row.user_id, row.year_month, row.calls))
            .collect::<Vec<_>>(),
        monthly
    );
    assert_eq!(monthly.len(), 2);

    let popular: Vec<_> = published[1]
        .iter()
        .map(|row| (text(row, "tool_name"), number(row, "usage")))
        .collect();
    let report = reports.popular_tools(100).await.unwrap();
    assert_eq!(
        report
            .into_iter()
            .map(|row| (row.tool_name, row.usage))
            .collect::<Vec<_>>(),
        popular
    );
    assert_eq!(
        popular,
        [
            ("extract_guidelines_urls".to_owned(), 62),
            ("create_research_file".to_owned(), 31)
        ]
    );

    let completion: i64 = published[2].iter().map(|row| number(row, "count")).sum();
    let report = reports.completion().await.unwrap();
    assert_eq!(report.iter().map(|row| row.count).sum::<i64>(), completion);
    let rows: Vec<_> = report.iter().map(|row| (row.status, row.count)).collect();
    assert_eq!(
        rows,
        [(ArticleStatus::Created, 1), (ArticleStatus::Finalizing, 3)]
    );

    let mut per_article: Vec<_> = published[3]
        .iter()
        .map(|row| (row.get::<Uuid, _>("article_id"), number(row, "tool_calls")))
        .collect();
    per_article.sort();
    let report = reports.tools_per_article(100).await.unwrap();
    let mut rows: Vec<_> = report
        .iter()
        .map(|row| (row.article_id, row.tool_calls))
        .collect();
    rows.sort();
    assert_eq!(rows, per_article);
    let of_articles: Vec<_> = report.iter().map(|row| row.tool_calls_of_article).collect();
    assert_eq!(of_articles, [0, 3, 90, 0], "newest first");

    let near: Vec<_> = published[4]
        .iter()
        .map(|row| (text(row, "user_id"), number(row, "calls")))
        .collect();
    let report = reports.near_limit(100).await.unwrap();
    assert_eq!(
        report
            .into_iter()
            .map(|row| (row.user_id, row.calls))
            .collect::<Vec<_>>(),
        near
    );
    assert_eq!(near, [("alice".to_owned(), 90)]);
    assert_eq!(reports.monthly_calls(1).await.unwrap().len(), 1);
}
