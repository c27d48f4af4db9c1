//! Who is asked.

use nova_providers::llm;
use nova_runtime::{App, Config, Environment};

fn chosen<const N: usize>(settings: [(&str, &str); N]) -> Result<Option<&'static str>, String> {
    let config = Config::read(&Environment::from(settings)).unwrap();
    let app = App::new("sample", config).unwrap();
    match llm::configured(&app) {
        Ok(llm) => Ok(llm.map(|llm| llm.provider())),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test]
async fn the_first_that_is_configured_is_asked_unless_the_settings_name_one() {
    let project = ("GOOGLE_CLOUD_PROJECT", "acme");
    let location = ("VERTEX_LOCATION", "eu");
    let gemini = ("GOOGLE_API_KEY", "g");
    let openai = ("OPENAI_API_KEY", "o");
    let ollama = ("OPENAI_BASE_URL", "http://ollama:11434/v1");
    assert_eq!(chosen([]), Ok(None));
    assert_eq!(chosen([project]), Ok(None), "traces alone need it");
    assert_eq!(chosen([project, location]), Ok(Some("Vertex AI")));
    assert_eq!(chosen([ollama]), Ok(Some("OpenAI")));
    assert_eq!(
        chosen([gemini, openai, project, location]),
        Ok(Some("Gemini"))
    );
    assert_eq!(chosen([openai, project, location]), Ok(Some("Vertex AI")));
    for (provider, answers) in [
        ("gemini", Some("Gemini")),
        ("vertex", Some("Vertex AI")),
        ("openai", Some("OpenAI")),
        ("none", None),
    ] {
        let settings = [gemini, openai, project, ("LLM_PROVIDER", provider)];
        assert_eq!(chosen(settings), Ok(answers));
    }
}

#[tokio::test]
async fn one_that_is_named_and_cannot_be_reached_stops_the_start_with_what_is_missing() {
    for (provider, missing) in [
        ("gemini", "GOOGLE_API_KEY"),
        ("vertex", "GOOGLE_CLOUD_PROJECT"),
        ("openai", "OPENAI_API_KEY"),
    ] {
        let error = chosen([("LLM_PROVIDER", provider)]).unwrap_err();
        assert!(
            error.starts_with(&format!("LLM_PROVIDER={provider}: needs {missing}")),
            "{error}"
        );
    }
}
