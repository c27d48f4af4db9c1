//! A real browser for tests of pages: headless Chromium.
//!
//! It is driven through `chromedriver` and the W3C's `WebDriver` protocol, which is JSON over HTTP
//! and needs nothing that this crate does not have. The other way, Chromium's own protocol over a
//! WebSocket, would need a WebSocket, and our own waiting, clicking and typing, which the driver
//! does as a person would: an element that lies under another cannot be clicked. What `WebDriver`
//! lacks (dark scheme, narrow screen, no scripts, dropped files) goes through the driver to
//! Chromium's protocol as well.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use nova_testkit::chromium::Browser;
//!
//! let browser = Browser::start().await?;
//! browser.go_to("http://127.0.0.1:8080/upload_article_guideline").await?;
//! browser.set_file("#file", "guideline.md".as_ref()).await?;
//! browser.click("#send").await?;
//! let id = browser.wait_for("#article-id").await?;
//! # Ok(()) }
//! ```

mod binaries;
mod browser;
mod device;
mod driver;
mod look;
mod wire;

pub use self::browser::{Browser, Key};
