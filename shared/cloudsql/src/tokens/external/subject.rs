//! Subject tokens: what others vouch with, and where they leave it.

use std::{collections::HashMap, path::PathBuf};

use bytes::Bytes;
use http::Request;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::unfit;
use crate::{
    error::ErrorKind,
    http::Http,
    tokens::{
        TokenError,
        endpoint::{self, ENDPOINT, Failure},
    },
};

/// Where subject tokens are.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Source {
    File {
        file: PathBuf,
        #[serde(default)]
        format: Format,
    },
    Url {
        url: String,
        #[serde(default)]
        headers: HashMap<String, String>,
        #[serde(default)]
        format: Format,
    },
}

/// How subject tokens are written.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Format {
    /// `text`, or `json` with the token in a field.
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    subject_token_field_name: String,
}

impl Source {
    /// What credentials say of it.
    pub(super) fn read(source: &Value) -> Result<Self, TokenError> {
        for (field, kind) in [
            ("environment_id", "AWS"),
            ("executable", "an executable"),
            ("certificate", "a certificate"),
        ] {
            if source.get(field).is_some() {
                let message = format!("subject tokens by way of {kind} do not work here");
                return Err(
                    TokenError::new(ErrorKind::Configuration, message).with_hint(
                        "let the subject token come from a file or an address: \
                     gcloud iam workload-identity-pools create-cred-config with \
                     --credential-source-file or --credential-source-url",
                    ),
                );
            }
        }
        Self::deserialize(source).map_err(|error| unfit(&error))
    }

    pub(super) async fn subject_token(&self, http: &Http) -> Result<Zeroizing<String>, TokenError> {
        let (text, format) = match self {
            Self::File { file, format } => {
                let text = tokio::fs::read_to_string(file).await.map_err(|error| {
                    let message = format!("no subject token can be read from {}", file.display());
                    TokenError::new(ErrorKind::Configuration, message)
                        .with_hint("check credential_source.file and who may read it")
                        .with_source(error)
                })?;
                (Zeroizing::new(text), format)
            }
            Self::Url {
                url,
                headers,
                format,
            } => (ask(http, url, headers).await?, format),
        };
        let found = match format.kind.as_str() {
            "json" => serde_json::from_str::<Value>(&text).ok().and_then(|all| {
                Some(
                    all.get(&format.subject_token_field_name)?
                        .as_str()?
                        .to_owned(),
                )
            }),
            _ => Some(text.trim().to_owned()),
        };
        found
            .filter(|token| !token.is_empty())
            .map(Zeroizing::new)
            .ok_or_else(|| {
                TokenError::new(
                    ErrorKind::Protocol,
                    "there is no subject token where the credentials say",
                )
                .with_hint("check credential_source.format")
            })
    }
}

async fn ask(
    http: &Http,
    url: &str,
    headers: &HashMap<String, String>,
) -> Result<Zeroizing<String>, TokenError> {
    let mut request = Request::get(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request
        .body(Bytes::new())
        .map_err(|error| endpoint::address(url, error))?;
    let host = request.uri().host().unwrap_or_default();
    let answer = endpoint::ask(http, &ENDPOINT, &request).await;
    let body = answer.map_err(|failure| match failure {
        Failure::Refused(refusal) => {
            let remedy = "check the address and the headers in credential_source".to_owned();
            endpoint::refused(host, &refusal, Some(remedy))
        }
        Failure::Other(error) => error,
    })?;
    Ok(Zeroizing::new(String::from_utf8_lossy(&body).into_owned()))
}
