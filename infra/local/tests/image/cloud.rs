//! What stands around the programs: a database, migrated by the image itself, a bucket, an issuer.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    process::{Child, Command},
    time::{Duration, Instant},
};

use nova_local::{local::BUCKET, manifest::Manifest};
use nova_testkit::{
    ReservedPort,
    issuer::{Issuer, RunningIssuer},
    objects::{self, ObjectStore},
    postgres::{Database, Postgres, Settings},
};
use sqlx::AssertSqlSafe;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::image::{Image, text};

/// Whom tokens are for.
const AUDIENCE: &str = "https://nova.test";
/// The programs' password; the server is thrown away.
const PASSWORD: &str = "nova";
/// From the start to the first ready answer, on a busy machine. Cloud Run waits two minutes.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Cloud Run kills after ten seconds.
const END_WITHIN: Duration = Duration::from_secs(8);

pub(crate) struct Cloud {
    pub(crate) image: Image,
    issuer: RunningIssuer,
    objects: ObjectStore,
    manifest: Manifest,
    /// Of the database, for its administrator, by TCP: programs of the image cannot reach a socket's file.
    address: String,
    database: Database,
    /// Only held, so that it ends with this value.
    _postgres: Postgres,
}

impl Cloud {
    /// Starts everything. The schema and the rights of each login are the work of the image's own job.
    pub(crate) async fn start() -> Self {
        let settings = Settings {
            tcp_port: Some(0),
            ..Settings::default()
        };
        let mut postgres = Postgres::start(settings).await;
        let database = postgres.empty_database().await;
        let cloud = Self {
            image: Image::unpacked(),
            issuer: Issuer::start().await.unwrap(),
            objects: ObjectStore::start(objects::Config::default())
                .await
                .unwrap(),
            manifest: Manifest::of_this_build().unwrap(),
            address: postgres.cluster().tcp_url(&database.name).unwrap(),
            database,
            _postgres: postgres,
        };
        let pool = cloud.database.pool();
        for (name, _) in cloud.logins() {
            let login = format!("create role {name} login password '{PASSWORD}'");
            sqlx::query(AssertSqlSafe(login))
                .execute(&pool)
                .await
                .unwrap();
        }
        pool.close().await;
        assert_eq!(cloud.job("migrate", &[]), Some(0));
        cloud
    }

    /// Each program that has a role in the database, but the one that makes the roles.
    fn logins(&self) -> impl Iterator<Item = (&str, &str)> {
        let Manifest {
            services,
            together,
            jobs,
        } = &self.manifest;
        let all = services.iter().chain(together).chain(jobs);
        all.filter_map(|(name, entry)| Some((name.as_str(), entry.database.as_deref()?)))
            .filter(|(_, role)| *role != "nova_owner")
    }

