//! What a connection costs: from the start of a process to its first row, each further connection,
//! and what the bridge adds to a query. Against a Cloud SQL that stands in for Google's, in this
//! process, on this machine; so there is no network in the figures. Google's own connectors for Python and
//! Node do the same beside ours, in turn, where they are installed (`make cloud-sql-python-connector
//! cloud-sql-node-connector`): what they take is the scale for what we take.
//!
//! `make bench` builds the example `probe` first, which is the process that is measured.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

mod programs;
mod wire;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use cloudsql_connector::{Connector, PgBridge, tokens};
use nova_testkit::{
    cloudsql::{Backend, CloudSql, Instance, Options},
    postgres::{Database, Postgres},
    usage::Usage,
};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgPool, postgres::PgConnectOptions};
use tokio::net::UnixStream;

use crate::{
    programs::{Costs, Program, openssl_key},
    wire::{ask, log_in},
};

const INSTANCE: &str = "proj:europe-west1:main";
const PRINCIPAL: &str = "nova@proj.iam.gserviceaccount.com";
const USER: &str = "nova@proj.iam";
/// Runs of our process; medians are told. Most of a run is the search for the key's two primes, whose
/// luck differs by half of it: so many runs are needed for a mean that stays.
const ROUNDS: usize = 45;
/// Connections after the first. What the luck of finding primes adds to a run is spread over them.
const FURTHER: usize = 100;
const QUERIES: usize = 5000;
const ROWS_MIB: usize = 64;

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo test --benches` only wants to know that it starts.
    if std::env::args().any(|it| it == "--test") {
        return Ok(());
    }
    let world = World::start().await?;
    let mut figures = world.processes().await?;
    figures.extend(world.bridge().await?);
    println!("{:<44} {:>10} {:>10}", "", "median", "target");
    for figure in &figures {
        println!(
            "{:<44} {:>10.2} {:>10}",
            figure["what"].as_str().unwrap_or_default(),
            figure["median"].as_f64().unwrap_or_default(),
            figure["target"].as_str().unwrap_or_default(),
        );
    }
    let folder = target()?.join("bench");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("connector.json");
    std::fs::write(&file, serde_json::to_vec_pretty(&figures)?)?;
    println!("written to {}", file.display());
    Ok(())
}

struct World {
    cloud: CloudSql,
    _instance: Instance,
    database: Database,
}

fn figure(what: &str, mut samples: Vec<f64>, target: &str) -> Value {
    samples.sort_by(f64::total_cmp);
    let median = samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN);
    json!({"what": what, "median": median, "target": target, "samples": samples})
}

/// The system counts processor time in steps of 10 ms: the mean says more than the median.
fn mean(samples: &[f64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let count = samples.len() as f64;
    samples.iter().sum::<f64>() / count
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl World {
    async fn start() -> Result<Self> {
        let database = Postgres::shared()
            .await
            .database("bench", async |url| {
                let pool = PgPool::connect(&url).await?;
                let role = format!("create role \"{USER}\" login");
                sqlx::raw_sql(sqlx::AssertSqlSafe(role))
                    .execute(&pool)
                    .await?;
                Ok(())
            })
            .await;
        let cloud = CloudSql::start().await?;
        cloud.principal(PRINCIPAL)?;
        let options = Options {
            backend: Backend::Unix(database.socket()),
            iam_users: vec![USER.to_owned()],
            ..Options::default()
        };
        let instance = cloud.instance(INSTANCE, options).await?;
        Ok(Self {
            cloud,
            _instance: instance,
            database,
        })
    }

    fn name(&self) -> Result<String> {
        let options: PgConnectOptions = self.database.url.parse()?;
        let name = options.get_database().context("a database has a name")?;
        Ok(name.to_owned())
    }

    /// Every connector's process in turn, so that a slow minute of the machine is slow for all.
    async fn processes(&self) -> Result<Vec<Value>> {
        let mut costs: Vec<(Program, Costs)> = Program::ALL
            .into_iter()
            .filter(|program| program.is_installed())
            .map(|program| (program, Costs::default()))
            .collect();
        for round in 0..ROUNDS {
            for (program, costs) in &mut costs {
                if round < program.rounds() {
                    let first = Usage::of(&mut program.command(self, 1)?).await?;
                    let further = Usage::of(&mut program.command(self, 1 + FURTHER)?).await?;
                    costs.add(&first, &further);
                }
            }
        }
        // What part of it every connector has: the key's two primes have to be found, the server has to
        // start a process. Machines differ in these by a factor of ten.
        let mut keys = vec![];
        for _ in 0..ROUNDS {
            keys.extend(openssl_key().await);
        }
        let mut plain = vec![];
        for _ in 0..FURTHER {
            let started = Instant::now();
            let connection = sqlx::PgConnection::connect(&self.database.url).await?;
            plain.push(milliseconds(started.elapsed()));
            connection.close().await?;
        }
        let mut figures: Vec<Value> = costs
            .into_iter()
            .flat_map(|(program, costs)| costs.figures(program))
            .collect();
        figures.push(figure(
            "`openssl genrsa 2048`, CPU ms (mean)",
            vec![mean(&keys)],
            "",
        ));
        figures.push(figure(
            "a connection without connector and TLS, ms",
            plain,
            "",
        ));
        Ok(figures)
    }

    async fn bridge(&self) -> Result<Vec<Value>> {
        let connector = Connector::builder()
            .endpoint(self.cloud.url())
            .tokens(tokens::credentials_file(self.cloud.key_file())?)
            .iam_login(true)
            .build()?;
        let bridge = PgBridge::start(&connector, INSTANCE)?;
        let socket = bridge.options(USER).get_socket().cloned();
        let socket = socket.context("a bridge has a socket")?;
        let socket = socket.join(".s.PGSQL.5432");
        let mut direct = connector.connect(INSTANCE).await?;
        let mut bridged = UnixStream::connect(socket).await?;
        log_in(&mut direct, USER, &self.name()?).await?;
        log_in(&mut bridged, USER, &self.name()?).await?;

        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..QUERIES {
            without.push(ask(&mut direct, "select 1").await?.0.as_secs_f64() * 1e6);
            with.push(ask(&mut bridged, "select 1").await?.0.as_secs_f64() * 1e6);
        }
        let rows = format!(
            "select repeat('x', 1000) from generate_series(1, {})",
            ROWS_MIB << 10
        );
        let (mut fast, mut bridged_fast) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            fast.push(rate(ask(&mut direct, &rows).await?));
            bridged_fast.push(rate(ask(&mut bridged, &rows).await?));
        }
        let without = figure("select 1 over the stream, us", without, "");
        let with = figure("select 1 over the bridge, us", with, "");
        let added = with["median"].as_f64().unwrap_or_default()
            - without["median"].as_f64().unwrap_or_default();
        Ok(vec![
            without,
            with,
            figure("added by the bridge, us", vec![added], "25"),
            figure("64 MiB of rows over the stream, MiB/s", fast, ""),
            figure("64 MiB of rows over the bridge, MiB/s", bridged_fast, ""),
        ])
    }
}

fn rate((took, bytes): (Duration, usize)) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "some millions")]
    let mebibytes = bytes as f64 / 1_048_576.0;
    mebibytes / took.as_secs_f64()
}

/// The folder that builds go to: this program is in `<target>/release/deps`.
fn target() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(3).map(Path::to_path_buf);
    target.context("this program is in no target folder")
}
