//! Providers that are not well, and a database that goes away.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::Method;
use nova_testkit::providers::{Effect, Fault};
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    table::{Asked, LONG_TOOLS, LongTool, piece},
    world::{Call, World},
};
use crate::system::later_by;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_killed_in_the_middle_costs_nothing() {
    let world = World::start().await;
    let begun = LONG_TOOLS.iter().map(|tool| async {
        let before = 1.min(tool.pieces - 1);
        let call = world.call(tool, "restarted").await;
        let gate = call.hold_after(before).await;
        let job = call.begin().await;
        let waits = tool.at_once.min(tool.pieces - before);
        call.reaches(job, before, &gate, waits).await;
        (call, gate)
    });
    let begun = join_all(begun).await;
    world.restart_database().await;
    let end = begun.iter().map(|(call, gate)| async {
        gate.open();
        assert_eq!(call.answer().await["status"], "success", "{}", call.tag);
        call.is_accounted_for(call.tool.pieces).await;
    });
    join_all(end).await;
    world.system.local.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_provider_refuses_for_now_is_asked_again_and_what_it_never_gives_costs_that_piece_only()
 {
    let world = World::start().await;
    let tools = LONG_TOOLS.iter();
    let tools = tools.filter(|tool| matches!(tool.asked, Asked::Provider(_)));
    join_all(tools.map(|tool| one_piece_of_all_fails(&world, tool))).await;
    world.system.local.stop().await;
}

async fn one_piece_of_all_fails(world: &World, tool: &LongTool) {
    let call = world.call(tool, "faults").await;
    let (provider, last) = (call.provider().unwrap(), tool.pieces - 1);
    let on = |fault: Effect, number| Fault::new(fault).on(piece(&call.word, number));
    provider.inject(on(Effect::RetryAfter(429, 0), 0));
    provider.inject(on(Effect::CutBefore, 0));
    provider.inject(on(Effect::Status(503), 1));
    provider.inject(on(Effect::Status(500), last).times(1000));
    let answer = call.answer().await;
    call.is_accounted_for(last).await;
    let failures = answer["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{answer}");
    let failure = failures[0].to_string();
    for words in [&*piece(&call.word, last), "500", "tried 4 times"] {
        assert!(failure.contains(words), "{words}: {failure}");
    }
    let asked = |number| {
        let name = piece(&call.word, number);
        let received = provider.received();
        received.iter().filter(|it| it.mentions(&name)).count()
    };
    assert_eq!([asked(0), asked(1), asked(last)], [3, 2, 4], "{}", call.tag);
    let again: Value = call.answer().await;
    assert_eq!(again, answer, "the answer of then: {}", call.tag);
}

/// Nobody waits here for as long as providers may take: once nothing but what hangs is waited for,
/// more than that is over at once. It takes one thread, which all functions share.
#[tokio::test]
async fn what_hangs_once_is_asked_for_again_and_what_always_hangs_costs_that_piece_only() {
    let world = World::start_as(false).await;
    let tools = LONG_TOOLS.iter();
    for tool in tools.filter(|tool| matches!(tool.asked, Asked::Provider(_))) {
        one_piece_of_all_hangs(&world, tool).await;
    }
    world.system.local.stop().await;
}

async fn one_piece_of_all_hangs(world: &World, tool: &LongTool) {
    let call = world.call(tool, "hangs").await;
    let (provider, last) = (call.provider().unwrap(), tool.pieces - 1);
    let on = |number| Fault::new(Effect::Hang).on(piece(&call.word, number));
    provider.inject(on(0));
    provider.inject(on(last).times(1000));
    let asked = |number| {
        let name = piece(&call.word, number);
        let received = provider.received();
        received.iter().filter(|it| it.mentions(&name)).count()
    };
    let job = call.begin().await;
    let mut waited_for = 0;
    while !is_over(&call, job, || asked(0).min(1) + asked(last) > waited_for).await {
        waited_for = asked(0).min(1) + asked(last);
        later_by(LONGEST_CALL).await;
    }
    let answer = call.answer().await;
    call.is_accounted_for(last).await;
    assert_eq!([asked(0), asked(last)], [2, 2], "{}", call.tag);
    let failures = answer["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{answer}");
    let failure = failures[0].to_string();
    for words in [&*piece(&call.word, last), "tried 2 times"] {
        assert!(failure.contains(words), "{words}: {failure}");
    }
}

/// More than any provider may take.
const LONGEST_CALL: Duration = Duration::from_secs(241);

/// Waits until the job has ended, or something hangs and all else has come to rest.
async fn is_over(call: &Call<'_>, job: Uuid, hangs: impl Fn() -> bool) -> bool {
    let (begun, mut before) = (Instant::now(), Value::Null);
    loop {
        let seen = call.job(job, Method::GET).await;
        if !seen["finished_at"].is_null() {
            return true;
        }
        let received = call.provider().unwrap().received().len();
        let now = serde_json::json!([received, seen["done"]]);
        if now == before && hangs() {
            return false;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{seen}");
        before = now;
        sleep(Duration::from_millis(300)).await;
    }
}
