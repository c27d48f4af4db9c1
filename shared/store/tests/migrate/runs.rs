//! Up, down, and what a report says.

use crate::synthetic::{COMPLETE, database, history, migrator, value};

#[tokio::test]
async fn up_brings_an_empty_database_to_head_and_down_takes_it_all_back() {
    let database = database().await;
    let pool = database.pool();
    let report = migrator(&database).up(None).await.unwrap();
    assert_eq!(report.version, 4);
    assert_eq!(report.steps.len(), 4);
    assert!(
        report
            .to_string()
            .starts_with("version 0004, 4 applied in "),
        "{report}"
    );
    assert_eq!(history(&pool).await, COMPLETE);
    assert_eq!(value::<i64>(&pool, "select thing_count()").await, 1000);
    let owner = "select tableowner::text from pg_tables where tablename = 'things'";
    assert_eq!(value::<String>(&pool, owner).await, "nova_owner");
    let owner = "select nspowner::regrole::text from pg_namespace where nspname = 'side'";
    assert_eq!(value::<String>(&pool, owner).await, "postgres");

    let again = migrator(&database).up(None).await.unwrap();
    assert_eq!(again.to_string(), "version 0004, nothing to do");

    let report = migrator(&database).down(2).await.unwrap();
    assert_eq!(report.version, 2);
    assert_eq!(history(&pool).await, COMPLETE[..2]);
    let report = migrator(&database).down(0).await.unwrap();
    assert!(
        report
            .to_string()
            .starts_with("version 0000, 2 taken back in "),
        "{report}"
    );
    assert!(history(&pool).await.is_empty());
    let report = migrator(&database).up(Some(3)).await.unwrap();
    assert_eq!(report.version, 3);
    assert_eq!(history(&pool).await, COMPLETE[..3]);
}
