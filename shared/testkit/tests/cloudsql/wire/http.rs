//! Requests and what comes back.

use ::http::{HeaderMap, Request};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use url::form_urlencoded::Serializer;

/// An answer, with its body read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The reason of an error of a Google API.
    pub(crate) fn reason(&self) -> String {
        let reason = &self.json()["error"]["errors"][0]["reason"];
        reason.as_str().unwrap_or_default().to_owned()
    }
}

/// `Err`: the connection was cut.
pub(crate) async fn send(
    request: ::http::request::Builder,
    body: impl Into<Bytes>,
) -> Result<Answer, String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request: Request<Full<Bytes>> = request.body(Full::new(body.into())).unwrap();
    let answer = client.request(request).await;
    let (head, body) = answer.map_err(|error| error.to_string())?.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?;
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        text: String::from_utf8(body.to_bytes().to_vec()).unwrap(),
    })
}

pub(crate) async fn get(url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
    let mut request = Request::get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request, "").await
}

pub(crate) async fn post(url: &str, token: &str, body: &Value) -> Result<Answer, String> {
    let request = Request::post(url)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    send(request, body.to_string()).await
}

pub(crate) async fn post_form(url: &str, form: &[(&str, &str)]) -> Answer {
    let body = Serializer::new(String::new()).extend_pairs(form).finish();
    send(Request::post(url), body).await.unwrap()
}
