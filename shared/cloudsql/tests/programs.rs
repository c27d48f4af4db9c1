//! The programs, as a person starts them: `cloudsql doctor`, and the example `probe`.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::{
    path::PathBuf,
    process::Output,
    time::{Duration, Instant},
};

use nova_testkit::{
    cloudsql::{Backend, CloudSql, Effect, Fault, Instance, Options, Step, WrongCertificate},
    postgres::{Database, Postgres},
};
use serde_json::Value;
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    time::timeout,
};

const INSTANCE: &str = "my-project:europe-west1:main";
const PRINCIPAL: &str = "nova@my-project.iam.gserviceaccount.com";
const USER: &str = "nova@my-project.iam";

struct World {
    cloud: CloudSql,
    instance: Instance,
    database: Database,
}

impl World {
    async fn start() -> Self {
        Self::with(None).await
    }

    /// With this server in the place of PostgreSQL.
    async fn with(server: Option<Backend>) -> Self {
        let database = Postgres::shared()
            .await
            .database("programs", async |url| {
                let pool = PgPool::connect(&url).await?;
                let role = format!("create role \"{USER}\" login");
                sqlx::raw_sql(sqlx::AssertSqlSafe(role))
                    .execute(&pool)
                    .await?;
                Ok(())
            })
            .await;
        let cloud = CloudSql::start().await.unwrap();
        cloud.principal(PRINCIPAL).unwrap();
        let options = Options {
            backend: server.unwrap_or_else(|| Backend::Unix(database.socket())),
            iam_users: vec![USER.to_owned()],
            ..Options::default()
        };
        let instance = cloud.instance(INSTANCE, options).await.unwrap();
        Self {
            cloud,
            instance,
            database,
        }
    }

    fn database(&self) -> String {
        let options: PgConnectOptions = self.database.url.parse().unwrap();
        options.get_database().unwrap().to_owned()
    }

    async fn run(&self, program: PathBuf, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
        let output = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("GOOGLE_APPLICATION_CREDENTIALS", self.cloud.key_file())
            .envs(settings.iter().copied())
            .output();
        output.await.unwrap()
    }

    /// What the doctor prints; the times are left out, and the exit code stands in the last line.
    async fn doctor(&self, arguments: &[&str]) -> String {
        let url = self.cloud.url();
        let mut all = vec!["doctor", "--endpoint", &url];
        all.extend_from_slice(arguments);
        let output = self
            .run(env!("CARGO_BIN_EXE_cloudsql").into(), &all, &[])
            .await;
        let mut text = String::from_utf8(output.stdout).unwrap();
        text.push_str(&String::from_utf8(output.stderr).unwrap());
        format!("{text}exit {}\n", output.status.code().unwrap())
    }

    async fn probe(&self, settings: &[(&str, &str)]) -> (Value, i32) {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_cloudsql"));
        let program = program.with_file_name("examples").join("probe");
        let (url, database) = (self.cloud.url(), self.database());
        let mut all = vec![
            ("CSQL_ENDPOINT", url.as_str()),
            ("CSQL_INSTANCE", INSTANCE),
            ("CSQL_USER", PRINCIPAL),
            ("CSQL_DB", database.as_str()),
            ("CSQL_IAM", "1"),
        ];
        all.extend_from_slice(settings);
        let output = self.run(program, &[], &all).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line = serde_json::from_str(&text).unwrap();
        (line, output.status.code().unwrap())
    }
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
}

#[tokio::test]
async fn the_doctor_walks_all_steps_of_a_healthy_instance() {
    let world = World::start().await;
    let database = world.database();
    let said = world
        .doctor(&[
            INSTANCE,
            "--iam",
            "--user",
            PRINCIPAL,
            "--database",
            &database,
        ])
        .await;
    println!("{said}");
    has(
        &said,
        &[
            "ok    configuration",
            "ok    token",
            PRINCIPAL,
            "ok    key",
            "ok    settings",
            "POSTGRES_16, public 127.",
            "ok    certificate",
            "good for 59 min",
            "ok    address",
            "ok    tcp",
            "ok    tls",
            "TLS 1.3; the server is my-project:main",
            "ok    login",
            "nova@my-project.iam, PostgreSQL",
            "is well",
            "exit 0",
        ],
    );
}

