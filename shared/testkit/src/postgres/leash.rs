//! Ties a server to this process, so that it ends when we do, even by SIGKILL.
//!
//! A shell of a few lines (`leash.sh`) starts the server and reads a pipe whose other end only
//! we hold. It has a process group of its own: Ctrl-C, or a test runner that kills our whole
//! group, must not reach it before it has cleaned up.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result};

/// What the leash is told once, at the start.
pub(super) struct Orders<'a> {
    /// The signal to the server when we end: `INT` (save everything) or `QUIT` (at once).
    pub(super) at_end: &'static str,
    /// A directory that is removed then.
    pub(super) remove: Option<&'a Path>,
    /// A directory of nothing but sockets that is removed then.
    pub(super) sockets: Option<&'a Path>,
    /// What is copied to `data` when there is nothing yet.
    pub(super) template: Option<&'a Path>,
    /// The server's data directory.
    pub(super) data: &'a Path,
    /// Where the server's messages go.
    pub(super) log: &'a Path,
}

/// A running server that ends with this value, or with this process.
pub(super) struct Leash {
    shell: Child,
    server: Arc<Server>,
}

/// What the shell's output told about the server.
#[derive(Default)]
struct Server {
    id: OnceLock<u32>,
    ended: OnceLock<()>,
}

impl Leash {
    /// Starts `server` under a shell that `shell` makes (it carries the account to run as).
    pub(super) fn start(mut shell: Command, orders: &Orders<'_>, server: &Command) -> Result<Self> {
        let path = |path: Option<&Path>| {
            path.map_or_else(Default::default, |path| path.as_os_str().to_owned())
        };
        let mut shell = shell
            .args(["-c", include_str!("leash.sh"), "leash"])
            .arg(server.get_program())
            .args(server.get_args())
            .env("at_end", orders.at_end)
            .env("remove", path(orders.remove))
            .env("sockets", path(orders.sockets))
            .env("template", path(orders.template))
            .env("data", orders.data)
            .env("log", orders.log)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start /bin/sh")?;
        let server = Arc::new(Server::default());
        let output = shell.stdout.take().context("the shell has no output")?;
        let seen = Arc::clone(&server);
        std::thread::spawn(move || seen.follow(output));
        Ok(Self { shell, server })
    }

    /// The server's process id, once it was started.
    pub(super) fn server_id(&self) -> Option<u32> {
        self.server.id.get().copied()
    }

    /// Whether every process of the server is gone.
    pub(super) fn has_ended(&self) -> bool {
        self.server.ended.get().is_some()
    }

    /// Sends the server a signal, such as `INT`.
    pub(super) fn signal(&mut self, name: &str) -> Result<()> {
        let orders = self.shell.stdin.as_mut().context("the leash was let go")?;
        writeln!(orders, "{name}").context("the leash is broken")
    }

    /// Lets go of a server that has ended, and leaves its files to another leash.
    pub(super) fn release(mut self) -> Result<()> {
        self.signal("keep")
    }
}

impl Server {
    /// Reads the shell's output: the id of the server, and then its end.
    fn follow(&self, output: ChildStdout) {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        if output.read_line(&mut line).is_ok()
            && let Ok(id) = line.trim().parse()
        {
            self.id.get_or_init(|| id);
        }
        // Whether it ends well or not: nothing more will be heard of the server.
        let _nothing_is_written = output.read_to_end(&mut Vec::new());
        self.ended.get_or_init(|| ());
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // The shell cannot fail in a way that the owner of a vanishing server could act on.
        let _status = self.shell.wait();
    }
}
