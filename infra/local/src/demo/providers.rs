//! The providers of the demo, all on this machine, and the small world that they know.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::Result;
use nova_testkit::providers::{
    StandIn,
    github::{Github, Repository, TOKEN},
    site::Site,
};

/// The repository that the guideline names.
const README: &str = "# memory\n\nA store for what agents remember.\n";
const SOURCE: &str = "def remember(store, text):\n    store.append(text)\n";

pub(super) struct Providers {
    site: Site,
    github: Github,
}

impl Providers {
    pub(super) async fn start() -> Result<Self> {
        let site = Site::start().await?;
        site.put_article(
            "/memory",
            "How agents remember",
            "Agents keep what they learnt in stores outside of the model.",
        );
        site.put_article(
            "/forgetting",
            "How agents forget",
            "What is not asked for again is dropped first.",
        );
        let github = Github::start().await?;
        let files = [("README.md", README), ("memory/store.py", SOURCE)];
        github.put("acme/memory", Repository::new(files));
        Ok(Self { site, github })
    }

    /// A guideline that names something of each kind, and something that cannot be had.
    pub(super) fn guideline(&self) -> String {
        let page = |path| self.site.page_url(path);
        format!(
            "# How memory works in agents\n\n## Sources\n\n- [An introduction]({})\n- <{}>\n- {}\n\
             - The code: https://github.com/acme/memory\n\n## Forgetting\n\n\
             What do agents forget first, and why?\n\n\
             The notebook to explain is `memory.ipynb`.\n",
            page("/memory"),
            page("/forgetting"),
            page("/gone"),
        )
    }

    /// What leads the functions to them.
    pub(super) fn settings(&self) -> BTreeMap<String, String> {
        let settings = [
            ("GITHUB_BASE_URL", self.github.url().to_owned()),
            ("GITHUB_TOKEN", TOKEN.to_owned()),
            ("LOG_LEVEL", "error".to_owned()),
            // Its web is this machine.
            ("NOVA_ALLOW_PRIVATE_URLS", "true".to_owned()),
        ];
        let named = settings.map(|(name, value)| (name.to_owned(), value));
        named.into()
    }

    /// What each was paid for.
    pub(super) fn bill(&self) -> String {
        let mut bill = String::new();
        let all: [(&str, &StandIn); 2] = [("The site", &self.site), ("GitHub", &self.github)];
        for (name, provider) in all {
            let (asked, ledger) = (provider.received().len(), provider.ledger());
            let units: u64 = ledger.iter().map(|payment| payment.units).sum();
            // Writing to a String cannot fail.
            writeln!(
                bill,
                "  {name:<10} {asked:>3} requests, {:>3} paid, {units:>5} units",
                ledger.len()
            )
            .ok();
        }
        bill
    }
}
