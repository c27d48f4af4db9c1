//! How fast pages become Markdown, beside two Python programs that people use for it.
//!
//! All read the same pages from memory, in one process each, one after the other in the same run,
//! and are measured by the time that the processor was busy. What was measured last:
//!
//! | | pages a second | ours are |
//! | --- | --- | --- |
//! | `Page::read` | 300 | |
//! | readability-lxml 0.9 and markdownify 1.2.3 | 24 | 12.6 times as many |
//! | trafilatura 2.3.1 | 15 | 20.2 times as many |
//!
//! (198 pages of 147 KB, on a slow core of a shared machine.) Two thirds of our time go into
//! parsing.
#![expect(clippy::print_stdout, reason = "the figures are the result")]
#![expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]

#[path = "../../tests/cpu/mod.rs"]
mod cpu;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nova_research::page;

use crate::corpus::{self, Page};

/// More pages take the Python programs minutes.
const PAGES: usize = 200;

/// Prints pages a second, and how many times as many ours are.
pub(crate) fn measure() -> Result<()> {
    let mut pages = corpus::pages()?;
    let every = pages.len().div_ceil(PAGES);
    pages = pages.into_iter().step_by(every).collect();
    let ours = (0..5).map(|_| ours(&pages)).fold(0.0, f64::max);
    let bytes: usize = pages.iter().map(|it| it.html.len()).sum();
    println!(
        "Markdown of {} pages, {} KB each: {ours:.0} a second",
        pages.len(),
        bytes / pages.len().max(1) / 1000
    );
    let theirs = theirs(&pages)?;
    let mut figures = BTreeMap::from([("nova_pages_per_second".to_owned(), ours)]);
    for (name, rate) in &theirs {
        println!("    {:.1} times {name}, {rate:.1} a second", ours / rate);
        figures.insert(format!("times_{name}"), ours / rate);
    }
    let folder = corpus::target().join("bench");
    fs::create_dir_all(&folder)?;
    let path = folder.join("pages.json");
    fs::write(&path, serde_json::to_vec_pretty(&figures)?)?;
    println!("written to {}", path.display());
    Ok(())
}

/// Bytes to Markdown, with all that [`page::Page::read`] finds out on the way.
fn ours(pages: &[Page]) -> f64 {
    let ((), time) = cpu::time(|| {
        for page in pages {
            let _page = page::Page::read(&page.html, Some("text/html"), &page.url);
        }
    });
    pages.len() as f64 / time.as_secs_f64()
}

fn theirs(pages: &[Page]) -> Result<BTreeMap<String, f64>> {
    let python = corpus::folder().join("python/bin/python");
    ensure!(
        python.exists(),
        "{} is missing: benches/pages/fetch --python makes it",
        python.display()
    );
    let output = Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/benches/pages/speed.py"
        ))
        .args(pages.iter().map(|it| &it.path))
        .output()
        .context("Python")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}
