//! Who is asked.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use nova_runtime::{
    App, ConfigError, Problem,
    config::{Config, Endpoint, SearchProvider},
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
pub fn chosen(config: &Config) -> Result<Option<SearchProvider>, ConfigError> {
    let providers = &config.providers;
    let (search, models) = (&providers.search, &providers.models);
    let can_be_asked = |provider: &SearchProvider| match provider {
        SearchProvider::Perplexity | SearchProvider::Sonar => search.perplexity.is_some(),
        SearchProvider::Tavily => search.tavily.is_some(),
        SearchProvider::SearXng => search.searxng.is_some(),
        SearchProvider::Gemini => providers.gemini.key.is_some(),
        SearchProvider::Vertex => models.vertex.is_some(),
    };
    let Some(named) = search.provider else {
        let mut usual = vec![
            SearchProvider::Perplexity,
            SearchProvider::Tavily,
            SearchProvider::SearXng,
            SearchProvider::Gemini,
        ];
        usual.extend(models.vertex_is_wanted.then_some(SearchProvider::Vertex));
        return Ok(usual.into_iter().find(can_be_asked));
    };
    if can_be_asked(&named) {
        return Ok(Some(named));
    }
    let needs = match named {
        SearchProvider::Perplexity => "perplexity: needs PPLX_API_KEY",
        SearchProvider::Sonar => "sonar: needs PPLX_API_KEY",
        SearchProvider::Tavily => "tavily: needs TAVILY_API_KEY",
        SearchProvider::SearXng => "searxng: needs SEARXNG_BASE_URL",
        SearchProvider::Gemini => "gemini: needs GOOGLE_API_KEY",
        SearchProvider::Vertex => "vertex: needs GOOGLE_CLOUD_PROJECT",
    };
    Err(ConfigError::new(format!("SEARCH_PROVIDER={needs}")))
}

/// Whoever searches, ready to be asked; `None` when nobody does.
///
/// # Errors
///
/// As [`chosen`].
pub fn configured(app: &App) -> Result<Option<Arc<dyn Search>>, ConfigError> {
    Ok(chosen(app.config())?.and_then(|provider| provider_of(app, provider)))
}

fn provider_of(app: &App, provider: SearchProvider) -> Option<Arc<dyn Search>> {
    let providers = &app.config().providers;
    let (settings, models) = (&providers.search, &providers.models);
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
    let grounding = |models: GoogleModels, base_url: &Url| Grounding {
        models: models.deadline(MODEL_DEADLINE),
        http: app.http().clone(),
        base_url: base_url.clone(),
        model: settings.model.clone(),
    };
    Some(match provider {
        SearchProvider::Perplexity => {
            let endpoint = settings.perplexity.as_ref()?;
            Arc::new(Perplexity(
                api("Perplexity", "PPLX_API_KEY", endpoint),
                reach,
            ))
        }
        SearchProvider::Sonar => {
            let endpoint = settings.perplexity.as_ref()?;
            Arc::new(Sonar {
                api: api("Perplexity Sonar", "PPLX_API_KEY", endpoint).deadline(MODEL_DEADLINE),
                model: settings.model.clone(),
            })
        }
        SearchProvider::Tavily => {
            let endpoint = settings.tavily.as_ref()?;
            Arc::new(Tavily(api("Tavily", "TAVILY_API_KEY", endpoint), reach))
        }
        SearchProvider::SearXng => {
            let endpoint = settings.searxng.as_ref()?;
            Arc::new(SearXng(api("SearXNG", "its limiter", endpoint), reach))
        }
        SearchProvider::Gemini => Arc::new(grounding(
            GoogleModels::gemini(app)?,
            &providers.gemini.base_url,
        )),
        SearchProvider::Vertex => Arc::new(grounding(
            GoogleModels::vertex(app)?,
            &models.vertex.as_ref()?.base_url,
        )),
    })
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
