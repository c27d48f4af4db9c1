//! What a program needs from its start to its end, for benchmarks; Linux tells it below `/proc`.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

/// How often it is looked at how much memory it has.
const LOOK: Duration = Duration::from_millis(2);

/// What a process needed.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// From its start to its end.
    pub wall: Duration,
    /// Of the processor, in user and kernel, its own children included; told in hundredths of a second.
    pub cpu: Duration,
    /// The most that it had resident, in MiB.
    pub peak_mib: f64,
}

impl Usage {
    /// Runs a program to its end, which must be a good one. Other children of this process must not
    /// end meanwhile: their time would be counted too.
    ///
    /// # Errors
    ///
    /// When it cannot be started, when it fails, and where there is no `/proc`.
    pub async fn of(command: &mut Command) -> Result<Self> {
        let before = cpu_of_children()?;
        let begun = Instant::now();
        let mut child = command.spawn()?;
        let id = child.id().context("the process has ended already")?;
        let mut peak = 0.0_f64;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                () = tokio::time::sleep(LOOK) => peak = peak.max(peak_mib(id).unwrap_or_default()),
            }
        };
        let wall = begun.elapsed();
        ensure!(status.success(), "{command:?} failed: {status}");
        Ok(Self {
            wall,
            cpu: cpu_of_children()?.saturating_sub(before),
            peak_mib: peak,
        })
    }
}

/// The most that a process has had resident so far, in MiB; `None` when it is gone.
pub fn peak_mib(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Processor time of children that have ended.
fn cpu_of_children() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(')').context("/proc/self/stat is cut")?;
    let fields = after_name.split_whitespace().skip(13).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}
