//! The `chromedriver` process: started for one browser, gone with it.
//!
//! The driver leads a process group that Chromium's processes inherit. A shell that reads a pipe
//! whose other end only we hold kills the group and removes the profile when we end, however we
//! end.

use std::fs::DirBuilder;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use uuid::Uuid;

use super::binaries::Binaries;

/// `$1` is the process group, `$2` the profile. A process that is being killed may still write.
const WATCH: &str = r#"
read -r _
kill -s KILL -- "-$1"
for _ in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$2" 2>/dev/null && exit
    sleep 0.1
done
"#;

/// A running driver.
pub(super) struct Driver {
    process: Child,
    watcher: Child,
    profile: PathBuf,
    port: u16,
}

impl Driver {
    /// Starts a driver on a free port. Waits until it listens (a few milliseconds).
    pub(super) fn start(binaries: &Binaries) -> Result<Self> {
        let profile = std::env::temp_dir().join(format!("nova-chromium-{}", Uuid::now_v7()));
        DirBuilder::new()
            .mode(0o700)
            .create(&profile)
            .context("cannot make a profile")?;
        let mut process = Command::new(&binaries.driver)
            .arg("--port=0")
            // What Chromium keeps beside its profile, a home directory of its own.
            .env("XDG_CONFIG_HOME", &profile)
            .env("XDG_CACHE_HOME", &profile)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start chromedriver")?;
        let watcher = Command::new("/bin/sh")
            .args(["-c", WATCH, "watch", &process.id().to_string()])
            .arg(&profile)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start /bin/sh")?;
        let output = process
            .stdout
            .take()
            .context("chromedriver has no output")?;
        let mut driver = Self {
            process,
            watcher,
            profile,
            port: 0,
        };
        let mut output = BufReader::new(output);
        driver.port = read_port(&mut output)?;
        // Nobody reads what else it says, but a full pipe would stop it.
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        Ok(driver)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn profile(&self) -> &Path {
        &self.profile
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        // Neither can fail in a way that the owner of a vanishing browser could act on.
        let _status = self.watcher.wait();
        let _status = self.process.wait();
    }
}

/// Reads `ChromeDriver was started successfully on port 36123.`
fn read_port(output: &mut impl std::io::BufRead) -> Result<u16> {
    let mut said = String::new();
    for line in output.lines() {
        let line = line?;
        let port = line
            .split_once("successfully on port ")
            .map(|(_, port)| port.trim_end_matches('.'));
        if let Some(port) = port {
            return port.parse().context("chromedriver's port is not a number");
        }
        said.push_str(&line);
        said.push('\n');
    }
    anyhow::bail!("chromedriver ended before it listened: {said}")
}
