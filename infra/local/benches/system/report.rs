//! Figures, as a table for people and as JSON for programs.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

/// Prints a line.
#[expect(clippy::print_stdout, reason = "what a benchmark is for")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Writes figures to `target/bench/<name>.json`.
pub(crate) fn write(name: &str, figures: &impl Serialize) -> Result<()> {
    let folder = target().join("bench");
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.json"));
    fs::write(&path, serde_json::to_vec_pretty(figures)?)?;
    say(&format!("written to {}", path.display()));
    Ok(())
}

/// The folder that this program was built in.
pub(crate) fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program
        .ancestors()
        .nth(3)
        .map(PathBuf::from)
        .unwrap_or_default()
}

/// A function's program as it ships.
pub(crate) fn shipped(function: &str) -> Result<PathBuf> {
    let folder = std::env::var_os("NOVA_PROGRAMS").context(
        "it is not said where the programs lie: use make bench, or NOVA_PROGRAMS=$(infra/image/compile)",
    )?;
    let program = PathBuf::from(folder).join(function);
    ensure!(program.exists(), "{} is missing", program.display());
    Ok(program)
}

/// The middle of some figures; not a number when there are none.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    percentile(&figures, 0.5)
}

/// A percentile of sorted figures.
pub(crate) fn percentile(sorted: &[f64], part: f64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into some thousands of figures"
    )]
    let index = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
