//! Brings a database to this build's schema, and back.
//!
//! [`Migrator`] runs the numbered SQL files of `migrations/` over one direct session. Any number of
//! runners may start at once: one works, the others wait without holding anything and then find
//! the work done. What a crash leaves behind, the next run repairs.
//!
//! Where to read on: [`mod@file`] is the format of a migration, [`plan`] decides what to run, [`step`]
//! runs it and [`alone`] runs what cannot be in a transaction, [`history`] is what the database
//! remembers, [`lock`] keeps runners apart, [`check`] compares the live schema with the committed
//! one, [`grants`] lets functions log in.
//!
//! The engine's queries are not checked at compile time: they read catalogues and a table that it
//! makes itself, on databases in any state.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sqlx::postgres::PgConnectOptions;
pub use sqlx::postgres::PgConnectOptions as ConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::watch;

mod alone;
mod baseline;
mod bootstrap;
pub mod check;
mod embedded;
mod error;
pub mod file;
pub mod grants;
pub mod history;
pub mod local;
mod lock;
pub mod plan;
mod preview;
mod session;
mod statements;
mod status;
mod step;
mod wait;

pub use self::check::Difference;
pub use self::embedded::{MIGRATIONS, SCHEMA};
pub use self::error::Error;
pub use self::file::{Migration, Source};
use self::history::Record;
use self::plan::{Direction, Plan, Step};
pub use self::preview::Rehearsal;
pub use self::status::Status;
pub use self::wait::Stop;

/// The role that owns every object; nobody logs in as it.
pub const OWNER: &str = "nova_owner";

/// Runs migrations on one database.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use nova_store::migrate::Migrator;
///
/// let report = Migrator::new("postgres://localhost/nova".parse()?).up(None).await?;
/// assert!(report.newer.is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Migrator {
    sources: Vec<Source>,
    settings: Settings,
}

/// What every part of the engine needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    options: PgConnectOptions,
    connect_timeout: Duration,
    lock_timeout: Duration,
    hold_back_contract: bool,
    stop: Stop,
    progress: Progress,
}

/// Where progress lines go; nowhere unless [`Migrator::progress`] says so.
#[derive(Clone)]
struct Progress(Option<Arc<Listener>>);

type Listener = dyn Fn(&str) + Send + Sync;

impl Progress {
    fn say(&self, line: &str) {
        if let Some(listener) = &self.0 {
            listener(line);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() {
            "Progress(..)"
        } else {
            "Progress(none)"
        })
    }
}

/// What a run did.
#[derive(Debug, Clone)]
pub struct Report {
    /// The version of the database afterwards.
    pub version: i32,
    /// The migrations that this run applied or took back, with what each took.
    pub steps: Vec<(String, Duration)>,
    /// Which way it went.
    pub direction: Direction,
    /// What a newer build did to this database; it was left alone.
    pub newer: Vec<Record>,
    /// The contract migration before which the run stopped, because it was told to.
    pub held_back: Option<String>,
    /// The whole run, connecting and waiting included.
    pub elapsed: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, steps, .. } = self;
        let done = match self.direction {
            Direction::Up => "applied",
            Direction::Down => "taken back",
        };
        if steps.is_empty() {
            write!(formatter, "version {version:04}, nothing to do")?;
        } else {
            let seconds = self.elapsed.as_secs_f64();
            write!(
                formatter,
                "version {version:04}, {} {done} in {seconds:.1} s",
                steps.len()
            )?;
        }
        if let Some(newest) = self.newer.last() {
            write!(
                formatter,
                "; a newer build brought {}, which this build leaves alone",
                newest.name
            )?;
        }
        if let Some(held_back) = &self.held_back {
            write!(
                formatter,
                "; stopped before {held_back}, which needs all older code gone"
            )?;
        }
        Ok(())
    }
}

/// What `up` and `down` were asked for.
#[derive(Debug, Clone, Copy)]
enum Goal {
    Up { to: Option<i32> },
    Down { to: i32 },
}

impl Migrator {
    /// Runs this build's migrations on the database that `options` name.
    pub fn new(options: PgConnectOptions) -> Self {
        Self::with(options, MIGRATIONS.to_vec())
    }

