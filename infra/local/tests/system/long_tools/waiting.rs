//! Providers that take their time.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::StatusCode;
use nova_testkit::{
    Gate,
    providers::{Effect, Fault},
};
use tokio::time::sleep;

use super::{table::LONG_TOOLS, world::World};

const CALLS: usize = 100;
/// How long a connection may be busy with one transaction.
const HELD: &str = "SELECT count(*) FROM pg_stat_activity
                     WHERE application_name = 'run_perplexity_research' AND state <> 'idle'
                       AND xact_start < clock_timestamp() - interval '300 ms'";
/// Those of the pool, and the one that hears for all who wait.
const CONNECTIONS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'run_perplexity_research'";
const UPLOAD: Duration = Duration::from_millis(50);
/// The machine may be busy with other things for a while; who is held up is so in each round.
const ROUNDS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_slow_answers_hold_no_connection_and_no_other_user_up() {
    let world = World::start().await;
    let tool = LONG_TOOLS
        .iter()
        .find(|it| it.name == "run_perplexity_research");
    let tool = tool.unwrap();
    let names: Vec<String> = (0..CALLS).map(|number| format!("slow-{number}")).collect();
    let calls = join_all(names.iter().map(|name| world.call(tool, name))).await;
    let gate = Gate::new();
    let hold = Fault::new(Effect::Hold(gate.clone())).on("slow-");
    world.perplexity.inject(hold.times(1000));

    let answers = join_all(calls.iter().map(|call| async {
        assert_eq!(call.answer().await["status"], "success", "{}", call.tag);
        call.is_accounted_for(tool.pieces).await;
    }));
    let meanwhile = async {
        let begun = Instant::now();
        while gate.held() < CALLS {
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "{} wait",
                gate.held()
            );
            sleep(Duration::from_millis(20)).await;
        }
        let count = async |query: &'static str| {
            let count = sqlx::query_scalar(query).fetch_one(&world.pool);
            let count: i64 = count.await.unwrap();
            count
        };
        for _ in 0..50 {
            assert_eq!(count(HELD).await, 0);
            sleep(Duration::from_millis(20)).await;
        }
        let connections = count(CONNECTIONS).await;
        assert!(connections <= 5, "{connections} for {CALLS} calls");
        let mut medians = Vec::new();
        while medians.iter().all(|median| *median >= UPLOAD) {
            assert!(medians.len() < ROUNDS, "{medians:?}");
            medians.push(median_upload(&world).await);
        }
        assert_eq!(gate.held(), CALLS, "all that time");
        eprintln!("uploads beside {CALLS} waiting calls: {medians:?}");
        gate.open();
    };
    tokio::join!(answers, meanwhile);
    world.system.local.stop().await;
}

async fn median_upload(world: &World) -> Duration {
    let mut times = Vec::new();
    for _ in 0..11 {
        let begun = Instant::now();
        let answer = world.system.post_guideline("bob", "# Of bob\n", &[]).await;
        times.push(begun.elapsed());
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    }
    times.sort();
    times[5]
}
