//! One process from its start to its end: how long it took, what it used.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::milliseconds;

/// What a process needed.
pub(crate) struct Usage {
    pub(crate) wall: Duration,
    /// Of the processor, in user and kernel, its own children included.
    pub(crate) cpu: Duration,
    /// The most that it had resident, in MiB.
    pub(crate) peak_mib: f64,
}

/// Runs a program to its end, which must be a good one.
pub(crate) async fn run(command: &mut Command) -> Result<Usage> {
    let before = children_cpu()?;
    let started = Instant::now();
    let mut child = command.spawn()?;
    let id = child.id().context("the process has ended already")?;
    let mut peak_mib = 0.0_f64;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            () = tokio::time::sleep(Duration::from_millis(2)) => {
                peak_mib = peak_mib.max(resident_mib(id).unwrap_or_default());
            }
        }
    };
    let wall = started.elapsed();
    ensure!(status.success(), "{command:?} failed");
    let cpu = children_cpu()?.saturating_sub(before);
    Ok(Usage {
        wall,
        cpu,
        peak_mib,
    })
}

/// Processor time in milliseconds of making a key of the same size by another program, if it is there.
pub(crate) async fn openssl_key() -> Option<f64> {
    let mut openssl = Command::new("openssl");
    openssl
        .args(["genrsa", "2048"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let used = run(&mut openssl).await.ok();
    used.map(|used| milliseconds(used.cpu))
}

/// Processor time of children that have ended.
fn children_cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').context("no name in stat")?.1;
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(13)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}

fn resident_mib(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
