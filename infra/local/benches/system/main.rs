//! `make bench`: what the functions cost, and how close they come to the database they stand on.
//!
//! Five parts. `binaries` starts each deployed binary by itself: its size, the time from exec to
//! listening and to the first answer, its memory when idle. `rates` runs the whole system and asks
//! it as fast as it answers; right after each figure pgbench sends the same statements to the same
//! server, so that the ratio of the two means something on any machine. `claims` does the same with
//! what workers of long tools begin with. `mcp` is what agents wait for and pay, beside a trivial
//! server of fastmcp. `workflow` is an article from its guideline to its document, and a document
//! larger than memory should be. Figures go to `target/bench/*.json` and to a table.

/// As the functions have it whose rates are compared.
#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod binaries;
mod claims;
mod load;
mod mcp;
mod pgbench;
mod rates;
mod report;
mod workflow;

use std::process::ExitCode;

use rates::RATES;

fn main() -> ExitCode {
    // `cargo bench` passes `--bench`; whatever else is given names the part to run, or one rate.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let runs = |part: &str| wanted.is_empty() || wanted.iter().any(|one| one == part);
    let measure = || {
        if runs("binaries") {
            binaries::measure()?;
        }
        let rates: Vec<_> = RATES.into_iter().filter(|rate| runs(rate)).collect();
        let rates = if runs("rates") { RATES.into() } else { rates };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        if !rates.is_empty() {
            runtime.block_on(rates::measure(&rates))?;
        }
        if runs("mcp") {
            runtime.block_on(mcp::measure())?;
        }
        if runs("claims") {
            runtime.block_on(claims::measure())?;
        }
        if runs("workflow") {
            runtime.block_on(workflow::measure())?;
        }
        anyhow::Ok(())
    };
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::say(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
