//! The monthly limit is exact, whatever comes at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nova_store::{Charge, Charged, Error, RefusedBecause, Store, Usage, UserId};
use nova_testkit::postgres::Database;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{database, pool, run, store, user, value, within};

fn charge(call_id: Uuid, default_limit: u64) -> Charge<'static> {
    Charge {
        tool: "extract_guidelines_urls",
        call_id,
        article: None,
        default_limit,
    }
}

async fn call(store: &Store, user: &UserId, call_id: Uuid, default_limit: u64) -> Charged {
    let charge = charge(call_id, default_limit);
    within(store, user, async |tenant| tenant.charge(&charge).await)
        .await
        .unwrap()
}

async fn refund(store: &Store, user: &UserId, call_id: Uuid) -> bool {
    within(store, user, async |tenant| {
        tenant.refund(call_id, "provider failed").await
    })
    .await
    .unwrap()
}

fn many(database: &Database) -> Store {
    Store::new(pool(database, "research", 24))
}

fn usage_of(charged: Charged) -> Usage {
    match charged {
        Charged::Admitted(usage) | Charged::Replayed(usage) | Charged::Refused { usage, .. } => {
            usage
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_calls_at_once_with_a_limit_of_a_hundred_admit_exactly_a_hundred() {
    let database = database().await;
    let (store, alice) = (many(&database), user("alice"));
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let (store, alice) = (store.clone(), alice.clone());
        calls.spawn(async move { call(&store, &alice, Uuid::now_v7(), 100).await });
    }
    let (mut admitted, mut refused) = (0, 0);
    for charged in calls.join_all().await {
        match charged {
            Charged::Admitted(usage) => {
                admitted += 1;
                assert!((1..=100).contains(&usage.used));
            }
            Charged::Refused {
                usage,
                reason,
                retry_after,
            } => {
                refused += 1;
                assert_eq!(
                    (usage.used, usage.limit, reason),
                    (100, Some(100), RefusedBecause::Monthly)
                );
                assert!(
                    retry_after > Duration::ZERO && retry_after <= Duration::from_hours(31 * 24)
                );
            }
            Charged::Replayed(_) => panic!("every call had an id of its own"),
        }
    }
    assert_eq!((admitted, refused), (100, 100));
    assert_eq!(
        value::<i64>(&database.pool(), "SELECT count(*) FROM tool_call_usage").await,
        100
    );
    assert_eq!(
        value::<i64>(&database.pool(), "SELECT count(*) FROM usage_drift").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_delivered_often_is_charged_once_even_when_it_takes_the_last_unit() {
    let database = database().await;
    let (store, alice) = (many(&database), user("alice"));
    for limit in 1..=5 {
        let call_id = Uuid::now_v7();
        let mut deliveries = JoinSet::new();
        for _ in 0..20 {
            let (store, alice) = (store.clone(), alice.clone());
            deliveries.spawn(async move { call(&store, &alice, call_id, limit).await });
        }
        let outcomes = deliveries.join_all().await;
        let admitted = outcomes
            .iter()
            .filter(|one| matches!(one, Charged::Admitted(_)))
            .count();
        let replayed = outcomes
            .iter()
            .filter(|one| matches!(one, Charged::Replayed(_)))
            .count();
        assert_eq!((admitted, replayed), (1, 19), "limit {limit}: {outcomes:?}");
        assert_eq!(
            usage_of(call(&store, &alice, call_id, limit).await).used,
            limit
        );
    }
    let refused = call(&store, &alice, Uuid::now_v7(), 5).await;
    assert!(matches!(refused, Charged::Refused { .. }), "{refused:?}");
    assert_eq!(
        value::<i64>(&database.pool(), "SELECT count(*) FROM tool_call_usage").await,
        5
    );
}

#[tokio::test]
async fn how_long_ago_a_call_was_charged_is_for_its_user_alone() {
    let database = database().await;
    let (store, alice, id) = (many(&database), user("alice"), Uuid::now_v7());
    let before = async |whose: &str| {
        let day = Duration::from_hours(24);
        let asks = user(whose);
        let answer = within(&store, &asks, async |t| t.was_charged_before(id, day).await);
        answer.await.unwrap()
    };
    assert!(!before("alice").await, "it never was");
    call(&store, &alice, id, 0).await;
    assert!(!before("alice").await);
    let aged = "UPDATE tool_call_usage SET created_at = created_at - interval '25 hours'";
    run(&database.pool(), aged).await;
    assert_eq!((before("alice").await, before("bob").await), (true, false));
    refund(&store, &alice, id).await;
    assert!(!before("alice").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_is_given_back_once_and_its_unit_can_be_used_again() {
    let database = database().await;
    let (store, alice) = (many(&database), user("alice"));
    let call_id = Uuid::now_v7();
    call(&store, &alice, call_id, 1).await;
    let mut refunds = JoinSet::new();
    for _ in 0..10 {
        let (store, alice) = (store.clone(), alice.clone());
        refunds.spawn(async move { refund(&store, &alice, call_id).await });
    }
    assert_eq!(
        refunds
            .join_all()
            .await
            .into_iter()
            .filter(|refunded| *refunded)
            .count(),
        1
    );
    assert!(!refund(&store, &user("bob"), call_id).await);
    let again = call(&store, &alice, Uuid::now_v7(), 1).await;
    assert!(matches!(again, Charged::Admitted(_)), "{again:?}");
    let refunded: (i64, i64) = sqlx::query_as("SELECT used, refunded FROM usage_counters")
        .fetch_one(&database.pool())
        .await
        .unwrap();
    assert_eq!(refunded, (1, 1));
}

#[tokio::test]
async fn an_override_beats_the_tier_and_the_tier_beats_the_deployment_and_zero_is_unlimited() {
    let database = database().await;
    let (tools, usage) = (store(&database, "research"), store(&database, "usage"));
    let sql = database.pool();
    // tier, override, when the override ends, the deployment's default; the limit that holds
    let cases = [
        ("default", None, None, 100, Some(100)),
        ("default", None, None, 7, Some(7)),
        ("default", None, None, 0, None),
        ("premium", None, None, 7, Some(5000)),
        ("unlimited", None, None, 7, None),
        ("default", Some(9_i64), None, 7, Some(9)),
        ("unlimited", Some(9), None, 7, Some(9)),
        ("premium", Some(0), None, 7, None),
        ("premium", Some(9), Some("tomorrow"), 7, Some(9)),
        ("premium", Some(9), Some("yesterday"), 7, Some(5000)),
        ("default", Some(0), Some("yesterday"), 7, Some(7)),
    ];
    for (nth, (tier, monthly, until, default_limit, expected)) in cases.into_iter().enumerate() {
        let user = user(&format!("user {nth}"));
        sqlx::query("INSERT INTO users (user_id, tier, monthly_calls_override, override_until) VALUES ($1, $2, $3, $4::text::timestamptz)")
            .bind(user.as_str())
            .bind(tier)
            .bind(monthly)
            .bind(until)
            .execute(&sql)
            .await
            .unwrap();
        let charged = usage_of(call(&tools, &user, Uuid::now_v7(), default_limit).await);
        assert_eq!((charged.used, charged.limit), (1, expected), "case {nth}");
        let told = within(&usage, &user, async |tenant| {
            tenant.usage(default_limit).await
        })
        .await
        .unwrap();
        assert_eq!(told, charged, "case {nth}");
    }
    let nobody = within(&usage, &user("nobody"), async |tenant| {
        tenant.usage(7).await
    })
    .await
    .unwrap();
    assert_eq!((nobody.used, nobody.limit), (0, Some(7)));
    assert_eq!(
        value::<i64>(&sql, "SELECT count(*) FROM users WHERE user_id = 'nobody'").await,
        0
    );
}

#[tokio::test]
async fn unlimited_calls_are_counted_too() {
    let database = database().await;
    let (store, alice) = (store(&database, "research"), user("alice"));
    for used in 1..=3 {
        assert_eq!(
            usage_of(call(&store, &alice, Uuid::now_v7(), 0).await).used,
            used
        );
    }
    assert_eq!(
        value::<i64>(&database.pool(), "SELECT count(*) FROM tool_call_usage").await,
        3
    );
    assert_eq!(
        value::<String>(
            &database.pool(),
            "SELECT tier FROM users WHERE user_id = 'alice'"
        )
        .await,
        "default"
    );
}

#[tokio::test]
async fn a_burst_is_cut_off_and_comes_back_with_time() {
    let database = database().await;
    let (store, alice) = (store(&database, "research"), user("alice"));
    run(
        &database.pool(),
        "UPDATE tiers SET burst_calls = 3, burst_interval = '1 minute' WHERE tier = 'default'",
    )
    .await;
    for _ in 0..3 {
        let charged = call(&store, &alice, Uuid::now_v7(), 100).await;
        assert!(matches!(charged, Charged::Admitted(_)), "{charged:?}");
    }
    let refused = call(&store, &alice, Uuid::now_v7(), 100).await;
    let Charged::Refused {
        usage,
        reason: RefusedBecause::Burst,
        retry_after,
    } = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(usage.used, 3);
    assert!(
        retry_after > Duration::from_secs(10) && retry_after <= Duration::from_secs(20),
        "{retry_after:?}"
    );
    run(
        &database.pool(),
        "UPDATE usage_counters SET burst_free_at = burst_free_at - interval '20 seconds'",
    )
    .await;
    let charged = call(&store, &alice, Uuid::now_v7(), 100).await;
    assert!(matches!(charged, Charged::Admitted(_)), "{charged:?}");
}

#[tokio::test]
async fn the_month_is_that_of_the_databases_clock_in_utc_wherever_the_session_is() {
    let database = database().await;
    let sql = database.pool();
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        let options = database
            .url_as("test_research")
            .parse::<sqlx::postgres::PgConnectOptions>()
            .unwrap()
            .options([("timezone", zone)]);
        let store = Store::new(sqlx::postgres::PgPoolOptions::new().connect_lazy_with(options));
        let usage = usage_of(call(&store, &user("alice"), Uuid::now_v7(), 100).await);
        let now = value::<time::OffsetDateTime>(&sql, "SELECT now()").await;
        assert_eq!(
            usage.year_month,
            format!("{}-{:02}", now.year(), u8::from(now.month()))
        );
        let next = usage.resets_at;
        assert_eq!((next.day(), next.time()), (1, time::Time::MIDNIGHT));
        assert_eq!(next.month(), now.month().next());
    }
}

#[tokio::test]
async fn a_charge_belongs_to_the_tenant_of_its_transaction_and_to_nobody_else() {
    let database = database().await;
    let (store, alice, bob) = (store(&database, "research"), user("alice"), user("bob"));
    let call_id = Uuid::now_v7();
    call(&store, &alice, call_id, 100).await;
    let charge = charge(call_id, 100);
    let taken = within(&store, &bob, async |tenant| tenant.charge(&charge).await).await;
    assert!(matches!(taken, Err(Error::Conflict { .. })), "{taken:?}");
    assert_eq!(
        value::<i64>(
            &database.pool(),
            "SELECT count(*) FROM usage_counters WHERE user_id = 'bob'"
        )
        .await,
        0
    );

    let tenantless = sqlx::query("SELECT charge_tool_call('tool', gen_random_uuid(), 100)")
        .execute(&database.pool_as("test_research"))
        .await;
    let refused = Error::from(tenantless.unwrap_err());
    assert!(
        matches!(&refused, Error::Refused { code, .. } if code == "NV003"),
        "{refused:?}"
    );

    run(
        &database.pool(),
        "UPDATE users SET erasing_since = now() WHERE user_id = 'alice'",
    )
    .await;
    let late = within(&store, &alice, async |tenant| tenant.charge(&charge).await).await;
    assert!(
        matches!(&late, Err(Error::Refused { code, .. }) if code == "NV005"),
        "{late:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counters_equal_the_rows_in_every_snapshot_of_random_charges_and_refunds() {
    let database = database().await;
    let store = many(&database);
    let over = Arc::new(AtomicBool::new(false));
    let checker = tokio::spawn({
        let (over, pool) = (Arc::clone(&over), database.pool());
        async move {
            let mut snapshots = 0;
            while !over.load(Ordering::Relaxed) {
                assert_eq!(
                    value::<i64>(&pool, "SELECT count(*) FROM usage_drift").await,
                    0
                );
                assert_eq!(
                    value::<i64>(&pool, "SELECT count(*) FROM usage_counters WHERE used > 25")
                        .await,
                    0
                );
                snapshots += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            snapshots
        }
    });
    // Few enough for the same call to be charged and given back at once.
    let calls: Arc<Vec<Uuid>> = Arc::new((0..48).map(|_| Uuid::now_v7()).collect());
    let mut clients = JoinSet::new();
    for client in 0..16_usize {
        let (store, calls) = (store.clone(), Arc::clone(&calls));
        clients.spawn(async move {
            let mut random = client.wrapping_mul(0x9E37_79B9) + 1;
            for _ in 0..60 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let calls = if client.is_multiple_of(2) {
                    &calls[..]
                } else {
                    &calls[..2]
                };
                let nth = (random >> 33) % calls.len();
                let user = user(if nth.is_multiple_of(3) {
                    "alice"
                } else {
                    "bob"
                });
                if (random >> 20).is_multiple_of(3) {
                    refund(&store, &user, calls[nth]).await;
                } else {
                    call(&store, &user, calls[nth], 25).await;
                }
            }
        });
    }
    clients.join_all().await;
    over.store(true, Ordering::Relaxed);
    assert!(checker.await.unwrap() > 10);
    let refunds: (i64, i64) = sqlx::query_as("SELECT (SELECT sum(refunded) FROM usage_counters)::bigint, (SELECT count(*) FROM tool_call_refunds)")
        .fetch_one(&database.pool())
        .await
        .unwrap();
    assert_eq!(refunds.0, refunds.1);
    assert!(refunds.1 > 0);
}
