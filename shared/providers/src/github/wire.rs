//! What GitHub's interface answers, as far as it is read.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `GET /repos/{owner}/{name}`.
#[derive(Deserialize)]
pub(super) struct Facts {
    pub(super) description: Option<String>,
    license: Option<License>,
}

#[derive(Deserialize)]
struct License {
    spdx_id: Option<String>,
}

impl Facts {
    /// The licence, where GitHub recognized one.
    pub(super) fn licence(&self) -> Option<String> {
        let id = self.license.as_ref()?.spdx_id.clone()?;
        Some(id).filter(|it| it != "NOASSERTION")
    }
}

/// One of `GET /repos/{owner}/{name}/git/matching-refs/{ref}`.
#[derive(Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "ref")]
    pub(super) name: String,
}

/// `GET /gists/{id}`.
#[derive(Deserialize)]
pub(super) struct Gist {
    pub(super) description: Option<String>,
    pub(super) files: BTreeMap<String, GistFile>,
    #[serde(default)]
    history: Vec<Version>,
}

#[derive(Deserialize)]
pub(super) struct GistFile {
    #[serde(default)]
    pub(super) truncated: bool,
    pub(super) content: Option<String>,
    pub(super) raw_url: Option<String>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

impl Gist {
    /// The newest version.
    pub(super) fn version(&self) -> Option<String> {
        self.history.first().map(|it| it.version.clone())
    }
}

/// What an error says.
#[derive(Default, Deserialize)]
pub(super) struct Message {
    #[serde(default)]
    pub(super) message: String,
}
