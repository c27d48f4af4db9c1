//! Who is asked where something is searched.

use super::{Endpoint, environment::Reader, providers::endpoint};

/// Who searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchProvider {
    /// Perplexity's Search API.
    Perplexity,
    /// Perplexity's model that searches and cites.
    Sonar,
    /// Tavily.
    Tavily,
    /// One's own `SearXNG`.
    SearXng,
}

/// Those who search. Each is there when it can be asked.
#[derive(Clone, Debug)]
pub struct SearchConfig {
    /// `SEARCH_PROVIDER`: `perplexity`, `sonar`, `tavily` or `searxng`. When it is not set: the first
    /// that is configured of `perplexity`, `tavily`, `searxng`.
    pub provider: Option<SearchProvider>,
    /// `SEARCH_MODEL`: which model searches, where one does. Default: `sonar-pro`.
    pub model: Option<String>,
    /// `PPLX_API_KEY`, `PPLX_BASE_URL`: Perplexity.
    pub perplexity: Option<Endpoint>,
    /// `TAVILY_API_KEY`, `TAVILY_BASE_URL`: Tavily.
    pub tavily: Option<Endpoint>,
    /// `SEARXNG_BASE_URL`: one's own `SearXNG`, which knows no keys.
    pub searxng: Option<Endpoint>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<SearchConfig> {
    let perplexity = endpoint(
        reader,
        ["PPLX_API_KEY", "PPLX_BASE_URL"],
        "https://api.perplexity.ai",
    )?;
    let tavily = endpoint(
        reader,
        ["TAVILY_API_KEY", "TAVILY_BASE_URL"],
        "https://api.tavily.com",
    )?;
    let searxng = reader.parse(
        "SEARXNG_BASE_URL",
        "an http or https address",
        super::web_address,
    );
    Some(SearchConfig {
        provider: reader.parse(
            "SEARCH_PROVIDER",
            "perplexity, sonar, tavily or searxng",
            |value| match value {
                "perplexity" => Some(SearchProvider::Perplexity),
                "sonar" => Some(SearchProvider::Sonar),
                "tavily" => Some(SearchProvider::Tavily),
                "searxng" => Some(SearchProvider::SearXng),
                _ => None,
            },
        ),
        model: reader.text("SEARCH_MODEL"),
        perplexity: Some(perplexity).filter(|it| it.key.is_some()),
        tavily: Some(tavily).filter(|it| it.key.is_some()),
        searxng: searxng.map(|base_url| Endpoint {
            key: None,
            base_url,
        }),
    })
}
