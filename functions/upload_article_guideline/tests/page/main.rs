//! The page in a real browser. Photographs of it are left in `target/tmp/page-*.png`.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod look;
mod nova;
mod real;
mod script;
mod stand_in;
mod without_script;

use std::path::PathBuf;

use anyhow::Result;
use nova_testkit::chromium::Browser;

use crate::stand_in::StandIn;

const GUIDELINE: &str = "# The life of stars\n\nStart from https://example.org/stars.\n";

/// The page, opened in a browser of its own.
async fn open() -> Result<(StandIn, Browser)> {
    let server = StandIn::start().await?;
    let browser = Browser::start().await?;
    browser.go_to(&server.url).await?;
    Ok((server, browser))
}

/// A file of this name in a directory of the test that asks: a browser refuses to send a file that
/// changed since it was chosen, and a neighbour that writes the same one again changes it.
fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let test = std::thread::current().name().unwrap().replace("::", "-");
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join(name);
    std::fs::write(&file, content).unwrap();
    file
}
