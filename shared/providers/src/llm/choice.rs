//! Who is asked, and which of their models.

use std::sync::Arc;

use nova_runtime::{
    App, ConfigError,
    config::{LlmProvider, ModelsConfig},
};

use super::{Llm, google::Google, openai::OpenAi};
use crate::GoogleModels;

/// A step of the workflow that asks a model. Each may have one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Says which blocks of a page are not its content.
    Scraping,
    /// Asks the next questions.
    QueryGeneration,
    /// Chooses among sources.
    SourceSelection,
}

impl Step {
    /// The model that the settings name for it; `None` leaves it to the provider.
    pub(super) fn model(self, settings: &ModelsConfig) -> Option<&str> {
        let own = match self {
            Self::Scraping => &settings.scraping,
            Self::QueryGeneration => &settings.query_generation,
            Self::SourceSelection => &settings.source_selection,
        };
        own.as_deref().or(settings.every_step.as_deref())
    }
}

/// The language model that the settings name, or else the first that is configured; `None` when
/// there is none, and each step goes its own way.
///
/// # Errors
///
/// When the settings name one and not how to reach it.
pub fn configured(app: &App) -> Result<Option<Arc<dyn Llm>>, ConfigError> {
    let settings = &app.config().providers.models;
    let gemini = || google(GoogleModels::gemini(app), settings);
    let vertex = || google(GoogleModels::vertex(app), settings);
    let openai = || OpenAi::new(app).map(|llm| -> Arc<dyn Llm> { Arc::new(llm) });
    let (llm, needs) = match settings.provider {
        Some(LlmProvider::None) => return Ok(None),
        Some(LlmProvider::Gemini) => (gemini(), "gemini: needs GOOGLE_API_KEY"),
        Some(LlmProvider::Vertex) => (vertex(), "vertex: needs GOOGLE_CLOUD_PROJECT"),
        Some(LlmProvider::OpenAi) => (
            openai(),
            "openai: needs OPENAI_API_KEY, or OPENAI_BASE_URL of a server without keys",
        ),
        None => {
            let wanted = settings.vertex_is_wanted;
            let vertex = || wanted.then(vertex).flatten();
            return Ok(gemini().or_else(vertex).or_else(openai));
        }
    };
    match llm {
        Some(llm) => Ok(Some(llm)),
        None => Err(ConfigError::new(format!("LLM_PROVIDER={needs}"))),
    }
}

fn google(models: Option<GoogleModels>, settings: &ModelsConfig) -> Option<Arc<dyn Llm>> {
    Some(Arc::new(Google::new(models?, settings)))
}
