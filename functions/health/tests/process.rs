//! The binary as Cloud Run meets it: arguments, settings, port, signals, exit codes.
//!
//! `health` stands for all services; they share everything that is tried here.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use nova_testkit::ReservedPort;

const BINARY: &str = env!("CARGO_BIN_EXE_health");
/// Nobody listens there.
const NO_DATABASE: &str = "postgres://nova@127.0.0.1:1/nova";

fn command() -> Command {
    let mut command = Command::new(BINARY);
    command
        .env_clear()
        .env("DATABASE_URL", NO_DATABASE)
        .env("DB_ACQUIRE_TIMEOUT_SECONDS", "1");
    command
}

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

struct Server {
    child: Child,
    port: ReservedPort,
}

impl Server {
    fn start(mut command: Command) -> Self {
        let port = ReservedPort::new().unwrap();
        let child = command
            .env("PORT", port.number().to_string())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port.number())).is_err() {
            assert!(Instant::now() < deadline, "it does not listen");
            std::thread::yield_now();
        }
        Self { child, port }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port.number())).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &id])
                .status()
                .unwrap()
                .success()
        );
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let help = run(&["--help"]);
    assert!(help.status.success());
    for expected in ["Tells whether Nova is up", "--once", "PORT", "DATABASE_URL"] {
        assert!(text(&help.stdout).contains(expected), "{expected}");
    }
    let version = run(&["--version"]);
    assert_eq!(
        text(&version.stdout),
        format!("health {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn wrong_arguments_and_settings_exit_with_64_and_say_what_to_do() {
    let wrong = run(&["--onec"]);
    assert_eq!(wrong.status.code(), Some(64));
    assert!(
        text(&wrong.stderr).contains("see --help"),
        "{}",
        text(&wrong.stderr)
    );
    let wrong = command().env("PORT", "http").output().unwrap();
    assert_eq!(wrong.status.code(), Some(64));
    assert!(
        text(&wrong.stderr).contains("PORT=http: a port number"),
        "{}",
        text(&wrong.stderr)
    );
    let wrong = command().env_remove("DATABASE_URL").output().unwrap();
    assert_eq!(wrong.status.code(), Some(64));
    assert!(
        text(&wrong.stderr).contains("set DATABASE_URL"),
        "{}",
        text(&wrong.stderr)
    );
}

#[test]
fn once_prints_the_answer_and_exits() {
    let once = run(&["--once", r#"{"path": "/health"}"#, "--user", "alice"]);
    assert!(once.status.success(), "{}", text(&once.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&once.stdout).unwrap();
    assert_eq!(answer["status"], "ok");
}

#[test]
fn once_that_fails_exits_with_1_and_prints_nothing_as_a_result() {
    let once = run(&["--once", r#"{"path": "/nowhere"}"#, "--user", "alice"]);
    assert_eq!((once.status.code(), once.stdout.len()), (Some(1), 0));
    assert!(
        text(&once.stderr).contains("does not answer that path"),
        "{}",
        text(&once.stderr)
    );
}

#[test]
fn a_cloud_run_job_does_what_its_environment_says() {
    let mut job = command();
    job.env("CLOUD_RUN_JOB", "health")
        .env("NOVA_ONCE", r#"{"path": "/health"}"#);
    let done = job.env("NOVA_USER", "alice").output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    let nobody = job.env_remove("NOVA_USER").output().unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    assert!(
        text(&nobody.stderr).contains("in whose name"),
        "{}",
        text(&nobody.stderr)
    );
}

#[test]
fn it_answers_without_its_database_and_says_so_when_asked() {
    let mut server = Server::start(command());
    assert!(server.get("/health").starts_with("HTTP/1.0 200"));
    let answer = server.get("/health/db");
    assert!(answer.starts_with("HTTP/1.0 503"), "{answer}");
    assert!(answer.contains("\"database\":\"unreachable\""), "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("retry-after: 5"),
        "{answer}"
    );
    assert!(server.get("/livez").starts_with("HTTP/1.0 200"));
    let answer = server.get("/readyz");
    assert!(answer.starts_with("HTTP/1.0 503"), "{answer}");
    server.signal("-TERM");
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn log_lines_are_json_with_the_trace_of_the_request() {
    let mut logged = command();
    logged.env("GOOGLE_CLOUD_PROJECT", "acme");
    let mut server = Server::start(logged);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port.number())).unwrap();
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    write!(
        stream,
        "GET /health HTTP/1.0\r\ntraceparent: 00-{id}-00f067aa0ba902b7-01\r\n\r\n"
    )
    .unwrap();
    stream.read_to_string(&mut String::new()).unwrap();
    server.signal("-TERM");
    let mut log = String::new();
    server
        .child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let line = lines
        .iter()
        .find(|line| line["httpRequest"]["status"] == 200)
        .expect(&log);
    assert_eq!(line["severity"], "INFO");
    assert_eq!(
        line["logging.googleapis.com/trace"],
        format!("projects/acme/traces/{id}")
    );
    assert!(server.child.wait().unwrap().success());
}

/// Process 1 of a container gets no default action for signals. Needs the right to make a process
/// namespace, which root has.
#[test]
fn it_ends_on_sigterm_as_process_1() {
    let allowed = Command::new("unshare")
        .args(["--pid", "--fork", "true"])
        .output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("not tried: this user may not make a process namespace");
        return;
    }
    let mut first = Command::new("unshare");
    first.args(["--pid", "--fork", "--kill-child", BINARY]);
    first.env("DATABASE_URL", NO_DATABASE);
    let mut server = Server::start(first);
    // The signal goes to the child of `unshare`, which is process 1 in there.
    let parent = server.child.id().to_string();
    let told = Command::new("pkill")
        .args(["-TERM", "-P", &parent])
        .status()
        .unwrap();
    assert!(told.success());
    let asked = Instant::now();
    assert!(server.child.wait().unwrap().success());
    assert!(asked.elapsed() < Duration::from_secs(8));
}
