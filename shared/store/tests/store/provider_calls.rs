//! Receipts: each once, whatever it says, and for nobody but who paid.

use std::time::Duration;

use nova_store::{CallOutcome, CallUsage, CalledFor, ProviderCall, Spent};
use uuid::Uuid;

use crate::support::{article, database, provider_call, run, store, user, value, within};

fn called_for(article: Uuid) -> CalledFor<'static> {
    CalledFor {
        article,
        job: Uuid::now_v7(),
        tool: "tool",
        position: 2,
    }
}

#[tokio::test]
async fn a_receipt_is_one_row_however_often_it_is_kept_and_says_what_was_told() {
    let database = database().await;
    let (tools, alice) = (store(&database, "research"), user("alice"));
    let article = article(&store(&database, "upload"), &alice).await;
    let told = provider_call(CallUsage {
        prompt_tokens: Some(900),
        output_tokens: Some(80),
        thought_tokens: Some(20),
        cost_micros: Some(12_500),
        credits: None,
    });
    let silent = ProviderCall {
        model: None,
        outcome: CallOutcome::Unreachable,
        ..provider_call(CallUsage::default())
    };
    let called_for = called_for(article);
    for calls in [vec![told.clone()], vec![told.clone(), silent]] {
        within(&tools, &alice, async |t| {
            t.keep_calls(called_for, &calls).await
        })
        .await
        .unwrap();
    }
    let spent = within(&tools, &alice, async |t| t.spent_on(article).await).await;
    let of = |model: Option<&str>| Spent {
        provider: "Example".to_owned(),
        model: model.map(str::to_owned),
        calls: 1,
        prompt_tokens: 0,
        output_tokens: 0,
        cost_micros: 0,
        credits: 0,
        untold: 1,
    };
    let spent = spent.unwrap();
    assert_eq!(Spent::silent(&spent), ["Example"]);
    assert_eq!(
        spent,
        [
            Spent {
                prompt_tokens: 900,
                output_tokens: 100,
                cost_micros: 12_500,
                untold: 0,
                ..of(Some("model-1"))
            },
            of(None)
        ]
    );
    let sql = database.pool();
    let kept: bool = value(
        &sql,
        "SELECT (outcome, duration_ms, item_position, tool) = ('unreachable', 1500, 2, 'tool')
                AND num_nulls(prompt_tokens, output_tokens, thought_tokens, cost_micros, credits) = 5
           FROM provider_calls WHERE model IS NULL",
    )
    .await;
    assert!(kept, "what was not told is not zero");
}

#[tokio::test]
async fn operators_see_by_month_what_was_told_and_nothing_that_was_not() {
    let database = database().await;
    let tools = store(&database, "research");
    for name in ["alice", "bob"] {
        let told = CallUsage {
            prompt_tokens: Some(100),
            output_tokens: Some(8),
            thought_tokens: Some(2),
            ..CallUsage::default()
        };
        let cut = ProviderCall {
            outcome: CallOutcome::Cut,
            ..provider_call(told)
        };
        let calls = [provider_call(told), cut];
        within(&tools, &user(name), async |t| {
            t.keep_calls(called_for(Uuid::now_v7()), &calls).await
        })
        .await
        .unwrap();
    }
    // The last moment of a month in UTC is the next month elsewhere.
    run(
        &database.pool(),
        "UPDATE provider_calls SET created_at = '2026-01-31 23:59:59+00' WHERE user_id = 'bob'",
    )
    .await;
    let rows = store(&database, "analytics").provider_costs(10).await;
    let rows = rows.unwrap();
    assert_eq!(rows.len(), 2, "{rows:?}");
    let row = &rows[1];
    assert_eq!(row.year_month, "2026-01");
    assert_eq!((row.calls, row.answered), (2, 1));
    assert_eq!(
        (row.prompt_tokens, row.output_tokens),
        (Some(200), Some(20))
    );
    assert_eq!((row.cost_micros, row.credits), (None, None), "not told");
}

#[tokio::test]
async fn every_outcome_and_any_number_can_be_kept() {
    let database = database().await;
    let (tools, alice) = (store(&database, "research"), user("alice"));
    let calls: Vec<ProviderCall> = CallOutcome::ALL
        .iter()
        .map(|&outcome| ProviderCall {
            outcome,
            duration: Duration::MAX,
            ..provider_call(CallUsage {
                credits: Some(u64::MAX),
                ..CallUsage::default()
            })
        })
        .collect();
    within(&tools, &alice, async |t| {
        t.keep_calls(called_for(Uuid::now_v7()), &calls).await
    })
    .await
    .unwrap();
    let outcomes: Vec<String> = value(
        &database.pool(),
        "SELECT array_agg(outcome::text ORDER BY id) FROM provider_calls WHERE credits = 9223372036854775807",
    )
    .await;
    let all: Vec<&str> = CallOutcome::ALL.iter().map(|it| it.as_str()).collect();
    assert_eq!(outcomes, all);
}

#[tokio::test]
async fn nobody_learns_what_another_paid_and_it_outlives_the_article() {
    let database = database().await;
    let (tools, alice, bob) = (store(&database, "research"), user("alice"), user("bob"));
    let article = article(&store(&database, "upload"), &alice).await;
    let calls = [provider_call(CallUsage::default())];
    within(&tools, &alice, async |t| {
        t.keep_calls(called_for(article), &calls).await
    })
    .await
    .unwrap();
    let theirs = within(&tools, &bob, async |t| t.spent_on(article).await).await;
    assert_eq!(theirs.unwrap(), []);
    let articles = store(&database, "articles");
    within(&articles, &alice, async |t| t.delete_article(article).await)
        .await
        .unwrap();
    let left: i64 = value(&database.pool(), "SELECT count(*) FROM provider_calls").await;
    assert_eq!(left, 1);
}
