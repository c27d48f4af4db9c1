//! Each deployed binary by itself: size, start-up, memory.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nova_local::manifest::Manifest;
use nova_testkit::ReservedPort;
use serde::Serialize;

use crate::report::{median, say, shipped, write};

/// Starts of each binary; the median is told.
const RUNS: usize = 21;

/// What issue the targets come from: 12 MiB, 15 MiB, 10 ms.
#[derive(Serialize)]
struct Figures {
    function: String,
    /// Stripped, in the profile that ships.
    size_mib: f64,
    /// From exec to the first accepted connection.
    listening_ms: f64,
    /// From exec to the end of the first answer.
    first_answer_ms: f64,
    /// Resident, after the first answer.
    idle_mib: f64,
}

pub(crate) fn measure() -> Result<()> {
    let mut all = Vec::new();
    say("function                      MiB  listening ms  first answer ms  idle MiB");
    for name in Manifest::of_this_build()?.services.keys() {
        let measured = figures(name, &shipped(name)?)?;
        say(&format!(
            "{:<28} {:>4.1} {:>13.1} {:>16.1} {:>9.1}",
            measured.function,
            measured.size_mib,
            measured.listening_ms,
            measured.first_answer_ms,
            measured.idle_mib
        ));
        all.push(measured);
    }
    write("binaries", &all)
}

fn figures(name: &str, binary: &Path) -> Result<Figures> {
    let (mut listening, mut answered, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let run = Run::start(binary)?;
        listening.push(run.listening.as_secs_f64() * 1000.0);
        answered.push(run.answered.as_secs_f64() * 1000.0);
        memory.push(resident_mib(run.child.id())?);
    }
    Ok(Figures {
        function: name.to_owned(),
        size_mib: mib(fs::metadata(binary)?.len()),
        listening_ms: median(listening),
        first_answer_ms: median(answered),
        idle_mib: median(memory),
    })
}

/// One start of a binary; it ends with this value.
struct Run {
    child: Child,
    listening: Duration,
    answered: Duration,
}

impl Run {
    fn start(binary: &Path) -> Result<Self> {
        let port = ReservedPort::new()?;
        let begun = Instant::now();
        let child = Command::new(binary)
            .env_clear()
            .env("PORT", port.number().to_string())
            .env("LOG_LEVEL", "error")
            // Nothing is connected before it is needed, so nothing has to be there.
            .env("DATABASE_URL", "postgres://nova@127.0.0.1:1/nova")
            .env("OIDC_ISSUER", "http://127.0.0.1:1")
            .env("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
            .env("BLOB_BUCKET", "nova")
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("{} cannot be started", binary.display()))?;
        let mut run = Self {
            child,
            listening: Duration::MAX,
            answered: Duration::MAX,
        };
        let mut stream = loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port.number())) {
                break stream;
            }
            ensure!(
                run.child.try_wait()?.is_none(),
                "{} ended",
                binary.display()
            );
            ensure!(
                begun.elapsed() < Duration::from_secs(10),
                "it does not listen"
            );
            std::thread::yield_now();
        };
        run.listening = begun.elapsed();
        write!(stream, "GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        run.answered = begun.elapsed();
        ensure!(
            answer.starts_with("HTTP/1.0 404"),
            "an unexpected answer: {answer}"
        );
        Ok(run)
    }
}

/// What a process has in memory.
pub(crate) fn resident_mib(id: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))
        .context("memory is read from /proc, which this system has not")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .context("/proc/…/status has no VmRSS")?;
    Ok(mib(kib * 1024))
}

impl Drop for Run {
    fn drop(&mut self) {
        // It is measured, not stopped: how it stops is tried in its tests.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn mib(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
    let bytes = bytes as f64;
    bytes / 1024.0 / 1024.0
}
