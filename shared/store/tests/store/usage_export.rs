//! The calls of a day, a page at a time.

use nova_store::UsageRow;
use time::{Date, Month, OffsetDateTime};

use crate::support::{database, run, store};

#[tokio::test]
async fn a_day_is_read_in_pages_and_each_of_its_rows_once() {
    let database = database().await;
    // A thousand at the same moment, as after a pause; one at each end of the day, and their neighbours.
    run(
        &database.pool(),
        "INSERT INTO tool_call_usage (id, user_id, tool_name, year_month, created_at)
         SELECT gen_random_uuid(), 'user ' || n % 7, 'tool', '2026-03', '2026-03-29 12:00Z' FROM generate_series(1, 1000) n;
         INSERT INTO tool_call_usage (id, user_id, tool_name, year_month, created_at)
         SELECT gen_random_uuid(), 'bob', 'edge', '2026-03', at::timestamptz FROM unnest(ARRAY[
           '2026-03-28 23:59:59.999999Z', '2026-03-29 00:00Z', '2026-03-29 23:59:59.999999Z', '2026-03-30 00:00Z']) at",
    )
    .await;
    let exports = store(&database, "analytics");
    let day = Date::from_calendar_date(2026, Month::March, 29).unwrap();
    let mut rows: Vec<UsageRow> = Vec::new();
    loop {
        let page = exports.usage_of_day(day, rows.last(), 300).await.unwrap();
        assert!(page.len() <= 300);
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    let at = |row: &UsageRow| (row.created_at, row.id);
    assert!(rows.windows(2).all(|two| at(&two[0]) < at(&two[1])));
    assert_eq!(rows.len(), 1002);
    let edges: Vec<OffsetDateTime> = rows
        .iter()
        .filter(|row| row.tool_name == "edge")
        .map(|row| row.created_at)
        .collect();
    assert!(edges.iter().all(|at| at.date() == day));
    assert_eq!(edges.len(), 2);

    let other = exports.usage_of_day(day.previous_day().unwrap(), None, 300);
    assert_eq!(other.await.unwrap().len(), 1);
    let tools = store(&database, "research");
    let others = tools.usage_of_day(day, None, 300).await;
    assert!(
        others.is_err_and(|error| !error.is_retryable()),
        "tools see their user's rows, by no path but the limiter"
    );
}
