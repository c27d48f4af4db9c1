//! The program killed without a word, again and again, and started again.
//!
//! A point is the next but so-many-th request to one of those whom the program asks, drawn by chance:
//! the request is held there, and the program killed. So it dies wherever it waits for an answer, which
//! is nearly all of its time, and between all that it keeps. What is left out is the moment in which an
//! answer that was paid for is on its way to the database: no provider gives that a second time.

use nova_local::demo::providers::World;
use nova_runtime::Environment;
use nova_testkit::{
    Gate, objects,
    objects::Action,
    providers::{Effect, Fault},
};
use tokio::time::{Duration, Instant, sleep};

use super::world::{Alone, Ledger};

const KILLS: usize = 20;
/// Requests to the same that pass before one is held: from 0.
const PASS: u64 = 4;
const PATIENCE: Duration = Duration::from_mins(2);

/// Numbers by chance, the same again for the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// `NOVA_SEED`, or another one each time.
fn seed() -> u64 {
    let said = Environment::of_process();
    let said = said.get("NOVA_SEED").and_then(|seed| seed.parse().ok());
    said.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.unwrap().as_secs()
    })
}

/// Holds a request to somebody, drawn by chance; gives the gate, and who it is.
fn hold(alone: &Alone, chance: &mut Chance) -> (Gate, String) {
    let gate = Gate::new();
    let pass = u32::try_from(chance.below(PASS)).unwrap();
    let all = alone.providers.all();
    let nth = usize::try_from(chance.below(all.len() as u64 + 1)).unwrap();
    let who = if let Some((name, provider)) = all.get(nth) {
        provider.inject(Fault::new(Effect::Hold(gate.clone())).after(pass));
        name
    } else {
        let hold = objects::Fault::new(objects::Effect::Hold(gate.clone()));
        let hold = hold.on(Action::Download).after(pass);
        alone.objects.inject(hold);
        "the bucket"
    };
    (gate, format!("{who} + {pass}"))
}

/// What comes of a run that nobody disturbs, and of one that was killed and went on.
struct Came {
    document: String,
    paid: Ledger,
    charged: i64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_twenty_points_and_started_again_it_makes_the_same_document_and_pays_once() {
    let seed = seed();
    let mut chance = Chance(seed);
    let alone = Alone::start(World::Paid, "kills").await;
    let (code, result, said) = alone.run("undisturbed", &[]).await;
    assert_eq!(code, 0, "{result} {said}");
    let expected = Came {
        document: alone.document("undisturbed"),
        paid: alone.paid_since(
            &alone
                .paid()
                .keys()
                .map(|name| (*name, Vec::new()))
                .collect(),
        ),
        charged: alone.charged("undisturbed").await,
    };
    assert!(
        expected.paid["Perplexity"].len() == 9,
        "{:?}",
        expected.paid
    );

    let (mut points, mut articles) = (Vec::new(), 0);
    let (mut gate, mut point) = hold(&alone, &mut chance);
    while points.len() < KILLS {
        articles += 1;
        let (user, before) = (format!("killed-{articles}"), alone.paid());
        let context = |points: &[String]| format!("NOVA_SEED={seed} {user} {points:?}");
        loop {
            let mut child = alone.begin(&user);
            let deadline = Instant::now() + PATIENCE;
            let ended = loop {
                if gate.held() > 0 {
                    alone.what_was_paid_is_kept().await;
                    child.kill().await.unwrap();
                    break None;
                }
                if let Some(status) = child.try_wait().unwrap() {
                    break Some(status);
                }
                assert!(Instant::now() < deadline, "{}", context(&points));
                sleep(Duration::from_millis(2)).await;
            };
            if let Some(status) = ended {
                assert!(status.success(), "{status}: {}", context(&points));
                break;
            }
            points.push(std::mem::take(&mut point));
            alone.the_dead_are_given_up().await;
            if points.len() < KILLS {
                (gate, point) = hold(&alone, &mut chance);
            } else {
                gate = Gate::new();
            }
        }
        let came = Came {
            document: alone.document(&user),
            paid: alone.paid_since(&before),
            charged: alone.charged(&user).await,
        };
        let context = context(&points);
        let (paid, charged) = (&expected.paid, expected.charged);
        assert_eq!((&came.paid, came.charged), (paid, charged), "{context}");
        assert!(
            came.document == expected.document,
            "{context}: {}",
            came.document
        );
    }
    println!("NOVA_SEED={seed}: {articles} articles, killed at {points:?}");
}
