//! The program as it is started: its two streams and its exit code.
#![expect(clippy::unwrap_used, reason = "these are tests, their helpers too")]

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nova_testkit::cloudsql::{Backend, CloudSql, Event, LoginMethod, Options};
use nova_testkit::postgres::{Binaries, Database, Postgres, Settings};
use sqlx::{Connection as _, PgConnection};

/// The engine's lock.
const KEY: i64 = 0x6e6f_7661_6d69_6772;

fn command(database: &Database, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_migrate"));
    command
        .args(arguments)
        .env_clear()
        .env("DATABASE_URL", &database.url);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the program and gives its exit code and what it printed.
fn run(database: &Database, arguments: &[&str]) -> (i32, String, String) {
    outcome(command(database, arguments).output().unwrap())
}

fn outcome(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// The standard output of a run that must succeed.
fn answer(database: &Database, arguments: &[&str]) -> String {
    let (code, answer, log) = run(database, arguments);
    assert_eq!(code, 0, "{arguments:?}: {log}");
    answer
}

async fn database() -> Database {
    Postgres::shared().await.empty_database().await
}

#[tokio::test]
async fn the_commands_tell_one_story() {
    let database = database().await;
    let (code, answer_of_up, log) = run(&database, &["up"]);
    assert_eq!(code, 0, "{log}");
    assert!(answer_of_up.starts_with("version 00"), "{answer_of_up}");
    assert!(answer_of_up.contains(" applied in "), "{answer_of_up}");
    assert!(log.starts_with("0001_roles.up.sql: group roles ("), "{log}");
    assert_eq!(
        log.lines().count(),
        nova_store::migrate::MIGRATIONS.len(),
        "{log}"
    );
    let head = nova_store::migrate::MIGRATIONS.len();
    assert_eq!(
        answer(&database, &["up"]),
        format!("version {head:04}, nothing to do\n")
    );
    assert_eq!(
        answer(&database, &["status"]),
        format!("database    version {head:04}\nthis build  version {head:04}\n")
    );
    let history = answer(&database, &["history"]);
    assert_eq!(history.lines().count(), head);
    assert!(history.starts_with("0001_roles "), "{history}");
    assert!(history.contains(" ms  postgres  applied\n"), "{history}");
    assert_eq!(answer(&database, &["plan"]), "");
    assert_eq!(
        answer(&database, &["check"]),
        format!("version {head:04}, the live schema is what the migrations make\n")
    );
    assert_eq!(
        answer(&database, &["fingerprint"]),
        nova_store::migrate::SCHEMA
    );
    answer(&database, &["down", "--to", "0"]);
    let status = answer(&database, &["status"]);
    assert!(status.starts_with("database    version 0000\n"), "{status}");
    assert!(
        status.contains("\npending     0001_roles: group roles\n"),
        "{status}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_processes_at_once_on_an_empty_database_all_exit_zero() {
    let head = nova_store::migrate::MIGRATIONS.len();
    for _round in 0..6 {
        let database = database().await;
        let started: Vec<_> = (0..5)
            .map(|_| command(&database, &["up"]).spawn().unwrap())
            .collect();
        let mut applied = 0;
        for child in started {
            let (code, answer, log) = outcome(child.wait_with_output().unwrap());
            assert_eq!(code, 0, "{log}");
            assert!(
                answer.starts_with(&format!("version {head:04}, ")),
                "{answer}"
            );
            applied += log
                .lines()
                .filter(|line| line.contains(".up.sql: "))
                .count();
        }
        assert_eq!(
            applied, head,
            "each migration is applied by one of the five"
        );
        answer(&database, &["check"]);
    }
}

#[tokio::test]
async fn the_plan_is_sql_that_psql_can_run() {
    let binaries = Binaries::find().unwrap();
    let psql = binaries.tool("psql").expect("psql is installed");
    let (asked, offline) = (database().await, database().await);
    for (target, arguments) in [
        (&asked, &["plan"][..]),
        (&offline, &["plan", "--from", "0"][..]),
    ] {
        let sql = answer(target, arguments);
        assert_eq!(answer(target, &["history"]), "", "a plan changes nothing");
        let output = Command::new(&psql)
            .args([
                "--no-psqlrc",
                "--quiet",
                "--set=ON_ERROR_STOP=1",
                "--dbname",
                &target.url,
            ])
            .args(["--command", "\\i /dev/stdin"])
            .stdin(piped(&sql))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        answer(target, &["check"]);
        assert!(answer(target, &["up"]).contains("nothing to do"));
    }
    let locks = answer(&database().await, &["plan", "--locks"]);
    assert!(
        locks.starts_with("-- 0001_roles.up.sql: no strong lock on an existing table\n"),
        "{locks}"
    );
    assert!(locks.contains("not rehearsed"), "{locks}");
}

/// Text as a process's input.
fn piped(text: &str) -> Stdio {
    use std::io::{Seek as _, Write as _};
    let path = std::env::temp_dir().join(format!("nova-plan-{}", std::process::id()));
    let mut file = std::fs::File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    Stdio::from(file)
}

#[tokio::test]
async fn a_cloud_run_job_without_arguments_migrates_and_grants() {
    // Logins belong to the server, so this test has one of its own.
    let postgres = Postgres::start(Settings::default()).await;
    let database = postgres.empty_database().await;
    sqlx::raw_sql("create role \"usage@p.iam\" login")
        .execute(&database.pool())
        .await
        .unwrap();
    let job = |grants: Option<&str>| {
        let mut job = command(&database, &[]);
        job.env("CLOUD_RUN_JOB", "migrate");
        job.envs(grants.map(|grants| ("NOVA_DB_GRANTS", grants)));
        outcome(job.output().unwrap())
    };
    let (code, answer, log) = job(None);
    assert_eq!(code, 0, "{log}");
    assert_eq!(answer.lines().count(), 1, "{answer}");
    let (code, answer, log) = job(Some("usage@p.iam=nova_usage"));
    assert_eq!(code, 0, "{log}");
    assert!(
        answer.ends_with(", nothing to do\nput usage@p.iam into nova_usage\n"),
        "{answer}"
    );
    let (code, answer, _) = job(Some("usage@p.iam=nova_usage"));
    assert_eq!(code, 0);
    assert!(
        answer.ends_with("\ngrants: 1 login(s) are as they should be\n"),
        "{answer}"
    );
    let (code, _, log) = job(Some("nobody@p.iam=nova_usage"));
    assert_eq!(code, 64);
    assert!(
        log.contains("there is no database user nobody@p.iam"),
        "{log}"
    );
    let (code, _, log) = outcome(
        command(&database, &["grants", "--create-local-logins"])
            .env("NOVA_DB_GRANTS", "nobody@p.iam=nova_usage")
            .output()
            .unwrap(),
    );
    assert_eq!(code, 0, "{log}");
}

/// As on Cloud SQL: no superuser, but a member of the role that owns the database.
const MIGRATOR: &str = "
    create role cloudsqlsuperuser createrole createdb;
    create role \"migrate@acme.iam\" login createrole createdb in role cloudsqlsuperuser;
    do $$ begin
      execute format('alter database %I owner to cloudsqlsuperuser', current_database());
    end $$";

// Several threads, since the test waits for a process that talks to the stand-in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_in_cloud_sql_is_reached_as_the_jobs_own_service_account() {
    let postgres = Postgres::start(Settings::default()).await;
    let database = postgres.empty_database().await;
    sqlx::raw_sql(MIGRATOR)
        .execute(&database.pool())
        .await
        .unwrap();
    let cloud = CloudSql::start().await.unwrap();
    cloud
        .principal("migrate@acme.iam.gserviceaccount.com")
        .unwrap();
    let options = Options {
        backend: Backend::Unix(database.socket()),
        iam_users: vec!["migrate@acme.iam".to_owned()],
        ..Options::default()
    };
    cloud
        .instance("acme:europe-west1:main", options)
        .await
        .unwrap();
    let migrate = |argument, instance: &str| {
        let mut command = command(&database, &[argument, "--connect-timeout", "1s"]);
        command
            .env_remove("DATABASE_URL")
            .env("CLOUD_SQL_INSTANCE", instance)
            .env("DB_NAME", &database.name)
            .env("SQLADMIN_BASE_URL", cloud.url())
            .env("GOOGLE_APPLICATION_CREDENTIALS", cloud.key_file());
        outcome(command.output().unwrap())
    };
    let (code, _, log) = migrate("up", "acme:europe-west1:main");
    assert_eq!(code, 0, "{log}");
    let (code, status, log) = migrate("status", "acme:europe-west1:main");
    assert_eq!(code, 0, "{log}");
    let head = nova_store::migrate::MIGRATIONS.len();
    assert_eq!(
        status,
        format!("database    version {head:04}\nthis build  version {head:04}\n")
    );
    let (_, history, _) = migrate("history", "acme:europe-west1:main");
    assert!(
        history.contains(" ms  migrate@acme.iam  applied\n"),
        "{history}"
    );
    let logins = cloud.journal().into_iter().filter_map(|event| match event {
        Event::Login { how, refused, .. } => Some((how, refused)),
        _ => None,
    });
    for login in logins {
        assert_eq!(login, (LoginMethod::Certificate, None));
    }

    let (code, _, log) = migrate("up", "acme:europe-west1:missing");
    assert_eq!(code, 69, "{log}");
    assert!(
        log.contains("\n  detail: ") && log.contains("acme:europe-west1:missing"),
        "{log}"
    );
    assert!(log.contains("\n  hint: "), "{log}");
    // Waiting makes no instance; it would only keep a deployment from saying so.
    assert!(!log.contains("waiting up to"), "{log}");
    let (code, _, log) = migrate("up", "main");
    assert_eq!(code, 64, "{log}");
    assert!(log.contains("CLOUD_SQL_INSTANCE=main"), "{log}");
}

#[tokio::test]
async fn exit_codes_say_whether_running_it_again_can_help() {
    let database = database().await;
    answer(&database, &["up"]);
    let pool = database.pool();

    let (code, _, log) = run(&database, &["down"]);
    assert_eq!((code, log.contains("--to N")), (64, true), "{log}");
    let (code, _, log) = run(&database, &["sideways"]);
    assert_eq!(
        (code, log.contains("there is no command")),
        (64, true),
        "{log}"
    );
    let mut nowhere = command(&database, &["up"]);
    let (code, _, log) = outcome(nowhere.env_remove("DATABASE_URL").output().unwrap());
    assert_eq!(
        (code, log.contains("set DATABASE_URL")),
        (64, true),
        "{log}"
    );

    let mut away = command(&database, &["up", "--connect-timeout", "1s"]);
    away.env(
        "DATABASE_URL",
        "postgres://user:secret-word@127.0.0.1:1/nova",
    );
    let (code, _, log) = outcome(away.output().unwrap());
    assert_eq!(code, 69, "{log}");
    assert!(!log.contains("secret-word"), "{log}");

    sqlx::raw_sql("alter table articles add column extra int")
        .execute(&pool)
        .await
        .unwrap();
    let (code, _, log) = run(&database, &["check"]);
    assert_eq!(code, 64);
    assert!(
        log.contains("\n  unexpected: column articles.extra: integer\n"),
        "{log}"
    );

    sqlx::raw_sql("update nova_schema_migrations set checksum = repeat('0', 64) where version = 2")
        .execute(&pool)
        .await
        .unwrap();
    let (code, _, log) = run(&database, &["up"]);
    assert_eq!(code, 64);
    assert!(
        log.contains("migrate: 0002_articles.up.sql was changed after it had been applied"),
        "{log}"
    );
}

#[tokio::test]
async fn a_rollback_of_the_code_exits_zero_and_says_so() {
    let database = database().await;
    answer(&database, &["up"]);
    sqlx::raw_sql(
        "insert into nova_schema_migrations (version, name, checksum, state)
         values (9000, '9000_future', repeat('0', 64), 'applied')",
    )
    .execute(&database.pool())
    .await
    .unwrap();
    let answer_of_up = answer(&database, &["up"]);
    assert_eq!(
        answer_of_up,
        "version 9000, nothing to do; a newer build brought 9000_future, which this build leaves alone\n"
    );
    assert!(answer(&database, &["status"]).contains("newer       9000_future"));
    assert_eq!(run(&database, &["check"]).0, 64);
}

#[tokio::test]
async fn a_wait_for_the_lock_ends_at_its_limit_or_with_sigterm() {
    let database = database().await;
    let mut holder = PgConnection::connect(&database.url).await.unwrap();
    sqlx::query("select pg_advisory_lock($1)")
        .bind(KEY)
        .execute(&mut holder)
        .await
        .unwrap();
    let (code, _, log) = run(&database, &["up", "--lock-timeout", "1s"]);
    assert_eq!(code, 75, "{log}");
    assert!(log.contains("another migration is still running"), "{log}");

    let waiting = command(&database, &["up"]).spawn().unwrap();
    let is_waiting = "select count(*) > 0 from pg_stat_activity
                      where application_name = 'nova migrate' and datname = current_database()";
    while !sqlx::query_scalar::<_, bool>(is_waiting)
        .fetch_one(&mut holder)
        .await
        .unwrap()
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = Instant::now();
    let kill = Command::new("kill")
        .args(["-TERM", &waiting.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let (code, _, log) = outcome(waiting.wait_with_output().unwrap());
    assert_eq!(code, 75, "{log}");
    assert!(
        log.contains("stopped on request while waiting for another migration"),
        "{log}"
    );
    assert!(asked.elapsed() < Duration::from_secs(2));
    holder.close().await.unwrap();
    answer(&database, &["up"]);
}

#[tokio::test]
async fn a_schema_made_without_a_history_is_adopted() {
    let database = database().await;
    answer(&database, &["up"]);
    sqlx::raw_sql("truncate nova_schema_migrations")
        .execute(&database.pool())
        .await
        .unwrap();
    let head = nova_store::migrate::MIGRATIONS.len().to_string();
    let adopted = answer(&database, &["baseline", &head]);
    assert!(
        adopted.contains(&format!("{head} recorded and none run")),
        "{adopted}"
    );
    answer(&database, &["check"]);
    assert!(answer(&database, &["history"]).contains("  baseline  postgres  applied\n"));
}

#[tokio::test]
async fn help_needs_no_database() {
    for arguments in [
        &["--help"][..],
        &["up", "--help"],
        &["help", "grants"],
        &["--version"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_migrate"))
            .args(arguments)
            .env_clear()
            .output()
            .unwrap();
        let (code, answer, log) = outcome(output);
        assert_eq!((code, log.as_str()), (0, ""), "{arguments:?}");
        assert!(answer.contains("igrate"), "{answer}");
    }
    let (code, _, log) = outcome(
        Command::new(env!("CARGO_BIN_EXE_migrate"))
            .env_clear()
            .output()
            .unwrap(),
    );
    assert_eq!((code, log.contains("--help")), (64, true), "{log}");
}
