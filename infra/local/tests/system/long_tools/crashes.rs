//! Workers that die, are too many, or are told to stop.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    table::{LONG_TOOLS, LongTool},
    world::World,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_its_workers_a_job_is_done_once_and_paid_once() {
    let world = World::start().await;
    let tools = LONG_TOOLS.iter().map(|tool| async {
        let last = tool.pieces - 1;
        for before in BTreeSet::from([0, 1.min(last), last]) {
            a_killed_worker_costs_nothing_twice(&world, tool, before).await;
        }
        ten_calls_are_one_job(&world, tool).await;
        a_cancelled_job_keeps_what_is_done(&world, tool).await;
        two_instances_do_a_job_once(&world, tool).await;
    });
    join_all(tools).await;
    world.system.local.stop().await;
}

async fn a_killed_worker_costs_nothing_twice(world: &World, tool: &LongTool, before: usize) {
    let call = world.call(tool, &format!("killed-after-{before}")).await;
    let gate = call.hold_after(before).await;
    let job = call.begin().await;
    let waits = tool.at_once.min(tool.pieces - before);
    call.reaches(job, before, &gate, waits).await;
    world.system.local.kill(tool.name).await.unwrap();
    gate.open();
    world.system.local.start_one(tool.name).await.unwrap();
    call.worker_is_given_up(job).await;
    assert_eq!(call.answer().await["status"], "success", "{}", call.tag);
    call.is_accounted_for(tool.pieces).await;
}

async fn ten_calls_are_one_job(world: &World, tool: &LongTool) {
    let call = world.call(tool, "ten-calls").await;
    let answers: Vec<Value> = join_all((0..10).map(|_| call.answer())).await;
    for answer in &answers {
        assert_eq!(answer, &answers[0], "{}", call.tag);
    }
    call.is_accounted_for(tool.pieces).await;
}

/// What is being fetched when the worker hears of it is paid for, and kept; nothing else is begun.
async fn a_cancelled_job_keeps_what_is_done(world: &World, tool: &LongTool) {
    let before = 1.min(tool.pieces - 1);
    let begun = before + tool.at_once.min(tool.pieces - before);
    let call = world.call(tool, "cancelled").await;
    let gate = call.hold_after(before).await;
    let job = call.begin().await;
    call.reaches(job, before, &gate, begun - before).await;
    let told = call.job(job, Method::DELETE).await;
    assert_eq!(told["cancel_requested"], true, "{told}");
    // Its worker hears of it when it next says that it is alive.
    call.worker_has_spoken(job).await;
    gate.open();
    let ended = call.end_of(job).await;
    call.is_accounted_for(begun).await;
    if begun < tool.pieces {
        assert_eq!(
            (&ended["status"], &ended["done"]),
            (&json!("cancelled"), &json!(begun)),
            "{ended}"
        );
    } else {
        // There was nothing left to stop.
        assert_eq!(ended["status"], "succeeded", "{ended}");
    }
}

async fn two_instances_do_a_job_once(world: &World, tool: &LongTool) {
    let local = &world.system.local;
    local.start_one(tool.name).await.unwrap();
    let call = world.call(tool, "two-instances").await;
    let gate = call.hold_after(0).await;
    let job = call.begin().await;
    let rings = join_all((0..6).map(|_| local.ring(tool.name, job)));
    let opens = async {
        call.reaches(job, 0, &gate, tool.at_once.min(tool.pieces))
            .await;
        // A second worker would have asked by now.
        sleep(Duration::from_millis(300)).await;
        assert_eq!(gate.held(), tool.at_once.min(tool.pieces), "{}", call.tag);
        gate.open();
    };
    let (rings, ()) = tokio::join!(rings, opens);
    assert!(rings.iter().all(|it| *it == StatusCode::OK), "{rings:?}");
    assert_eq!(call.answer().await["status"], "success", "{}", call.tag);
    call.is_accounted_for(tool.pieces).await;
}
