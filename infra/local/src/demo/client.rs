//! A user of the running system, over HTTP like anybody.

use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use http::{Method, Request, header};
use nova_runtime::http_client::{HttpClient, Limits};
use serde_json::Value;

use crate::local::Local;

/// Longer than any step takes here.
const LIMITS: Limits = Limits {
    deadline: Duration::from_mins(2),
    response_bytes: 64 << 20,
};

pub(super) struct Client {
    http: HttpClient,
    url: String,
    token: String,
}

impl Client {
    pub(super) fn new(local: &Local, user: &str) -> Self {
        Self {
            http: HttpClient::new(),
            url: local.url.clone(),
            token: local.token(user, "research:read research:run"),
        }
    }

    pub(super) async fn upload(&self, guideline: &str) -> Result<Value> {
        let path = "/upload_article_guideline";
        let answer = self.send(Method::POST, path, "text/markdown", guideline.to_owned());
        Ok(serde_json::from_slice(&answer.await?)?)
    }

    /// Calls a tool, again and again while it runs.
    pub(super) async fn call(&self, tool: &str, arguments: &Value) -> Result<Value> {
        loop {
            let (path, body) = (format!("/tools/{tool}"), arguments.to_string());
            let answer = self.send(Method::POST, &path, "application/json", body);
            let answer: Value = serde_json::from_slice(&answer.await?)?;
            if answer["status"] != "running" {
                return Ok(answer);
            }
        }
    }

    pub(super) async fn download(&self, article: &str) -> Result<String> {
        let path = format!("/download_research?article_guideline_id={article}");
        let document = self.send(Method::GET, &path, "", String::new()).await?;
        Ok(String::from_utf8(document.to_vec())?)
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: String) -> Result<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, kind)
            .body(Bytes::from(body))?;
        let response = self.http.send(request, LIMITS).await?;
        if !response.status().is_success() {
            let problem: Value = serde_json::from_slice(response.body()).unwrap_or_default();
            let detail = problem["detail"].as_str().unwrap_or("no reason given");
            bail!("{}: {detail}", response.status());
        }
        Ok(response.into_body())
    }
}
