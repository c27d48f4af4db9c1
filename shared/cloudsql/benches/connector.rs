//! What a connection costs: from the start of a process to its first row, each further connection,
//! and what the bridge adds to a query. Against a Cloud SQL that stands in for Google's, in this
//! process, on this machine; so there is no network in the figures.
//!
//! `make bench` builds the example `probe` first, which is the process that is measured.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use cloudsql_connector::{Connector, PgBridge, tokens};
use nova_testkit::{
    cloudsql::{Backend, CloudSql, Instance, Options},
    postgres::{Database, Postgres},
};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgPool, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::UnixStream,
    process::Command,
};

const INSTANCE: &str = "proj:europe-west1:main";
const PRINCIPAL: &str = "nova@proj.iam.gserviceaccount.com";
const USER: &str = "nova@proj.iam";
/// Runs of each process; medians are told.
const PROCESSES: usize = 15;
/// Connections after the first.
const FURTHER: usize = 20;
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

    /// Starts the probe, and gives its time, its processor time and its memory in MiB.
    async fn probe(&self, connections: usize) -> Result<(Duration, Duration, f64)> {
        let program = target()?.join("release/examples/probe");
        ensure!(
            program.is_file(),
            "{} is missing: `make bench` builds it",
            program.display()
        );
        let before = children_cpu()?;
        let started = Instant::now();
        let mut child = Command::new(program)
            .env_clear()
            .env("CSQL_ENDPOINT", self.cloud.url())
            .env("CSQL_INSTANCE", INSTANCE)
            .env("CSQL_USER", PRINCIPAL)
            .env("CSQL_DB", self.name()?)
            .env("CSQL_IAM", "1")
            .env("CSQL_SEQUENTIAL", "1")
            .env("CSQL_CONNECTIONS", connections.to_string())
            .env("GOOGLE_APPLICATION_CREDENTIALS", self.cloud.key_file())
            .stdout(Stdio::piped())
            .spawn()?;
        let id = child.id().context("the probe has ended already")?;
        let mut peak = 0.0_f64;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                () = tokio::time::sleep(Duration::from_millis(2)) => {
                    peak = peak.max(resident_mib(id).unwrap_or_default());
                }
            }
        };
        let took = started.elapsed();
        ensure!(status.success(), "the probe failed");
        Ok((took, children_cpu()?.saturating_sub(before), peak))
    }

    async fn processes(&self) -> Result<Vec<Value>> {
        let (mut wall, mut cpu, mut memory, mut further) = (vec![], vec![], vec![], vec![]);
        for _ in 0..PROCESSES {
            let (took, used, peak) = self.probe(1).await?;
            let (longer, ..) = self.probe(1 + FURTHER).await?;
            wall.push(milliseconds(took));
            cpu.push(milliseconds(used));
            memory.push(peak);
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            further.push(milliseconds(longer.saturating_sub(took)) / FURTHER as f64);
        }
        // The system counts processor time in steps of 10 ms: the mean says more than the median.
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let mean = |samples: &[f64]| samples.iter().sum::<f64>() / samples.len() as f64;
        // What part of it every connector has: the key's two primes have to be found, the server has to
        // start a process. Machines differ in these by a factor of ten.
        let mut keys = vec![];
        for _ in 0..PROCESSES {
            keys.extend(openssl_key().await?);
        }
        let mut plain = vec![];
        for _ in 0..FURTHER {
            let started = Instant::now();
            let connection = sqlx::PgConnection::connect(&self.database.url).await?;
            plain.push(milliseconds(started.elapsed()));
            connection.close().await?;
        }
        Ok(vec![
            figure("process start to first row and exit, ms", wall, ""),
            figure("the same, CPU ms (mean)", vec![mean(&cpu)], "90"),
            figure(
                "  `openssl genrsa 2048`, CPU ms (mean)",
                vec![mean(&keys)],
                "",
            ),
            figure("peak memory, MiB", memory, "12"),
            figure("each further connection, ms", further, "4"),
            figure("  one without connector and TLS, ms", plain, ""),
        ])
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
        log_in(&mut direct, &self.name()?).await?;
        log_in(&mut bridged, &self.name()?).await?;

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

async fn log_in(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), database: &str) -> Result<()> {
    let content = format!("\0\u{3}\0\0user\0{USER}\0database\0{database}\0\0");
    let length = u32::try_from(content.len() + 4)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(content.as_bytes()).await?;
    stream.flush().await?;
    until_ready(stream).await.map(drop)
}

/// Asks, and reads the answer to its end; gives the time and the bytes.
async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    query: &str,
) -> Result<(Duration, usize)> {
    let started = Instant::now();
    let mut message = vec![b'Q'];
    message.extend_from_slice(&u32::try_from(query.len() + 5)?.to_be_bytes());
    message.extend_from_slice(query.as_bytes());
    message.push(0);
    stream.write_all(&message).await?;
    stream.flush().await?;
    let bytes = until_ready(stream).await?;
    Ok((started.elapsed(), bytes))
}

/// Reads until the server is ready for the next query, 64 KiB at a time.
async fn until_ready(stream: &mut (impl AsyncRead + Unpin)) -> Result<usize> {
    let mut buffer = vec![0; 64 * 1024];
    let (mut total, mut tail) = (0, Vec::new());
    loop {
        let read = stream.read(&mut buffer).await?;
        ensure!(read > 0, "the server hung up");
        total += read;
        tail.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let surplus = tail.len().saturating_sub(6);
        tail.drain(..surplus);
        // ReadyForQuery, outside a transaction.
        if tail == [b'Z', 0, 0, 0, 5, b'I'] {
            return Ok(total);
        }
    }
}

/// Processor time in milliseconds of making a key of the same size by another program, if it is there.
async fn openssl_key() -> Result<Option<f64>> {
    let before = children_cpu()?;
    let mut openssl = Command::new("openssl");
    openssl.args(["genrsa", "2048"]);
    match openssl.output().await {
        Ok(done) if done.status.success() => {
            Ok(Some(milliseconds(children_cpu()?.saturating_sub(before))))
        }
        _ => Ok(None),
    }
}

/// Processor time of children that have ended.
fn children_cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').context("no name in stat")?.1;
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(13)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}

fn resident_mib(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

/// The folder that builds go to: this program is in `<target>/release/deps`.
fn target() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(3).map(Path::to_path_buf);
    target.context("this program is in no target folder")
}
