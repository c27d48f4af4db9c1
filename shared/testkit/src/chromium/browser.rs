//! What a test does with a page: go, wait, click, type, look.
//!
//! Elements are named by CSS selectors, and each method finds its element anew: a page that
//! changes under the test leaves no stale handle behind.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::binaries::Binaries;
use super::driver::Driver;
use super::wire::Session;

/// How long a page may take to do what a test waits for.
const PATIENCE: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_millis(20);

/// A browser with one empty profile and one tab. It ends when it is dropped, or with the process.
pub struct Browser {
    pub(super) session: Session,
    driver: Driver,
}

/// A key without a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// To the next control.
    Tab,
    /// Presses a button, follows a link, sends a form.
    Enter,
    /// Presses a button, opens what can be opened.
    Space,
}

impl Browser {
    /// Starts a browser (about half a second).
    ///
    /// # Errors
    ///
    /// When no browser or driver is installed, with what to install.
    pub async fn start() -> Result<Self> {
        let binaries = Binaries::find()?;
        let driver = Driver::start(&binaries)?;
        let profile = format!(
            "--user-data-dir={}",
            driver.profile().join("profile").display()
        );
        let capabilities = json!({
            "goog:chromeOptions": {
                "binary": binaries.browser,
                "args": [
                    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    "--disable-breakpad", "--disable-dev-shm-usage", "--no-proxy-server",
                    // Chromium's own fence needs rights that root does not want and containers do
                    // not give. It keeps strangers' pages in; ours come from the test itself.
                    "--no-sandbox",
                    profile,
                ],
            },
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let session = Session::open(driver.port(), &capabilities).await?;
        Ok(Self { session, driver })
    }

    /// Closes the browser in peace. Dropping it is enough, but kills it.
    pub async fn close(self) -> Result<()> {
        self.session.close().await?;
        tokio::task::spawn_blocking(move || drop(self.driver))
            .await
            .context("the driver's end")
    }

    /// Opens an address and waits until it is loaded.
    pub async fn go_to(&self, url: &str) -> Result<()> {
        self.session
            .post("/url", &json!({"url": url}))
            .await
            .map(drop)
    }

    /// Where the browser is.
    pub async fn address(&self) -> Result<String> {
        text_of(&self.session.get("/url").await?)
    }

    /// The title of the page.
    pub async fn title(&self) -> Result<String> {
        text_of(&self.session.get("/title").await?)
    }

    /// Waits until an element can be seen, and answers its text.
    pub async fn wait_for(&self, selector: &str) -> Result<String> {
        self.wait_until(selector, |_text| true).await
    }

    /// Waits until a visible element contains a text, and answers its whole text.
    pub async fn wait_for_text(&self, selector: &str, part: &str) -> Result<String> {
        self.wait_until(selector, |text| text.contains(part))
            .await
            .with_context(|| format!("for “{part}”"))
    }

    async fn wait_until(&self, selector: &str, fits: impl Fn(&str) -> bool) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let seen = self.visible_text(selector).await?;
            match &seen {
                Some(text) if fits(text) => return Ok(text.clone()),
                _ if Instant::now() < end => sleep(PAUSE).await,
                _ => {
                    let page = self.visible_text("body").await?.unwrap_or_default();
                    let errors = self.console_errors().await?;
                    bail!(
                        "waited in vain for {selector}: {seen:?}; the page shows “{page}”, the console {errors:?}"
                    )
                }
            }
        }
    }

    /// The text that an element shows; `None` if it is not there or cannot be seen.
    pub async fn visible_text(&self, selector: &str) -> Result<Option<String>> {
        let script = "const it = document.querySelector(arguments[0]);
            return it && it.checkVisibility() ? it.innerText : null;";
        self.call(script, json!([selector])).await
    }

    /// An attribute's value, if the element has it.
    pub async fn attribute(&self, selector: &str, name: &str) -> Result<Option<String>> {
        self.call(
            "return document.querySelector(arguments[0]).getAttribute(arguments[1]);",
            json!([selector, name]),
        )
        .await
    }

    /// Clicks in the middle of an element. It is an error if something else lies there.
    pub async fn click(&self, selector: &str) -> Result<()> {
        self.to_element(selector, "click", &json!({})).await
    }

    /// Types a text into a field.
    pub async fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        self.to_element(selector, "value", &json!({"text": text}))
            .await
    }

    /// Chooses a file in an `<input type=file>`.
    pub async fn set_file(&self, selector: &str, file: &Path) -> Result<()> {
        self.set_files(selector, &[file]).await
    }

    /// Chooses files in an `<input type=file multiple>`.
    pub async fn set_files(&self, selector: &str, files: &[&Path]) -> Result<()> {
        let files = files.iter().map(std::path::absolute);
        let files: Vec<_> = files.collect::<Result<_, _>>()?;
        let names: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
        self.to_element(selector, "value", &json!({"text": names.join("\n")}))
            .await
    }

    /// Presses and releases a key, wherever the focus is.
    pub async fn press(&self, key: Key) -> Result<()> {
        let value = match key {
            Key::Tab => "\u{e004}",
            Key::Enter => "\u{e007}",
            Key::Space => " ",
        };
        let strokes =
            json!([{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]);
        let keyboard = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.session.post("/actions", &keyboard).await.map(drop)
    }

    /// Runs a script's body in the page, and answers what it returns (the value of a promise, too).
    pub async fn evaluate<T: DeserializeOwned>(&self, script: &str) -> Result<T> {
        self.call(script, json!([])).await
    }

    /// As [`Browser::evaluate`], with a JSON array of `arguments`.
    pub async fn call<T: DeserializeOwned>(&self, script: &str, arguments: Value) -> Result<T> {
        let value = self
            .session
            .post(
                "/execute/sync",
                &json!({"script": script, "args": arguments}),
            )
            .await?;
        serde_json::from_value(value)
            .with_context(|| format!("what came back does not fit: {script}"))
    }

    /// What was reported in the console as an error since the last question: uncaught exceptions,
    /// violations of the security policy, requests that failed.
    pub async fn console_errors(&self) -> Result<Vec<String>> {
        let entries = self
            .session
            .post("/se/log", &json!({"type": "browser"}))
            .await?;
        let entries = entries.as_array().context("the log is not a list")?;
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| text_of(&entry["message"])).collect()
    }

    async fn to_element(&self, selector: &str, command: &str, arguments: &Value) -> Result<()> {
        let element = json!({"using": "css selector", "value": selector});
        let element = self.session.post("/element", &element).await?;
        let id = element
            .as_object()
            .and_then(|it| it.values().next())
            .and_then(Value::as_str);
        let id = id.context("the driver names no element")?;
        let done = self
            .session
            .post(&format!("/element/{id}/{command}"), arguments)
            .await;
        done.map(drop)
            .with_context(|| format!("{command} on {selector}"))
    }
}

fn text_of(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).context("not a text")
}
