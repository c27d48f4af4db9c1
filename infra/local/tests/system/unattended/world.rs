//! The small world of the demo, and the program in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::{Output, Stdio},
    time::Duration,
};

use nova_local::{
    demo::providers::{Providers, World},
    local::BUCKET,
};
use nova_testkit::{
    objects::{self, ObjectStore},
    postgres::{Database, Postgres},
};
use serde_json::Value;
use sqlx::PgPool;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

/// Longer than a run takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(2);

/// A database, a bucket, and providers. Nothing else of Nova runs.
pub(super) struct Alone {
    pub(super) providers: Providers,
    pub(super) objects: ObjectStore,
    pub(super) pool: PgPool,
    database: Database,
    folder: PathBuf,
    settings: BTreeMap<String, String>,
}

/// What each provider was paid for, by its name.
pub(super) type Ledger = BTreeMap<&'static str, Vec<String>>;

impl Alone {
    /// With the providers of a world; `name` tells its files from those of other tests.
    pub(super) async fn start(world: World, name: &str) -> Self {
        let server = Postgres::shared().await;
        let database = server.database("nova", nova_local::migrated).await;
        let objects = ObjectStore::start(objects::Config::default())
            .await
            .unwrap();
        let providers = Providers::start(world).await.unwrap();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("research-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("guideline.md"), providers.guideline()).unwrap();
        Self {
            settings: providers.settings(),
            pool: database.pool(),
            providers,
            objects,
            database,
            folder,
        }
    }

    /// Without some of the settings.
    pub(super) fn without(mut self, names: &[&str]) -> Self {
        self.settings
            .retain(|name, _| !names.contains(&name.as_str()));
        self
    }

    /// The program, for the guideline in the name of a user: each has an article of his own.
    pub(super) fn program(&self, user: &str, more: &[&str]) -> Command {
        let program = std::env::current_exe().unwrap();
        // This test's own program is one folder further down.
        let program = program.parent().unwrap().with_file_name("research");
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(&self.settings)
            .env("DATABASE_URL", self.database.url_as("mcp@nova.local"))
            .env("STORAGE_EMULATOR_HOST", &self.objects.url)
            .env("BLOB_BUCKET", BUCKET)
            .env("NOVA_USER", user)
            .arg(self.folder.join("guideline.md"))
            .args(["--questions", "3"])
            .arg("--output")
            .arg(self.file(user))
            .args(more)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub(super) fn begin(&self, user: &str) -> Child {
        let mut program = self.program(user, &[]);
        let quiet = program.stdout(Stdio::null()).stderr(Stdio::piped());
        quiet.spawn().expect("built by `cargo build --workspace`")
    }

    /// Runs it to its end: the exit code, the result object (null where there is none), and what
    /// else it said.
    pub(super) async fn run(&self, user: &str, more: &[&str]) -> (i32, Value, String) {
        let output = self.program(user, more).output();
        let output: Output = tokio::time::timeout(PATIENCE, output)
            .await
            .expect("it ends in time")
            .expect("built by `cargo build --workspace`");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let result = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code().unwrap_or(-1), result, said)
    }

    fn file(&self, user: &str) -> PathBuf {
        self.folder.join(format!("{user}.md"))
    }

    /// The document as it was written for a user.
    pub(super) fn document(&self, user: &str) -> String {
        std::fs::read_to_string(self.file(user)).unwrap()
    }

    /// What was paid so far, all together.
    pub(super) fn paid(&self) -> Ledger {
        let all = self.providers.all().into_iter();
        all.map(|(name, provider)| {
            let ledger = provider.ledger().into_iter();
            (name, ledger.map(|payment| payment.what).collect())
        })
        .collect()
    }

    /// What was paid since, each provider's in the order of the alphabet.
    pub(super) fn paid_since(&self, before: &Ledger) -> Ledger {
        let mut since = self.paid();
        for (name, paid) in &mut since {
            paid.drain(..before[name].len());
            paid.sort();
        }
        since
    }

    /// As after the minute in which a worker that died said nothing.
    pub(super) async fn the_dead_are_given_up(&self) {
        let late = "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE state = 'running'";
        sqlx::query(late).execute(&self.pool).await.unwrap();
    }

    /// Returns when no answer that was paid for is on its way to the database.
    pub(super) async fn what_was_paid_is_kept(&self) {
        let kept = "SELECT count(*) FROM provider_calls WHERE outcome = 'answered'";
        let deadline = Instant::now() + PATIENCE;
        loop {
            let paid: usize = self.paid().values().map(Vec::len).sum();
            let kept: i64 = sqlx::query_scalar(kept)
                .fetch_one(&self.pool)
                .await
                .unwrap();
            if i64::try_from(paid).unwrap() == kept {
                return;
            }
            assert!(Instant::now() < deadline, "{paid} paid, {kept} kept");
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// How many requests there were to each of those who are asked.
    pub(super) fn asked(&self) -> Vec<usize> {
        let all = self.providers.all().into_iter();
        all.map(|(_, provider)| provider.received().len()).collect()
    }

    /// As after a day.
    pub(super) async fn jobs_are_forgotten(&self) {
        sqlx::query("DELETE FROM jobs")
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// The long tools that were called since then.
    pub(super) async fn tools_called(&self) -> BTreeSet<String> {
        let tools = sqlx::query_scalar("SELECT tool FROM jobs").fetch_all(&self.pool);
        tools.await.unwrap().into_iter().collect()
    }

    /// Calls of tools that a user was charged for.
    pub(super) async fn charged(&self, user: &str) -> i64 {
        let charged = "SELECT count(*) FROM tool_call_usage WHERE user_id = $1";
        let charged = sqlx::query_scalar(charged).bind(user);
        charged.fetch_one(&self.pool).await.unwrap()
    }
}
