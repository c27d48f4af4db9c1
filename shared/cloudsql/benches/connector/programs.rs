//! The processes that are compared: ours, and those of Google's own connectors where they are installed.
//!
//! Each opens its connections one after the other over one connector, logs in by IAM, asks each who it
//! is, and closes it.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Result, ensure};
use nova_testkit::usage::Usage;
use serde_json::Value;
use tokio::process::Command;

use crate::{
    FURTHER, INSTANCE, PRINCIPAL, ROUNDS, USER, World, figure, mean, milliseconds, target,
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// `examples/probe.rs`.
    Ours,
    /// `cloud-sql-python-connector[asyncpg]`, lazy.
    Python,
    /// `@google-cloud/cloud-sql-connector` and `pg`.
    Node,
}

impl Program {
    pub(crate) const ALL: [Self; 3] = [Self::Ours, Self::Python, Self::Node];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Python => "Google's for Python",
            Self::Node => "Google's for Node",
        }
    }

    /// How often it is run: theirs take ten times as long.
    pub(crate) fn rounds(self) -> usize {
        if self == Self::Ours {
            ROUNDS
        } else {
            ROUNDS / 9
        }
    }

    /// Whether it can be compared with; says so where it cannot.
    #[expect(clippy::print_stdout, reason = "a benchmark says what it leaves out")]
    pub(crate) fn is_installed(self) -> bool {
        let installed = match self {
            Self::Ours => true,
            Self::Python | Self::Node => self.installation().is_ok_and(|path| path.exists()),
        };
        if !installed {
            println!(
                "{} is not installed, and left out: `make {}`",
                self.name(),
                self.folder()
            );
        }
        installed
    }

    /// What the Makefile calls it, and the folder of tools that it is installed into.
    fn folder(self) -> &'static str {
        match self {
            Self::Ours => "",
            Self::Python => "cloud-sql-python-connector",
            Self::Node => "cloud-sql-node-connector",
        }
    }

    fn installation(self) -> Result<PathBuf> {
        let inside = match self {
            Self::Ours => return Ok(target()?.join("release/examples/probe")),
            Self::Python => "bin/python",
            Self::Node => "node_modules",
        };
        Ok(target()?.join("tools").join(self.folder()).join(inside))
    }

    /// The process that opens so many connections.
    pub(crate) fn command(self, world: &World, connections: usize) -> Result<Command> {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/connector");
        let installed = self.installation()?;
        let connections = connections.to_string();
        let mut command = match self {
            Self::Ours => {
                ensure!(
                    installed.is_file(),
                    "{} is missing: `make bench` builds it",
                    installed.display()
                );
                let mut command = Command::new(installed);
                command
                    .env_clear()
                    .env("CSQL_ENDPOINT", world.cloud.url())
                    .env("CSQL_INSTANCE", INSTANCE)
                    .env("CSQL_USER", PRINCIPAL)
                    .env("CSQL_DB", world.name()?)
                    .env("CSQL_IAM", "1")
                    .env("CSQL_SEQUENTIAL", "1")
                    .env("CSQL_CONNECTIONS", connections)
                    .env("GOOGLE_APPLICATION_CREDENTIALS", world.cloud.key_file());
                command
            }
            Self::Python => {
                let mut command = Command::new(installed);
                command
                    .env_clear()
                    .arg(here.join("official.py"))
                    .args([&world.cloud.url(), INSTANCE, USER, &world.name()?])
                    .arg(world.cloud.key_file())
                    .arg(connections);
                command
            }
            Self::Node => {
                let mut command = Command::new("node");
                command
                    .arg(here.join("official.mjs"))
                    .arg(installed)
                    .args([&world.cloud.url(), INSTANCE, USER, &world.name()?])
                    .arg(connections)
                    // Without these it looks for a project and a metadata server first, for seconds.
                    .env("GOOGLE_CLOUD_PROJECT", "proj")
                    .env("METADATA_SERVER_DETECTION", "assume-present")
                    .env("GCE_METADATA_HOST", world.cloud.metadata_host());
                command
            }
        };
        command.stdout(Stdio::null());
        Ok(command)
    }
}

/// What the runs of one program cost.
#[derive(Default)]
pub(crate) struct Costs {
    wall_ms: Vec<f64>,
    cpu_ms: Vec<f64>,
    memory_mib: Vec<f64>,
    further_ms: Vec<f64>,
}

impl Costs {
    /// A run with one connection, and one with [`FURTHER`] more.
    pub(crate) fn add(&mut self, first: &Usage, further: &Usage) {
        self.wall_ms.push(milliseconds(first.wall));
        self.cpu_ms.push(milliseconds(first.cpu));
        self.memory_mib.push(first.peak_mib);
        let longer = milliseconds(further.wall) - milliseconds(first.wall);
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        self.further_ms.push(longer / FURTHER as f64);
    }

    /// The figures; ours have targets.
    pub(crate) fn figures(self, program: Program) -> [Value; 4] {
        let target = |target| if program == Program::Ours { target } else { "" };
        let named = |what| format!("{}: {what}", program.name());
        [
            figure(&named("start to first row and exit, ms"), self.wall_ms, ""),
            figure(
                &named("the same, CPU ms (mean)"),
                vec![mean(&self.cpu_ms)],
                target("90"),
            ),
            figure(&named("peak memory, MiB"), self.memory_mib, target("12")),
            figure(
                &named("each further connection, ms"),
                self.further_ms,
                target("4"),
            ),
        ]
    }
}

/// Processor time in milliseconds of making a key of the same size by another program, if it is there.
pub(crate) async fn openssl_key() -> Option<f64> {
    let mut openssl = Command::new("openssl");
    openssl
        .args(["genrsa", "2048"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let used = Usage::of(&mut openssl).await.ok();
    used.map(|used| milliseconds(used.cpu))
}
