//! Who is asked where something is searched.

use super::{Endpoint, environment::Reader, models::model, providers::endpoint};

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
    /// Google's models that search, by key.
    Gemini,
    /// The same on Vertex AI, by IAM.
    Vertex,
}

/// Those who search. Each is there when it can be asked.
#[derive(Clone, Debug)]
pub struct SearchConfig {
    /// `SEARCH_PROVIDER`: `perplexity`, `sonar`, `tavily`, `searxng`, `gemini` or `vertex`. When it is
    /// not set: the first that is configured, `sonar` left out, and `vertex` only with
    /// `VERTEX_LOCATION`.
    pub provider: Option<SearchProvider>,
    /// `SEARCH_MODEL`: which model searches, where one does. Default: `sonar-pro`, or
    /// `gemini-2.5-flash`.
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
            "perplexity, sonar, tavily, searxng, gemini or vertex",
            |value| match value {
                "perplexity" => Some(SearchProvider::Perplexity),
                "sonar" => Some(SearchProvider::Sonar),
                "tavily" => Some(SearchProvider::Tavily),
                "searxng" => Some(SearchProvider::SearXng),
                "gemini" => Some(SearchProvider::Gemini),
                "vertex" => Some(SearchProvider::Vertex),
                _ => None,
            },
        ),
        model: model(reader, "SEARCH_MODEL"),
        perplexity: Some(perplexity).filter(|it| it.key.is_some()),
        tavily: Some(tavily).filter(|it| it.key.is_some()),
        searxng: searxng.map(|base_url| Endpoint {
            key: None,
            base_url,
        }),
    })
}