    /// Runs a list of one's own.
    pub fn with(options: PgConnectOptions, sources: Vec<Source>) -> Self {
        let (_, never) = watch::channel(false);
        let settings = Settings {
            options,
            connect_timeout: Duration::from_mins(1),
            lock_timeout: Duration::from_mins(10),
            hold_back_contract: false,
            stop: never,
            progress: Progress(None),
        };
        Self { sources, settings }
    }

    /// How long to try while the database is away or starting; a minute unless said otherwise.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.settings.connect_timeout = limit;
        self
    }

    /// How long to wait for other runners, and in each migration for tables that are in use; ten
    /// minutes unless said otherwise.
    #[must_use]
    pub fn lock_timeout(mut self, limit: Duration) -> Self {
        self.settings.lock_timeout = limit;
        self
    }

    /// Stops `up` before the first migration that older code would not survive.
    #[must_use]
    pub fn hold_back_contract(mut self, hold_back: bool) -> Self {
        self.settings.hold_back_contract = hold_back;
        self
    }

    /// Stops between two steps, or in any wait, once `stop` turns true.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.settings.stop = stop;
        self
    }

    /// Sends one line for each thing that happens to `listener`.
    #[must_use]
    pub fn progress(mut self, listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.settings.progress = Progress(Some(Arc::new(listener)));
        self
    }

    /// Applies what is missing, as far as version `to` or this build's newest.
    pub fn up(&self, to: Option<i32>) -> BoxFuture<'_, Result<Report, Error>> {
        Box::pin(self.reach(Goal::Up { to }))
    }

    /// Takes back everything above version `to`; 0 takes back everything.
    pub fn down(&self, to: i32) -> BoxFuture<'_, Result<Report, Error>> {
        Box::pin(self.reach(Goal::Down { to }))
    }

    async fn reach(&self, goal: Goal) -> Result<Report, Error> {
        let migrations = Migration::list(&self.sources)?;
        let mut connection = session::open(&self.settings).await?;
        let report = self.run(&mut connection, &migrations, goal).await;
        close(connection).await;
        report
    }

    async fn run(
        &self,
        connection: &mut PgConnection,
        migrations: &[Migration],
        goal: Goal,
    ) -> Result<Report, Error> {
        let settings = &self.settings;
        let started = Instant::now();
        let mut plan = self.plan(connection, migrations, goal).await?;
        let mut steps = Vec::with_capacity(plan.steps.len());
        // Without work there is nothing to wait for, so a thousand starts at head cost one query each.
        if !plan.steps.is_empty() {
            lock::acquire(connection, settings).await?;
            bootstrap::ensure(connection, settings).await?;
            plan = self.plan(connection, migrations, goal).await?;
        }
        for step in &plan.steps {
            let script = step.script();
            if *settings.stop.borrow() {
                return Err(Error::Stopped {
                    when: format!("before {}", script.file),
                });
            }
            let took = step::run(connection, step, settings).await?;
            settings.progress.say(&format!(
                "{}: {} ({} ms)",
                script.file,
                script.title,
                took.as_millis()
            ));
            steps.push((step.migration.name.clone(), took));
        }
        let version = match (goal, plan.steps.last()) {
            (Goal::Up { .. }, Some(last)) => last.migration.version,
            (Goal::Down { to }, Some(_)) => to,
            (_, None) => plan.found,
        };
        Ok(Report {
            version,
            steps,
            direction: goal.direction(),
            newer: plan.newer,
            held_back: plan.held_back.map(|migration| migration.name.clone()),
            elapsed: started.elapsed(),
        })
    }

    async fn plan<'a>(
        &self,
        connection: &mut PgConnection,
        migrations: &'a [Migration],
        goal: Goal,
    ) -> Result<Plan<'a>, Error> {
        let history = history::read(connection).await?;
        match goal {
            Goal::Up { to } => plan::up(migrations, &history, to, self.settings.hold_back_contract),
            Goal::Down { to } => plan::down(migrations, &history, to),
        }
    }
}

impl Goal {
    fn direction(self) -> Direction {
        match self {
            Self::Up { .. } => Direction::Up,
            Self::Down { .. } => Direction::Down,
        }
    }
}

impl<'a> Step<'a> {
    /// The file that this step runs.
    pub fn script(&self) -> &'a file::Script {
        match self.direction {
            Direction::Up => &self.migration.up,
            Direction::Down => &self.migration.down,
        }
    }
}

/// Says goodbye, so that the server lets the lock go at once; a failure to do so changes nothing.
async fn close(connection: PgConnection) {
    drop(connection.close().await);
}
