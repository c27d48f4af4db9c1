//! Which Chromium of the machine is used.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const MACOS: [&str; 2] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// The browser and its driver. Both come from one package, or the versions will not fit.
#[derive(Debug)]
pub(super) struct Binaries {
    pub(super) browser: PathBuf,
    pub(super) driver: PathBuf,
}

impl Binaries {
    /// `CHROMIUM_BIN` and `CHROMEDRIVER_BIN` when they are set, else what `PATH` has.
    pub(super) fn find() -> Result<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        Ok(Self {
            browser: pick(
                "CHROMIUM_BIN",
                env::var_os("CHROMIUM_BIN").as_deref(),
                &path,
                &BROWSERS,
            )?,
            driver: pick(
                "CHROMEDRIVER_BIN",
                env::var_os("CHROMEDRIVER_BIN").as_deref(),
                &path,
                &["chromedriver"],
            )?,
        })
    }
}

fn pick(variable: &str, chosen: Option<&OsStr>, path: &OsStr, names: &[&str]) -> Result<PathBuf> {
    if let Some(chosen) = chosen.filter(|chosen| !chosen.is_empty()) {
        let chosen = PathBuf::from(chosen);
        return chosen
            .is_file()
            .then_some(chosen)
            .with_context(|| format!("{variable} is not a file"));
    }
    let directories: Vec<PathBuf> = env::split_paths(path).collect();
    let in_path = names
        .iter()
        .flat_map(|name| directories.iter().map(move |it| it.join(name)));
    let elsewhere = MACOS.iter().map(PathBuf::from).filter(|_| names.len() > 1);
    in_path.chain(elsewhere).find(|it| Path::is_file(it)).with_context(|| {
        format!(
            "there is no {} in PATH, and tests of pages need a real browser: `make chromium`, or \
             `apt-get install chromium chromium-driver` (Debian), `brew install --cask chromium \
             chromedriver` (macOS), or {variable}=<path>",
            names.join(", "),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_browser_is_told_what_to_install() {
        let error = pick(
            "CHROMEDRIVER_BIN",
            None,
            OsStr::new("/nowhere"),
            &["chromedriver"],
        );
        let error = error.unwrap_err().to_string();
        for remedy in ["make chromium", "apt-get install", "CHROMEDRIVER_BIN="] {
            assert!(error.contains(remedy), "{remedy}: {error}");
        }
    }

    #[test]
    fn a_chosen_browser_that_is_not_there_is_not_replaced_by_another() {
        let path = env::var_os("PATH").unwrap();
        let error = pick(
            "CHROMIUM_BIN",
            Some(OsStr::new("/nowhere/chromium")),
            &path,
            &["sh"],
        );
        assert_eq!(error.unwrap_err().to_string(), "CHROMIUM_BIN is not a file");
    }
}
