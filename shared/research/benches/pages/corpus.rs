//! The pages that were fetched.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use url::Url;

/// What people wrote down about a page.
#[derive(Deserialize)]
pub(crate) struct Annotation {
    file: String,
    /// Its place in the whole corpus, where this is a part.
    number: Option<usize>,
    /// Phrases of its text.
    pub(crate) with: Vec<String>,
    /// Phrases that stand beside the text.
    pub(crate) without: Vec<String>,
}

/// A page of the corpus.
pub(crate) struct Page {
    /// Its place in the corpus.
    pub(crate) number: usize,
    pub(crate) url: Url,
    pub(crate) path: PathBuf,
    pub(crate) html: Vec<u8>,
    pub(crate) annotation: Annotation,
}

/// All pages in the order of their URLs: the whole corpus if it is there, else the part that is
/// in the package registry.
pub(crate) fn pages() -> Result<Vec<Page>> {
    let folder = folder();
    let (pages, list) = if folder.join("all").exists() {
        let list = fs::read_to_string(folder.join("all/evaldata.json"))?;
        (folder.join("all"), list)
    } else {
        let list = include_str!("annotations.json").to_owned();
        (folder.join("small"), list)
    };
    let list: BTreeMap<String, Annotation> = serde_json::from_str(&list)?;
    list.into_iter()
        .enumerate()
        .map(|(place, (url, annotation))| {
            let path = pages.join(&annotation.file);
            let html = fs::read(&path)
                .with_context(|| format!("{}: benches/pages/fetch fetches it", path.display()))?;
            // Some pages have a name in the place of a URL.
            let url = Url::parse(url.trim())
                .ok()
                .filter(Url::has_host)
                .map_or_else(|| Url::parse("https://page.example/"), Ok)?;
            Ok(Page {
                number: annotation.number.unwrap_or(place),
                url,
                path,
                html,
                annotation,
            })
        })
        .collect()
}

/// `target/corpus`, beside the program that this is.
pub(crate) fn folder() -> PathBuf {
    target().join("corpus")
}

/// The folder that this program was built in.
pub(crate) fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program
        .ancestors()
        .nth(3)
        .map(PathBuf::from)
        .unwrap_or_default()
}
