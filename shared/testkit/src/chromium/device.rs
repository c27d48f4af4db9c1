//! The visitor's side of the glass: screen, colours, scripts, files from the desktop, a photograph.

use std::path::Path;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::browser::Browser;

impl Browser {
    /// Prefers dark or light colours from now on.
    pub async fn prefer_dark(&self, dark: bool) -> Result<()> {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.session
            .devtools("Emulation.setEmulatedMedia", features)
            .await
            .map(drop)
    }

    /// The size of the window in CSS pixels. Below 600 it is a phone.
    pub async fn viewport(&self, width: u32, height: u32) -> Result<()> {
        let phone = width < 600;
        let scale = if phone { 2 } else { 1 };
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone});
        self.session
            .devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await
            .map(drop)
    }

    /// Whether pages may run scripts. [`Browser::evaluate`] still does.
    pub async fn allow_scripts(&self, allowed: bool) -> Result<()> {
        let parameters = json!({"value": !allowed});
        self.session
            .devtools("Emulation.setScriptExecutionDisabled", parameters)
            .await
            .map(drop)
    }

    /// Gives the browser a cookie of the site it is on, as the site itself would, out of scripts' reach.
    pub async fn set_cookie(&self, name: &str, value: &str) -> Result<()> {
        let cookie = json!({"name": name, "value": value, "httpOnly": true, "sameSite": "Lax"});
        let cookie = json!({"cookie": cookie});
        self.session.post("/cookie", &cookie).await.map(drop)
    }

    /// Slows uploads down to so many bytes a second.
    pub async fn slow_uploads(&self, bytes_per_second: u32) -> Result<()> {
        self.session.devtools("Network.enable", json!({})).await?;
        let conditions = json!({
            "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second,
        });
        self.session
            .devtools("Network.emulateNetworkConditions", conditions)
            .await
            .map(drop)
    }

    /// Lets the test read what a page copied to the clipboard.
    pub async fn allow_clipboard(&self) -> Result<()> {
        for name in ["clipboard-read", "clipboard-write"] {
            let permission = json!({"permission": {"name": name}, "setting": "granted"});
            self.session
                .devtools("Browser.setPermission", permission)
                .await?;
        }
        Ok(())
    }

    /// Drags files from outside the browser to the middle of an element, and holds them there.
    pub async fn drag_files(&self, selector: &str, files: &[&Path]) -> Result<()> {
        for step in ["dragEnter", "dragOver"] {
            self.drag_event(step, selector, files).await?;
        }
        Ok(())
    }

    /// Drags files from outside the browser to the middle of an element, and lets go.
    pub async fn drop_files(&self, selector: &str, files: &[&Path]) -> Result<()> {
        self.drag_files(selector, files).await?;
        self.drag_event("drop", selector, files).await
    }

    async fn drag_event(&self, step: &str, selector: &str, files: &[&Path]) -> Result<()> {
        let script = "const it = document.querySelector(arguments[0]).getBoundingClientRect();
            return [it.x + it.width / 2, it.y + it.height / 2];";
        let (x, y): (f64, f64) = self.call(script, json!([selector])).await?;
        // 1 stands for “copy”.
        let data = json!({"items": [], "files": files, "dragOperationsMask": 1});
        let event = json!({"type": step, "x": x, "y": y, "data": data});
        self.session
            .devtools("Input.dispatchDragEvent", event)
            .await
            .map(drop)
    }

    /// The page as a screen reader has it: `role: name` of what has one of these roles, level by level.
    ///
    /// Roles are those of ARIA, such as `main`, `heading`, `button`, `link`, `textbox`.
    pub async fn heard(&self, roles: &[&str]) -> Result<Vec<String>> {
        let tree = json!({});
        let tree = self
            .session
            .devtools("Accessibility.getFullAXTree", tree)
            .await?;
        let nodes = tree["nodes"].as_array().context("no tree")?;
        let heard = nodes.iter().filter(|node| node["ignored"] == false);
        let heard = heard.filter_map(|node| {
            let role = node["role"]["value"].as_str()?;
            let name = node["name"]["value"].as_str().unwrap_or_default();
            roles.contains(&role).then(|| format!("{role}: {name}"))
        });
        Ok(heard.collect())
    }

    /// Photographs the whole page, below the fold too, into a PNG file.
    pub async fn screenshot(&self, file: &Path) -> Result<()> {
        let script = "const it = document.documentElement; return [innerWidth, it.scrollHeight];";
        let (width, height): (u32, u32) = self.evaluate(script).await?;
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let picture = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let answer = self
            .session
            .devtools("Page.captureScreenshot", picture)
            .await?;
        let picture = STANDARD.decode(answer["data"].as_str().context("no picture")?)?;
        tokio::fs::write(file, picture)
            .await
            .with_context(|| file.display().to_string())
    }
}
