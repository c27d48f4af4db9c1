//! How fast a repository becomes Markdown, beside gitingest, which is what people use for it.
//!
//! ```console
//! $ shared/research/benches/ingest/fetch
//! $ cargo bench -p nova-research --features ingest --bench ingest
//! ```
//!
//! Both read the sources of a crate that cargo keeps on this machine: we the archive as it came
//! from the registry, packed, gitingest the folder that cargo unpacked of it. Ours has no budget
//! here, so that both give all of the text; with the usual one there is less to write. Measured is
//! the time that the processor was busy, the median of five, in one run. What was measured last:
//!
//! | tokio 1.54.1, 581 files | ms | gitingest takes |
//! | --- | --- | --- |
//! | all of it, 5.0 MB | 22 | 23 times as long |
//! | within the budget of 60,000 tokens, 210 KB | 12 | 41 times as long |
//! | gitingest 0.3.1, all of it, without counting tokens | 513 | |
//!
//! Half of our time goes into unpacking.
#![expect(clippy::print_stdout, reason = "the figures are the result")]
#![expect(clippy::cast_precision_loss, reason = "counts of some millions")]

#[path = "../../tests/cpu/mod.rs"]
mod cpu;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nova_research::ingest::{self, DEFAULT_BUDGET_TOKENS, Digest, Request};
use serde::Deserialize;

/// Large, of many files, and a dependency of this workspace.
const CRATE: &str = "tokio-1";
const TIMES: usize = 5;
const AT_ONCE: u32 = 20;

/// What the Python program says.
#[derive(Deserialize)]
struct Theirs {
    seconds: Vec<f64>,
    characters: usize,
}

fn main() -> Result<()> {
    let archive = in_registry("cache")?;
    let folder = in_registry("src")?;
    let packed = fs::read(&archive)?;
    let (all, ours) = ours(&packed, 50_000_000)?;
    let (usual, ours_usual) = self::ours(&packed, DEFAULT_BUDGET_TOKENS)?;
    let theirs = theirs(&folder)?;
    let their_seconds = median(theirs.seconds);
    println!("{}: {} files", folder.display(), all.files);
    println!(
        "  all of it, {} KB: {:.1} ms",
        all.markdown.len() / 1000,
        ours * 1e3
    );
    println!(
        "  within the budget, {} KB: {:.1} ms",
        usual.markdown.len() / 1000,
        ours_usual * 1e3
    );
    println!(
        "  gitingest, {} KB: {:.1} ms",
        theirs.characters / 1000,
        their_seconds * 1e3
    );
    println!(
        "    {:.1} times as long for all of it",
        their_seconds / ours
    );
    println!(
        "    {:.1} times as long within the budget",
        their_seconds / ours_usual
    );
    let same = all.markdown.len() as f64 / theirs.characters as f64;
    ensure!(
        (0.9..1.1).contains(&same),
        "the texts differ: {same:.2} times as long"
    );
    let figures = BTreeMap::from([
        ("nova_milliseconds", ours * 1e3),
        ("nova_within_budget_milliseconds", ours_usual * 1e3),
        ("gitingest_milliseconds", their_seconds * 1e3),
        ("times_gitingest", their_seconds / ours),
        ("times_gitingest_within_budget", their_seconds / ours_usual),
    ]);
    let place = target().join("bench");
    fs::create_dir_all(&place)?;
    let path = place.join("ingest.json");
    fs::write(&path, serde_json::to_vec_pretty(&figures)?)?;
    println!("written to {}", path.display());
    Ok(())
}

/// Seconds for an archive in memory.
fn ours(packed: &[u8], budget_tokens: usize) -> Result<(Digest, f64)> {
    let request = Request {
        budget_tokens,
        ..Request::new("https://github.com/tokio-rs/tokio", "tokio-rs/tokio")
    };
    let digest = ingest::archive(packed, &request)?;
    let seconds = (0..TIMES).map(|_| {
        // Several at once: the system counts in steps of some milliseconds.
        let (all, time) = cpu::time(|| {
            (0..AT_ONCE).try_for_each(|_| ingest::archive(packed, &request).map(drop))
        });
        all.map(|()| time.as_secs_f64() / f64::from(AT_ONCE))
    });
    Ok((digest, median(seconds.collect::<Result<_, _>>()?)))
}

fn theirs(folder: &Path) -> Result<Theirs> {
    let python = target().join("corpus/gitingest/bin/python");
    ensure!(
        python.exists(),
        "{} is missing: benches/ingest/fetch makes it",
        python.display()
    );
    let output = Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/benches/ingest/gitingest.py"
        ))
        .arg(folder)
        .output()
        .context("Python")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The newest of the crate's versions in cargo's own folders.
fn in_registry(part: &str) -> Result<PathBuf> {
    // Cargo tells a benchmark where it itself is: ~/.cargo unless somebody said otherwise.
    let home = option_env!("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|it| it.join(".cargo")));
    let registries = home.context("a home folder")?.join("registry").join(part);
    let mut found: Vec<PathBuf> = Vec::new();
    for registry in fs::read_dir(registries)? {
        for entry in fs::read_dir(registry?.path())? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with(&format!("{CRATE}.")) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
        .pop()
        .context("tokio's sources are among cargo's: `cargo fetch` gets them")
}

fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program
        .ancestors()
        .nth(3)
        .map(PathBuf::from)
        .unwrap_or_default()
}
