//! Servers of one's own: started, stopped, kept.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nova_testkit::postgres::{Cluster, Postgres, Settings, Stop};
use sqlx::{Connection as _, PgConnection};

/// A directory that is gone after the test. Those of `/tmp` can be reached by every account.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        let path = Path::new("/tmp").join(format!("testkit-{}", uuid::Uuid::now_v7().simple()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o1777)).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.0);
    }
}

fn as_root() -> bool {
    let probe = Scratch::new();
    fs::metadata(&probe.0).unwrap().uid() == 0
}

async fn run(url: &str, statement: &'static str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(statement).execute(&mut connection).await?;
    connection.close().await
}

#[tokio::test]
async fn a_crash_keeps_what_was_committed_at_the_same_address() {
    let mut postgres = Postgres::start(Settings::default()).await;
    let database = postgres.empty_database().await;
    run(&database.url, "CREATE TABLE kept (id int)")
        .await
        .unwrap();
    postgres.restart(Stop::Immediate).await;
    run(&database.url, "SELECT id FROM kept").await.unwrap();
    assert!(postgres.cluster().is_running());
}

#[tokio::test]
async fn a_durable_server_keeps_its_data_and_its_settings() {
    let scratch = Scratch::new();
    let directory = scratch.0.join("postgres");
    let settings = || Settings {
        max_connections: 20,
        ..Settings::default()
    };
    {
        let mut cluster = Cluster::durable(&directory, settings()).await.unwrap();
        cluster.start().await.unwrap();
        let url = cluster.url("postgres", "postgres");
        run(&url, "CREATE TABLE kept (id int)").await.unwrap();
        let check = "DO $$ BEGIN ASSERT current_setting('fsync') = 'on'; ASSERT current_setting('max_connections') = '20'; \
                     ASSERT current_setting('server_encoding') = 'UTF8'; ASSERT current_setting('TimeZone') = 'UTC'; END $$";
        run(&url, check).await.unwrap();
        // Dropped while it runs: it is stopped with everything saved.
    }
    let mut cluster = Cluster::durable(&directory, settings()).await.unwrap();
    assert!(!cluster.is_running());
    cluster.start().await.unwrap();
    run(&cluster.url("postgres", "postgres"), "SELECT id FROM kept")
        .await
        .unwrap();
    cluster.stop(Stop::Fast).await.unwrap();
    assert!(!cluster.is_running() && directory.join("data/PG_VERSION").exists());
    assert!(!directory.join("data/postmaster.pid").exists());
    let log = fs::read_to_string(cluster.log()).unwrap();
    assert!(!log.contains("not properly shut down"), "{log}");
}

#[tokio::test]
async fn two_servers_do_not_share_a_directory() {
    let scratch = Scratch::new();
    let directory = scratch.0.join("postgres");
    let mut first = Cluster::durable(&directory, Settings::default())
        .await
        .unwrap();
    first.start().await.unwrap();
    let mut second = Cluster::durable(&directory, Settings::default())
        .await
        .unwrap();
    let error = second.start().await.unwrap_err().to_string();
    assert!(
        error.contains("postmaster.pid"),
        "the log is in the error: {error}"
    );
    run(&first.url("postgres", "postgres"), "SELECT")
        .await
        .unwrap();
    assert!(first.is_running());
}

#[tokio::test]
async fn a_wrong_setting_is_told_from_the_servers_log() {
    let settings = Settings {
        more: vec![("no_such_setting".into(), "1".into())],
        ..Settings::default()
    };
    let error = Cluster::throw_away(settings)
        .await
        .unwrap()
        .start()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("no_such_setting"), "{error}");
}

#[tokio::test]
async fn tcp_asks_for_the_password() {
    let settings = Settings {
        tcp_port: Some(0),
        ..Settings::default()
    };
    let mut cluster = Cluster::throw_away(settings).await.unwrap();
    cluster.start().await.unwrap();
    assert!(
        (20_000..32_768).contains(&cluster.port()),
        "{}",
        cluster.port()
    );
    let url = cluster.tcp_url("postgres").unwrap();
    run(&url, "SELECT").await.unwrap();
    let (before, after) = url.split_once('@').unwrap();
    let wrong = format!("{before}x@{after}");
    let error = run(&wrong, "SELECT").await.unwrap_err().to_string();
    assert!(error.contains("password authentication failed"), "{error}");
    cluster.stop(Stop::Fast).await.unwrap();
    cluster.start().await.unwrap();
    run(&cluster.tcp_url("postgres").unwrap(), "SELECT")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_throw_away_server_is_thrown_away_also_when_it_was_stopped_before() {
    let mut cluster = Cluster::throw_away(Settings::default()).await.unwrap();
    cluster.start().await.unwrap();
    cluster.stop(Stop::Fast).await.unwrap();
    let directory = cluster.directory().to_path_buf();
    assert!(directory.join("data").exists());
    drop(cluster);
    assert!(!directory.exists(), "{} is left", directory.display());
}

#[tokio::test]
async fn a_long_path_gets_a_short_socket() {
    let scratch = Scratch::new();
    let directory = scratch
        .0
        .join("a-directory-with-a-name-".repeat(5))
        .join("and spaces/postgres");
    let mut cluster = Cluster::durable(&directory, Settings::default())
        .await
        .unwrap();
    cluster.start().await.unwrap();
    run(&cluster.url("postgres", "postgres"), "SELECT")
        .await
        .unwrap();
    let socket = cluster.socket_directory().to_path_buf();
    assert!(socket.starts_with("/tmp"), "{}", socket.display());
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o700);
    drop(cluster);
    assert!(!socket.exists(), "{} is left", socket.display());
}

#[tokio::test]
async fn root_may_ask_for_a_directory_that_only_root_can_enter() {
    if !as_root() {
        println!("skipped: only root has this trouble");
        return;
    }
    let scratch = Scratch::new();
    fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o700)).unwrap();
    let wanted = scratch.0.join("postgres");
    let mut cluster = Cluster::durable(&wanted, Settings::default())
        .await
        .unwrap();
    let elsewhere = Scratch(cluster.directory().to_path_buf());
    cluster.start().await.unwrap();
    run(&cluster.url("postgres", "postgres"), "CREATE TABLE kept ()")
        .await
        .unwrap();
    drop(cluster);
    // The link says where it is, and leads there the next time.
    assert_eq!(fs::read_link(&wanted).unwrap(), elsewhere.0);
    let mut cluster = Cluster::durable(&wanted, Settings::default())
        .await
        .unwrap();
    cluster.start().await.unwrap();
    run(&cluster.url("postgres", "postgres"), "SELECT FROM kept")
        .await
        .unwrap();
}
