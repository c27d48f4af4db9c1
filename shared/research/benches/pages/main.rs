//! How well and how fast pages are read, beside what others use.
//!
//! ```console
//! $ shared/research/benches/pages/fetch --python
//! $ cargo bench -p nova-research --features pdf --bench pages
//! ```
//!
//! With `quality` or `speed` as an argument, only that; `quality show` prints what is missed and
//! what is wrong on the pages that the rules were tuned on. The figures that were measured last
//! are in `quality.rs` and `speed.rs`.

mod corpus;
mod quality;
mod speed;

use anyhow::Result;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    let asked = |it: &str| arguments.iter().any(|argument| argument == it);
    if asked("quality") || !asked("speed") {
        quality::measure(asked("show"))?;
    }
    if asked("speed") || !asked("quality") {
        speed::measure()?;
    }
    Ok(())
}