#[tokio::test]
async fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let world = World::start().await;
    let refusal = |reason, message| {
        let effect = Effect::Reason(403, reason, message);
        world
            .cloud
            .inject(Fault::new(Step::ConnectSettings, effect));
    };

    refusal(
        "accessNotConfigured",
        "Cloud SQL Admin API has not been used in project my-project before or it is disabled.",
    );
    let said = world.doctor(&[INSTANCE]).await;
    println!("{said}");
    has(
        &said,
        &[
            "FAIL  settings",
            "gcloud services enable sqladmin.googleapis.com",
            "exit 1",
        ],
    );

    refusal(
        "notAuthorized",
        "The client is not authorized to make this request.",
    );
    let said = world.doctor(&[INSTANCE]).await;
    println!("{said}");
    has(
        &said,
        &[
            "FAIL  settings",
            "roles/cloudsql.client",
            PRINCIPAL,
            "exit 1",
        ],
    );

    let said = world.doctor(&["my-project:us-central1:main"]).await;
    println!("{said}");
    has(
        &said,
        &[
            "region is europe-west1, asked for us-central1",
            "use my-project:europe-west1:main",
        ],
    );

    let said = world.doctor(&[INSTANCE, "--ip-type", "private"]).await;
    println!("{said}");
    has(
        &said,
        &[
            "FAIL  address",
            "instance has PRIMARY only; asked for PRIVATE",
        ],
    );

    world.instance.serve_wrong(WrongCertificate::Name).unwrap();
    let said = world.doctor(&[INSTANCE]).await;
    println!("{said}");
    has(
        &said,
        &[
            "FAIL  tls",
            "the server's certificate is for",
            "not for my-project:main",
        ],
    );
    world.instance.serve_wrong(WrongCertificate::None).unwrap();

    let said = world
        .doctor(&[
            INSTANCE,
            "--iam",
            "--user",
            "eve@my-project.iam.gserviceaccount.com",
        ])
        .await;
    println!("{said}");
    has(
        &said,
        &["FAIL  login", "roles/cloudsql.instanceUser", "exit 1"],
    );
}

#[tokio::test]
async fn the_doctor_points_to_its_help() {
    let world = World::start().await;
    for arguments in [&["--frobnicate"][..], &[INSTANCE, INSTANCE], &[]] {
        let said = world.doctor(arguments).await;
        has(&said, &["see --help", "exit 64"]);
    }
}

#[tokio::test]
async fn the_probe_prints_one_line_of_json() {
    let world = World::start().await;
    let (line, exit) = world.probe(&[("CSQL_CONNECTIONS", "3")]).await;
    assert_eq!(
        line,
        serde_json::json!({"ok": true, "rows": 3, "user": USER})
    );
    assert_eq!(exit, 0);
    assert_eq!(world.cloud.count(Step::Certificate), 1);

    let (line, exit) = world
        .probe(&[("CSQL_INSTANCE", "my-project:europe-west1:nowhere")])
        .await;
    assert_eq!(
        (&line["ok"], &line["class"], exit),
        (&false.into(), &"settings/not_found".into(), 1)
    );
    let error = line["error"].as_str().unwrap();
    assert!(error.contains("HTTP 404"), "{error}");

    // A DNS server may be named by a name.
    let name = "db.example.com";
    let to = nova_testkit::cloudsql::Record::Txt(INSTANCE.to_owned());
    world.cloud.answer_dns(name, to);
    let server = format!("localhost:{}", world.cloud.dns().port());
    let (line, _) = world
        .probe(&[("CSQL_INSTANCE", name), ("CSQL_DNS", &server)])
        .await;
    assert_eq!(line["user"], USER, "{line}");

    let (line, exit) = world.probe(&[("CSQL_IP_TYPE", "SATELLITE")]).await;
    assert_eq!((&line["class"], exit), (&"configuration".into(), 1));
}

#[tokio::test]
async fn the_probe_ends_in_its_time_whatever_the_server_does() {
    let let_in = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    for (words, class) in [(&let_in[..9], "login/timeout"), (let_in, "query/timeout")] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(words).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        });
        let world = World::with(Some(Backend::Tcp(address))).await;
        let started = Instant::now();
        // Long enough for the key, where all tests want one at once.
        let probed = world.probe(&[("CSQL_TIMEOUT_MS", "4000")]);
        let (line, exit) = timeout(Duration::from_secs(20), probed).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(6), "{line}");
        assert_eq!((&line["class"], exit), (&class.into(), 1), "{line}");
        server.abort();
    }
}
