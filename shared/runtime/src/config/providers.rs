//! Who is paid for what: keys, and where each provider is.

use url::Url;

use super::{Secret, environment::Reader, web_address};

/// One provider with a key.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// What it knows us by; `None` when nothing is set.
    pub key: Option<Secret>,
    /// Where it is: its public address, or a stand-in.
    pub base_url: Url,
}

/// The providers. Each is where its owner offers it unless `*_BASE_URL` says otherwise.
#[derive(Clone, Debug)]
pub struct ProvidersConfig {
    /// `FIRECRAWL_API_KEY`, `FIRECRAWL_BASE_URL`: reads pages, with a browser where they need one.
    /// One's own instance needs no key, only its address.
    pub firecrawl: Option<Endpoint>,
    /// `GITHUB_TOKEN`, `GITHUB_BASE_URL`: code. Public repositories need no token.
    pub github: Endpoint,
    /// `GOOGLE_API_KEY`, `GOOGLE_BASE_URL`: the Gemini API.
    pub gemini: Endpoint,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<ProvidersConfig> {
    let firecrawl_is_set =
        reader.text("FIRECRAWL_API_KEY").is_some() || reader.text("FIRECRAWL_BASE_URL").is_some();
    let firecrawl = endpoint(
        reader,
        ["FIRECRAWL_API_KEY", "FIRECRAWL_BASE_URL"],
        "https://api.firecrawl.dev",
    );
    Some(ProvidersConfig {
        firecrawl: firecrawl.filter(|_| firecrawl_is_set),
        github: endpoint(
            reader,
            ["GITHUB_TOKEN", "GITHUB_BASE_URL"],
            "https://api.github.com",
        )?,
        gemini: endpoint(
            reader,
            ["GOOGLE_API_KEY", "GOOGLE_BASE_URL"],
            "https://generativelanguage.googleapis.com",
        )?,
    })
}

/// `None` only when the address is wrong, which the reader remembers.
fn endpoint(reader: &mut Reader<'_>, [key, base_url]: [&str; 2], usual: &str) -> Option<Endpoint> {
    let base = match reader.text(base_url) {
        Some(_) => reader.parse(base_url, "an http or https address", web_address),
        None => Url::parse(usual).ok(),
    };
    Some(Endpoint {
        key: reader.text(key).map(Secret::new),
        base_url: base?,
    })
}
