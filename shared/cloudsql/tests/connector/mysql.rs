//! MySQL through the bridge: sqlx against Debian's MariaDB.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use cloudsql_connector::MySqlBridge;
use nova_testkit::cloudsql::{Backend, Effect, Fault, Options, Step};
use sqlx::{Connection as _, MySqlConnection, mysql::MySqlConnectOptions};

use crate::support::{INSTANCE, World};

/// A throw-away server, gone with its directory when it is dropped.
struct MariaDb {
    server: Child,
    directory: PathBuf,
}

impl MariaDb {
    async fn start() -> Self {
        let directory =
            std::env::temp_dir().join(format!("cloudsql-mariadb-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&directory));
        std::fs::create_dir_all(&directory).unwrap();
        let data = directory.join("data");
        let installed = run("mariadb-install-db", &data)
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .status()
            .expect(
                "MariaDB is needed: `make test` installs it, or apt-get install mariadb-server",
            );
        assert!(installed.success());
        let server = run("mariadbd", &data)
            .arg("--skip-networking")
            .arg(format!("--socket={}", directory.join("s").display()))
            .spawn()
            .unwrap();
        let it = Self { server, directory };
        for _ in 0..600 {
            if it.root().await.is_ok() {
                return it;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("MariaDB does not listen");
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("s")
    }

    async fn root(&self) -> Result<MySqlConnection, sqlx::Error> {
        let options = MySqlConnectOptions::new()
            .socket(self.socket())
            .username("root");
        MySqlConnection::connect_with(&options).await
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

fn run(program: &str, data: &Path) -> Command {
    // Debian keeps servers where only root's shell looks.
    let beside = Path::new("/usr/sbin").join(program);
    let mut command = Command::new(if beside.is_file() {
        beside
    } else {
        program.into()
    });
    command
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // It refuses to run as root unless it is told to.
    let directory = data.parent().unwrap().metadata().unwrap();
    if directory.uid() == 0 {
        command.arg("--user=root");
    }
    command
}

#[tokio::test]
async fn a_user_with_a_password_asks_and_a_failure_is_told_in_mysqls_words() {
    let server = MariaDb::start().await;
    let mut root = server.root().await.unwrap();
    sqlx::raw_sql("create user dave identified by 'secret'")
        .execute(&mut root)
        .await
        .unwrap();
    let world = World::with(Options {
        database_version: "MYSQL_8_0".to_owned(),
        backend: Backend::Unix(server.socket()),
        ..Options::default()
    })
    .await;
    let connector = world.builder().iam_login(false).build().unwrap();
    let bridge = MySqlBridge::start(&connector, INSTANCE).unwrap();

    let options = bridge.options("dave").password("secret");
    let mut connection = MySqlConnection::connect_with(&options).await.unwrap();
    let user: String = sqlx::query_scalar("select current_user()")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(user, "dave@%");
    let long: String = sqlx::query_scalar("select repeat('x', 3000000)")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(long.len(), 3_000_000);
    connection.close().await.unwrap();

    let wrong = MySqlConnection::connect_with(&options.clone().password("wrong")).await;
    assert!(wrong.unwrap_err().to_string().contains("Access denied"));

    world.inject(Fault::new(Step::Tcp, Effect::Drop).times(9));
    world.inject(Fault::new(Step::Tls, Effect::Drop).times(9));
    let error = MySqlConnection::connect_with(&options).await.unwrap_err();
    let error = error.as_database_error().unwrap();
    assert_eq!(error.code().as_deref(), Some("08001"));
    assert!(error.message().starts_with("cloudsql: "), "{error}");
}
