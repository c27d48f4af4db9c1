//! Who is asked.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use nova_runtime::{
    App, ConfigError, Problem,
    config::{Endpoint, SearchProvider},
};
use url::Url;

use super::{
    Search, grounding::Grounding, perplexity::Perplexity, searxng::SearXng, sonar::Sonar,
    tavily::Tavily,
};
use crate::{Api, Credentials, GoogleModels};

/// Pages are listed within seconds; who says nothing for so long is not well.
const DEADLINE: Duration = Duration::from_secs(30);
/// A model that searches, reads and writes takes longer.
const MODEL_DEADLINE: Duration = Duration::from_mins(3);

/// Who searches, by the settings; `None` when nobody does.
///
/// # Errors
///
/// When the settings name somebody and not how to reach them.
pub fn configured(app: &App) -> Result<Option<Arc<dyn Search>>, ConfigError> {
    let (settings, models) = (
        &app.config().providers.search,
        &app.config().providers.models,
    );
    let reach = app.config().fetch.reach();
    let api = |provider, setting, endpoint: &Endpoint| {
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
        .known_by(setting)
        .deadline(DEADLINE)
    };
    let perplexity = || -> Option<Arc<dyn Search>> {
        let endpoint = settings.perplexity.as_ref()?;
        let api = api("Perplexity", "PPLX_API_KEY", endpoint);
        Some(Arc::new(Perplexity(api, reach)))
    };
    let sonar = || -> Option<Arc<dyn Search>> {
        let endpoint = settings.perplexity.as_ref()?;
        Some(Arc::new(Sonar {
            api: api("Perplexity Sonar", "PPLX_API_KEY", endpoint).deadline(MODEL_DEADLINE),
            model: settings.model.clone(),
        }))
    };
    let tavily = || -> Option<Arc<dyn Search>> {
        let endpoint = settings.tavily.as_ref()?;
        let api = api("Tavily", "TAVILY_API_KEY", endpoint);
        Some(Arc::new(Tavily(api, reach)))
    };
    let searxng = || -> Option<Arc<dyn Search>> {
        let endpoint = settings.searxng.as_ref()?;
        let api = api("SearXNG", "its limiter", endpoint);
        Some(Arc::new(SearXng(api, reach)))
    };
    let grounding = |asked: Option<GoogleModels>, base_url: &Url| -> Option<Arc<dyn Search>> {
        Some(Arc::new(Grounding {
            models: asked?.deadline(MODEL_DEADLINE),
            http: app.http().clone(),
            base_url: base_url.clone(),
            model: settings.model.clone(),
        }))
    };
    let gemini = || {
        let endpoint = &app.config().providers.gemini;
        grounding(GoogleModels::gemini(app), &endpoint.base_url)
    };
    let vertex = || {
        let endpoint = models.vertex.as_ref()?;
        grounding(GoogleModels::vertex(app), &endpoint.base_url)
    };
    let (search, needs) = match settings.provider {
        None => {
            let wanted = models.vertex_is_wanted;
            let vertex = || wanted.then(vertex).flatten();
            let engines = perplexity().or_else(tavily).or_else(searxng);
            return Ok(engines.or_else(gemini).or_else(vertex));
        }
        Some(SearchProvider::Perplexity) => (perplexity(), "perplexity: needs PPLX_API_KEY"),
        Some(SearchProvider::Sonar) => (sonar(), "sonar: needs PPLX_API_KEY"),
        Some(SearchProvider::Tavily) => (tavily(), "tavily: needs TAVILY_API_KEY"),
        Some(SearchProvider::SearXng) => (searxng(), "searxng: needs SEARXNG_BASE_URL"),
        Some(SearchProvider::Gemini) => (gemini(), "gemini: needs GOOGLE_API_KEY"),
        Some(SearchProvider::Vertex) => (vertex(), "vertex: needs GOOGLE_CLOUD_PROJECT"),
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
        "No search provider is configured: set PPLX_API_KEY (Perplexity), TAVILY_API_KEY (Tavily), \
         SEARXNG_BASE_URL (your own SearXNG, which needs no key), GOOGLE_API_KEY (Gemini) or VERTEX_LOCATION \
         (Vertex AI, which needs no key on Google Cloud). Without one, search yourself and \
         store what you found with add_sources.",
    )
}
