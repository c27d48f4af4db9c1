//! The page in a real browser. Photographs of it are left in `target/tmp/page-*.png`.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod look;
mod nova;
mod real;
mod script;
mod stand_in;
mod without_script;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
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

/// A file of this name in a directory of its own; the same one for the same content.
fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    content.as_ref().hash(&mut hasher);
    let directory = format!("{}/{:x}", env!("CARGO_TARGET_TMPDIR"), hasher.finish());
    std::fs::create_dir_all(&directory).unwrap();
    let file = PathBuf::from(directory).join(name);
    std::fs::write(&file, content).unwrap();
    file
}
