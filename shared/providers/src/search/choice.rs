//! Who is asked.

use std::sync::Arc;

use http::StatusCode;
use nova_runtime::{
    App, ConfigError, Problem,
    config::{Endpoint, SearchProvider},
};

use super::{Search, perplexity::Perplexity, searxng::SearXng, sonar::Sonar, tavily::Tavily};
use crate::{Api, Credentials};

/// Who searches, by the settings; `None` when nobody does.
///
/// # Errors
///
/// When the settings name somebody and not how to reach them.
pub fn configured(app: &App) -> Result<Option<Arc<dyn Search>>, ConfigError> {
    let settings = &app.config().providers.search;
    let api = |provider, endpoint: &Endpoint| {
        let credentials = match &endpoint.key {
            Some(key) => Credentials::Bearer(key.clone()),
            None => Credentials::None,
        };
        Api::new(
            provider,
            app.http().clone(),
            &endpoint.base_url,
            credentials,
        )
    };
    let perplexity = || -> Option<Arc<dyn Search>> {
        let endpoint = settings.perplexity.as_ref()?;
        Some(Arc::new(Perplexity(api("Perplexity", endpoint))))
    };
    let sonar = || -> Option<Arc<dyn Search>> {
        Some(Arc::new(Sonar {
            api: api("Perplexity Sonar", settings.perplexity.as_ref()?),
            model: settings.model.clone(),
        }))
    };
    let tavily = || -> Option<Arc<dyn Search>> {
        Some(Arc::new(Tavily(api("Tavily", settings.tavily.as_ref()?))))
    };
    let searxng = || -> Option<Arc<dyn Search>> {
        let endpoint = settings.searxng.as_ref()?;
        Some(Arc::new(SearXng(api("SearXNG", endpoint))))
    };
    let (search, needs) = match settings.provider {
        None => return Ok(perplexity().or_else(tavily).or_else(searxng)),
        Some(SearchProvider::Perplexity) => (perplexity(), "perplexity: needs PPLX_API_KEY"),
        Some(SearchProvider::Sonar) => (sonar(), "sonar: needs PPLX_API_KEY"),
        Some(SearchProvider::Tavily) => (tavily(), "tavily: needs TAVILY_API_KEY"),
        Some(SearchProvider::SearXng) => (searxng(), "searxng: needs SEARXNG_BASE_URL"),
    };
    match search {
        Some(search) => Ok(Some(search)),
        None => Err(ConfigError::new(format!("SEARCH_PROVIDER={needs}"))),
    }
}

/// What whoever wants to search is told where nobody does.
pub fn not_configured() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "not-configured",
        "A provider is not configured",
        "No search provider is configured: set PPLX_API_KEY (Perplexity), TAVILY_API_KEY (Tavily) or \
         SEARXNG_BASE_URL (your own SearXNG, which needs no key). Without one, search yourself and \
         store what you found with add_sources.",
    )
}
