//! What agents read of long tools, at every stage.

use futures_util::future::join_all;
use nova_testkit::providers::{Effect, Fault};
use serde_json::{Value, json};

use super::{
    table::{Asked, LONG_TOOLS, LongTool, piece},
    world::World,
};
use crate::{
    mcp::{Agent, MODERN},
    mcp_schemas::Answers,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_a_long_tool_fits_its_schema() {
    let world = World::start_as(false).await;
    let is_paid = |tool: &&LongTool| matches!(tool.asked, Asked::Provider(_));
    let well = LONG_TOOLS.iter().map(|tool| answers(&world, tool, false));
    let fail = LONG_TOOLS.iter().filter(is_paid);
    let fail = fail.map(|tool| answers(&world, tool, true));
    let mut all = Answers::default();
    for (tool, result) in join_all(well.chain(fail)).await.iter().flatten() {
        all.add(tool, result);
    }
    all.fit().await;
    world.system.local.stop().await;
}

/// While it runs, and when it has ended: well, or with a piece that could not be had.
async fn answers(world: &World, tool: &LongTool, fails: bool) -> [(&'static str, Value); 2] {
    let call = world
        .call(tool, if fails { "fails" } else { "is-well" })
        .await;
    if let (true, Some(provider)) = (fails, call.provider()) {
        let last = piece(&call.word, tool.pieces - 1);
        provider.inject(Fault::new(Effect::Status(500)).on(last).times(1000));
    }
    let gate = call.hold_after(0).await;
    let agent = Agent::new(&world.system, &call.tag, MODERN);
    let params = json!({"name": tool.name, "arguments": call.arguments});
    let told = agent.send("tools/call", params, &[("x-nova-max-wait", "0")]);
    let running: Value = told.await.json();
    let status = |result: &Value| result["structuredContent"]["status"].clone();
    assert_eq!(status(&running["result"]), "running", "{}", call.tag);
    gate.open();
    let ended = loop {
        let result = agent.call(tool.name, call.arguments.clone()).await;
        if status(&result) != "running" {
            break result;
        }
    };
    assert_eq!(ended["isError"], false, "{}: {ended}", call.tag);
    let failures = ended["structuredContent"]["failures"].as_array();
    let failed = failures.is_some_and(|all| !all.is_empty());
    assert_eq!(failed, fails, "{}: {ended}", call.tag);
    [(tool.name, running["result"].clone()), (tool.name, ended)]
}
