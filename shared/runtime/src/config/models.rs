//! Which language models are asked, and where.

use url::Url;

use super::{environment::Reader, web_address};

/// Who answers where a language model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LlmProvider {
    /// The Gemini API, by key.
    Gemini,
    /// Google's models on Vertex AI, by IAM.
    Vertex,
    /// Whoever speaks OpenAI's chat completions.
    OpenAi,
    /// Nobody: each step has a way of its own without a model.
    None,
}

/// Vertex AI, which needs no key: the process's own Google credentials are used.
#[derive(Clone, Debug)]
pub struct VertexConfig {
    /// `GOOGLE_CLOUD_PROJECT` (or `GCP_PROJECT_ID`): who pays.
    pub project: String,
    /// `VERTEX_LOCATION`: a region, `us`, `eu`, or `global`. Default `global`.
    pub location: String,
    /// `VERTEX_BASE_URL`: a stand-in. Default: the location's own address.
    pub base_url: Url,
}

/// The language models.
#[derive(Clone, Debug)]
pub struct ModelsConfig {
    /// `LLM_PROVIDER`: `gemini`, `vertex`, `openai` or `none`. When it is not set: the first of these
    /// that is configured.
    pub provider: Option<LlmProvider>,
    /// `LLM_MODEL`: for every step that does not name its own. Default: what the provider is best at.
    pub every_step: Option<String>,
    /// `SCRAPING_MODEL`: says which blocks of a page are not its content.
    pub scraping: Option<String>,
    /// `QUERY_GENERATION_MODEL`: asks the next questions.
    pub query_generation: Option<String>,
    /// `SOURCE_SELECTION_MODEL`: chooses among sources.
    pub source_selection: Option<String>,
    /// `YOUTUBE_TRANSCRIPTION_MODEL`: writes down what is said in videos; one of Google's.
    pub transcription: Option<String>,
    /// Vertex AI, where a project is known.
    pub vertex: Option<VertexConfig>,
    /// `VERTEX_LOCATION` is set: Vertex AI is meant to be used, and not only possible.
    pub vertex_is_wanted: bool,
}

pub(super) fn read(reader: &mut Reader<'_>) -> ModelsConfig {
    let location = reader
        .parse(
            "VERTEX_LOCATION",
            "a Google Cloud region, us, eu or global",
            location,
        )
        .unwrap_or_else(|| "global".to_owned());
    let project = reader
        .text("GOOGLE_CLOUD_PROJECT")
        .or_else(|| reader.text("GCP_PROJECT_ID"));
    let base_url = reader.parse(
        "VERTEX_BASE_URL",
        "an http or https address without query",
        web_address,
    );
    let base_url = base_url.or_else(|| vertex_address(&location));
    ModelsConfig {
        provider: reader.parse(
            "LLM_PROVIDER",
            "gemini, vertex, openai or none",
            |value| match value {
                "gemini" => Some(LlmProvider::Gemini),
                "vertex" => Some(LlmProvider::Vertex),
                "openai" => Some(LlmProvider::OpenAi),
                "none" => Some(LlmProvider::None),
                _ => None,
            },
        ),
        every_step: model(reader, "LLM_MODEL"),
        scraping: model(reader, "SCRAPING_MODEL"),
        query_generation: model(reader, "QUERY_GENERATION_MODEL"),
        source_selection: model(reader, "SOURCE_SELECTION_MODEL"),
        transcription: model(reader, "YOUTUBE_TRANSCRIPTION_MODEL"),
        vertex_is_wanted: reader.text("VERTEX_LOCATION").is_some(),
        vertex: project
            .zip(base_url)
            .map(|(project, base_url)| VertexConfig {
                project,
                location,
                base_url,
            }),
    }
}

/// It becomes part of a path, and of a host's name.
fn location(value: &str) -> Option<String> {
    let plain = value
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    plain.then(|| value.to_owned())
}

/// Names of models are free, but for what would lead elsewhere in a path.
pub(super) fn model(reader: &mut Reader<'_>, name: &str) -> Option<String> {
    reader.parse(
        name,
        "the name of a model, such as gemini-2.5-flash",
        |value| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/@".contains(&byte);
            let leads_elsewhere = value.split('/').any(|part| part.is_empty() || part == "..");
            (value.bytes().all(plain) && !leads_elsewhere).then(|| value.to_owned())
        },
    )
}

/// Where Google offers Vertex AI in a location.
fn vertex_address(location: &str) -> Option<Url> {
    let address = match location {
        "global" => "https://aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("https://aiplatform.{location}.rep.googleapis.com"),
        region => format!("https://{region}-aiplatform.googleapis.com"),
    };
    Url::parse(&address).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn models<const N: usize>(pairs: [(&str, &str); N]) -> Result<ModelsConfig, String> {
        let environment = Environment::from(pairs);
        let mut reader = environment.reader();
        let models = read(&mut reader);
        reader.finish().map_err(|error| error.to_string())?;
        Ok(models)
    }

    #[test]
    fn vertex_is_where_its_location_is() {
        for (location, address) in [
            ("global", "https://aiplatform.googleapis.com/"),
            ("eu", "https://aiplatform.eu.rep.googleapis.com/"),
            (
                "europe-west1",
                "https://europe-west1-aiplatform.googleapis.com/",
            ),
        ] {
            let models = models([
                ("GOOGLE_CLOUD_PROJECT", "acme"),
                ("VERTEX_LOCATION", location),
            ]);
            let vertex = models.unwrap().vertex.unwrap();
            assert_eq!(
                (vertex.base_url.as_str(), vertex.location.as_str()),
                (address, location)
            );
        }
        assert!(
            models([("VERTEX_LOCATION", "eu")])
                .unwrap()
                .vertex
                .is_none(),
            "nobody would pay"
        );
    }

    #[test]
    fn what_would_lead_elsewhere_is_no_model_and_no_location() {
        for (name, value) in [
            ("SCRAPING_MODEL", "../../v1/other"),
            ("SCRAPING_MODEL", "a?b"),
            ("LLM_MODEL", "a model"),
            ("VERTEX_LOCATION", "evil.example/"),
            ("LLM_PROVIDER", "Gemini Pro"),
        ] {
            let error = models([(name, value)]).unwrap_err();
            assert!(error.starts_with(&format!("{name}={value}: ")), "{error}");
        }
        let models = models([("LLM_MODEL", "qwen/qwen3:8b")]).unwrap();
        assert_eq!(models.every_step.as_deref(), Some("qwen/qwen3:8b"));
    }
}
