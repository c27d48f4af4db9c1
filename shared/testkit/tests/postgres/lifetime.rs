//! The server ends with the process that started it, however that ends.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nova_testkit::postgres::Postgres;

use crate::clusters::Scratch;

/// Not a test: what the tests below run in a process of its own. It says where its server is and
/// lives until its standard input ends.
#[tokio::test]
#[ignore = "the other tests of this file run it"]
async fn hold_a_server() {
    let postgres = Postgres::shared().await;
    let database = postgres.empty_database().await;
    println!("\nholding {}", database.url);
    let mut nothing = Vec::new();
    std::io::stdin().read_to_end(&mut nothing).unwrap();
}

/// A process that holds a server, with a directory for temporary files of its own.
struct Holder {
    process: Child,
    // Kept open: the process says more at its end.
    _output: BufReader<ChildStdout>,
    server_directory: PathBuf,
}

/// The command of a holder. The program is copied, as an account other than root may not be able
/// to reach the build's directory.
fn holder(temporary: &Path) -> Command {
    let program = temporary.join("holder");
    if !program.exists() {
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    }
    let mut command = Command::new(program);
    command.args([
        "lifetime::hold_a_server",
        "--exact",
        "--ignored",
        "--nocapture",
    ]);
    command
        .env("TMPDIR", temporary)
        .current_dir(temporary)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command.process_group(0);
    command
}

impl Holder {
    /// Waits until the server runs.
    fn wait_for(mut process: Child) -> Self {
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let lines = output.by_ref().lines().map(Result::unwrap);
        let line = lines
            .into_iter()
            .find(|line| line.starts_with("holding"))
            .expect("a server");
        let (_, directory) = line.split_once("?host=").unwrap();
        let (directory, _) = directory.split_once('&').unwrap();
        Self {
            process,
            _output: output,
            server_directory: PathBuf::from(directory),
        }
    }

    fn start(temporary: &Path) -> Self {
        Self::wait_for(holder(temporary).spawn().unwrap())
    }

    /// Lets the process end in order.
    fn end(&mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }

    /// Processes whose command line names the server's directory.
    fn processes(&self) -> usize {
        let mut pgrep = Command::new("pgrep");
        let output = pgrep
            .arg("-f")
            .arg(&self.server_directory)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).lines().count()
    }

    fn assert_nothing_is_left_soon(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.processes() > 0 || self.server_directory.exists() {
            let directory = self.server_directory.display();
            assert!(
                Instant::now() < deadline,
                "{} processes and {directory} are left",
                self.processes()
            );
            pause(Duration::from_millis(20));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "these tests run in no executor")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// What is left in the directory for temporary files, but for the program.
fn left_in(temporary: &Path) -> Vec<String> {
    let names = fs::read_dir(temporary)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "holder").collect()
}

fn wait_until_left_in(temporary: &Path, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while left_in(temporary).len() != count {
        let left = left_in(temporary);
        assert!(
            Instant::now() < deadline,
            "not {count}, but {left:?} are left"
        );
        pause(Duration::from_millis(1));
    }
}

fn templates_in(temporary: &Path) -> usize {
    let cache = left_in(temporary)
        .into_iter()
        .find(|name| name.starts_with("nova-postgres-"))
        .expect("a cache");
    left_in(&temporary.join(cache)).len()
}

#[test]
fn a_killed_process_or_process_group_leaves_nothing() {
    let scratch = Scratch::new();
    // Where servers usually are.
    let holder = || Holder::wait_for(holder(&scratch.0).env_remove("TMPDIR").spawn().unwrap());
    let mut killed = holder();
    assert!(killed.processes() > 0);
    killed.process.kill().unwrap();
    killed.process.wait().unwrap();
    killed.assert_nothing_is_left_soon();

    // As test runners do when a test takes too long.
    let mut killed = holder();
    let group = format!("-{}", killed.process.id());
    let status = Command::new("kill").args(["-KILL", "--", &group]).status();
    assert!(status.unwrap().success());
    killed.process.wait().unwrap();
    killed.assert_nothing_is_left_soon();
}

#[test]
fn a_process_killed_while_its_server_starts_leaves_nothing() {
    let temporary = Scratch::new();
    Holder::start(&temporary.0).end();
    wait_until_left_in(&temporary.0, 1);
    // From the first sign of a server on, strike at any moment of its start.
    for delay_ms in [0, 5, 10, 20, 40, 60, 80, 120, 160, 240] {
        let mut process = holder(&temporary.0).spawn().unwrap();
        wait_until_left_in(&temporary.0, 2);
        pause(Duration::from_millis(delay_ms));
        process.kill().unwrap();
        process.wait().unwrap();
        wait_until_left_in(&temporary.0, 1);
    }
}

#[test]
fn processes_that_start_at_once_make_one_template() {
    let temporary = Scratch::new();
    let processes: Vec<Child> = (0..3)
        .map(|_| holder(&temporary.0).spawn().unwrap())
        .collect();
    let holders: Vec<Holder> = processes.into_iter().map(Holder::wait_for).collect();
    for mut holder in holders {
        holder.end();
        holder.assert_nothing_is_left_soon();
    }
    assert_eq!(
        (left_in(&temporary.0).len(), templates_in(&temporary.0)),
        (1, 1)
    );
}

#[test]
fn root_and_others_can_each_run_a_server() {
    let temporary = Scratch::new();
    if fs::metadata(&temporary.0).unwrap().uid() != 0 {
        println!(
            "skipped: only root can become somebody else; every other test here ran as this user"
        );
        return;
    }
    let nobody = 65_534;
    let mut command = holder(&temporary.0);
    fs::set_permissions(
        temporary.0.join("holder"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    let started = Instant::now();
    let mut holder = Holder::wait_for(command.uid(nobody).gid(nobody).spawn().unwrap());
    println!("as nobody, initdb included: {:?}", started.elapsed());
    assert_eq!(
        fs::metadata(&holder.server_directory).unwrap().uid(),
        nobody
    );
    assert_eq!(
        fs::metadata(&holder.server_directory).unwrap().mode() & 0o777,
        0o700
    );
    holder.process.kill().unwrap();
    holder.process.wait().unwrap();
    holder.assert_nothing_is_left_soon();
}
