//! A day of a hundred thousand calls, in constant memory. In a process of its own, because it measures a
//! child's.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the other tests use the rest of it")]
mod world;

use nova_testkit::usage::Usage;

use crate::world::World;

const ROWS: u32 = 100_000;
const MOST_MIB: f64 = 64.0;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_pass_through_and_do_not_stay() {
    let world = World::new().await;
    let day = world.day(1);
    world
        .sql(&format!(
            "INSERT INTO tool_call_usage (id, user_id, tool_name, year_month, created_at, article_id)
             SELECT gen_random_uuid(), 'user ' || n % 1000, 'extract_guidelines_urls', to_char(date '{day}', 'YYYY-MM'),
                    timestamptz '{day} 00:00Z' + random() * interval '23 hours', gen_random_uuid()
               FROM generate_series(1, {ROWS}) n"
        ))
        .await;
    let usage = Usage::of(&mut world.command(&[], &[])).await.unwrap();
    assert_eq!(world.rows(1).len(), ROWS as usize);
    let size = world.object(1).size;
    println!("{ROWS} rows, {size} bytes packed: {usage:?}");
    assert!(
        usage.peak_mib < MOST_MIB,
        "it needed {} MiB",
        usage.peak_mib
    );
}