    /// Ours, and more that win; an empty one is not said.
    fn settings(&self, program: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let database = if program == "migrate" {
            self.address.clone()
        } else {
            let (_, place) = self.address.split_once('@').unwrap();
            format!("postgres://{program}:{PASSWORD}@{place}")
        };
        let grants: Vec<String> = self
            .logins()
            .map(|(name, role)| format!("{name}={role}"))
            .collect();
        let is_job = self.manifest.jobs.contains_key(program);
        let said_by_cloud_run = if is_job { "CLOUD_RUN_JOB" } else { "K_SERVICE" };
        let ours = [
            (said_by_cloud_run, program.to_owned()),
            ("DATABASE_URL", database),
            ("NOVA_DB_GRANTS", grants.join(",")),
            ("BLOB_BUCKET", BUCKET.to_owned()),
            ("STORAGE_EMULATOR_HOST", self.objects.url.clone()),
            ("OIDC_ISSUER", self.issuer.url().to_owned()),
            ("OIDC_AUDIENCE", AUDIENCE.to_owned()),
        ];
        let ours = ours.iter().map(|(name, value)| (*name, value.as_str()));
        let all: BTreeMap<&str, &str> = ours.chain(more.iter().copied()).collect();
        let said = all.into_iter().filter(|(_, value)| !value.is_empty());
        said.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// A token of a user who may read and run.
    pub(crate) fn token(&self) -> String {
        let scopes = ["research:read", "research:run"];
        self.issuer
            .token("alice", &scopes, AUDIENCE, Duration::from_hours(1))
    }

    /// Runs a program to its end and tells its exit code.
    pub(crate) fn job(&self, program: &str, more: &[(&str, &str)]) -> Option<i32> {
        let done = self
            .image
            .command(program, &self.settings(program, more))
            .output()
            .unwrap();
        if !done.status.success() {
            eprintln!("{program}: {}", text(&done.stderr));
        }
        done.status.code()
    }

    /// Starts a service and waits until it is ready.
    pub(crate) async fn service(&self, program: &str) -> Service {
        let port = ReservedPort::new().unwrap();
        let number = port.number().to_string();
        let mut command = self
            .image
            .command(program, &self.settings(program, &[("PORT", &number)]));
        let child = command.spawn().unwrap();
        let mut service = Service {
            program: program.to_owned(),
            child,
            port,
        };
        let deadline = Instant::now() + READY_WITHIN;
        while service.get("/readyz").await != 200 {
            assert!(
                service.child.try_wait().unwrap().is_none(),
                "{}",
                service.last_words()
            );
            if Instant::now() > deadline {
                panic!("{program} does not get ready: {}", service.last_words());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        service
    }
}

/// A running service of the image; it ends with this value.
pub(crate) struct Service {
    program: String,
    child: Child,
    port: ReservedPort,
}

impl Service {
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// The status of an answer, 0 for none.
    pub(crate) async fn get(&self, path: &str) -> u16 {
        let asked = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port.number())).await?;
            let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let answer = asked.await.unwrap_or_default();
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        status.unwrap_or_default()
    }

    /// Looked at from outside, in /proc.
    pub(crate) fn is_process_1_of_nobody_on_a_root_that_stays_as_it_is(&self, image: &Image) {
        let parent = self.child.id();
        let children = format!("/proc/{parent}/task/{parent}/children");
        let program = fs::read_to_string(children).unwrap().trim().to_owned();
        let about = |file: &str| fs::read_to_string(format!("/proc/{program}/{file}")).unwrap();
        let status = about("status");
        let fields = |name: &str| -> Vec<String> {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap();
            line.split_whitespace().map(str::to_owned).collect()
        };
        assert_eq!(
            fields("NSpid:"),
            [program.as_str(), "1"],
            "{}",
            self.program
        );
        let (user, group) = image.user().split_once(':').unwrap();
        assert_eq!(fields("Uid:"), [user; 4], "{}", self.program);
        assert_eq!(fields("Gid:"), [group; 4], "{}", self.program);
        assert_eq!(fields("Groups:"), [""; 0], "{}", self.program);
        assert_eq!(fields("CapEff:"), ["0000000000000000"], "{}", self.program);
        let mounts = about("mountinfo");
        let root = mounts
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>());
        let root: Vec<_> = root.filter(|fields| fields[4] == "/").collect();
        assert!(
            root.iter()
                .any(|fields| fields[5].split(',').any(|it| it == "ro")),
            "{mounts}"
        );
    }

    /// As Cloud Run tells an instance that is no longer needed.
    pub(crate) fn ends_well_when_told(&mut self) {
        let told = Instant::now();
        self.signal("-TERM");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.last_words());
        let took = told.elapsed();
        assert!(took < END_WITHIN, "{}: {took:?}", self.program);
    }

    /// To the program, which is the child of what made its namespaces.
    fn signal(&self, signal: &str) {
        let parent = self.child.id().to_string();
        let told = Command::new("pkill").args([signal, "-P", &parent]).status();
        assert!(told.is_ok(), "pkill is missing");
    }

    /// Ends it, and tells what it has logged.
    pub(crate) fn last_words(&mut self) -> String {
        self.kill();
        let mut words = String::new();
        if let Some(mut log) = self.child.stderr.take() {
            drop(log.read_to_string(&mut words));
        }
        format!("{}: {words}", self.program)
    }

    /// The program outlives who started it, as it has become another user since.
    fn kill(&mut self) {
        let parent = self.child.id().to_string();
        drop(
            Command::new("pkill")
                .args(["-KILL", "-P", &parent])
                .status(),
        );
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}
