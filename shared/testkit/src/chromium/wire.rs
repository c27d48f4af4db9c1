//! One `WebDriver` session: commands and answers are JSON over HTTP.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// Longer than anything that a page of ours does.
const PATIENCE: Duration = Duration::from_mins(1);

/// A session with a driver.
pub(super) struct Session {
    client: Client<HttpConnector, Full<Bytes>>,
    address: String,
}

impl Session {
    /// Opens a session, which starts a browser.
    pub(super) async fn open(port: u16, capabilities: &Value) -> Result<Self> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut session = Self {
            client,
            address: format!("http://127.0.0.1:{port}/session"),
        };
        let opened = session
            .post("", &json!({"capabilities": {"alwaysMatch": capabilities}}))
            .await;
        let opened = opened.context("Chromium did not start")?;
        let id = opened["sessionId"]
            .as_str()
            .context("the driver's answer names no session")?;
        session.address = format!("{}/{id}", session.address);
        Ok(session)
    }

    /// A command with arguments.
    pub(super) async fn post(&self, command: &str, arguments: &Value) -> Result<Value> {
        self.send(Method::POST, command, serde_json::to_vec(arguments)?)
            .await
    }

    /// A question.
    pub(super) async fn get(&self, command: &str) -> Result<Value> {
        self.send(Method::GET, command, Vec::new()).await
    }

    /// Closes the browser.
    pub(super) async fn close(&self) -> Result<()> {
        self.send(Method::DELETE, "", Vec::new()).await.map(drop)
    }

    /// A command of Chromium's own protocol, such as `Emulation.setEmulatedMedia`.
    pub(super) async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        let arguments = json!({"cmd": command, "params": parameters});
        self.post("/goog/cdp/execute", &arguments)
            .await
            .with_context(|| command.to_owned())
    }

    async fn send(&self, method: Method, command: &str, body: Vec<u8>) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{command}", self.address))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let answer = async {
            let response = self
                .client
                .request(request)
                .await
                .context("the driver does not answer")?;
            let status = response.status();
            anyhow::Ok((status, response.into_body().collect().await?.to_bytes()))
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let (status, body) = answer.with_context(|| format!("{command} took too long"))??;
        let mut answer: Value =
            serde_json::from_slice(&body).context("the driver's answer is not JSON")?;
        let value = answer["value"].take();
        if status.is_success() {
            return Ok(value);
        }
        let message = value["message"].as_str().unwrap_or_default();
        bail!(
            "{}: {}",
            value["error"].as_str().unwrap_or("unknown error"),
            message.lines().next().unwrap_or_default()
        )
    }
}
