//! Google's models, through either door: the Gemini API by key, Vertex AI by IAM.
//!
//! `generateContent` is the same protocol behind both; Vertex has labels, and its addresses name a
//! project and a location. What a model says is here taken apart and judged: an answer that was
//! cut or held back is an error.

mod wire;

use std::time::Duration;

use futures_util::future::BoxFuture;
use http::HeaderName;
use nova_runtime::{
    App,
    receipts::{CallUsage, OpenCall, Receipts},
};
use serde_json::{Value, json};

pub use self::wire::Part;
use crate::{Api, Credentials, ProviderError, llm::MODELS_AT_ONCE};

/// Google's models.
#[derive(Clone, Debug)]
pub struct GoogleModels {
    api: Api,
    door: Door,
}

#[derive(Clone, Debug)]
enum Door {
    Gemini,
    Vertex { project: String, location: String },
}

/// What a model said. Its call is still open: whoever can tell what the answer is worth ends it.
#[derive(Debug)]
pub struct Generated<'a> {
    /// The parts of the answer in their order, thoughts left out.
    pub parts: Vec<Part>,
    /// Where it searched and what it found, as the provider tells it; `null` when it did not search.
    pub grounding: Value,
    /// What was counted.
    pub usage: CallUsage,
    /// The call, to be ended.
    pub call: OpenCall<'a>,
}

impl Generated<'_> {
    /// The whole text.
    pub fn text(&self) -> String {
        self.parts.iter().map(|part| part.text.as_str()).collect()
    }
}

impl GoogleModels {
    /// The Gemini API; `None` without its key.
    pub fn gemini(app: &App) -> Option<Self> {
        let settings = &app.config().providers.gemini;
        let key = settings.key.clone()?;
        let credentials = Credentials::Header(HeaderName::from_static("x-goog-api-key"), key);
        let api = Api::new(
            "Gemini",
            app.http().clone(),
            &settings.base_url,
            credentials,
        );
        Some(Self {
            api: api.known_by("GOOGLE_API_KEY").at_once(MODELS_AT_ONCE),
            door: Door::Gemini,
        })
    }

    /// Vertex AI, with the process's own access tokens; `None` where no project is known to pay.
    pub fn vertex(app: &App) -> Option<Self> {
        let settings = app.config().providers.models.vertex.clone()?;
        let credentials = Credentials::Google(app.tokens().clone());
        let api = Api::new(
            "Vertex AI",
            app.http().clone(),
            &settings.base_url,
            credentials,
        );
        Some(Self {
            api: api
                .known_by("the roles of its service account (Vertex AI User)")
                .at_once(MODELS_AT_ONCE),
            door: Door::Vertex {
                project: settings.project,
                location: settings.location,
            },
        })
    }

    /// With another deadline for each call.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.api = self.api.deadline(deadline);
        self
    }

    /// Who answers, as messages name it.
    pub const fn provider(&self) -> &'static str {
        self.api.provider()
    }

    /// True behind the door of Vertex AI, which has a few fields of its own.
    pub const fn is_vertex(&self) -> bool {
        matches!(self.door, Door::Vertex { .. })
    }

    /// Asks a model with a whole `generateContent` body. `tool` is who pays, where there are labels.
    ///
    /// # Errors
    ///
    /// Also when the answer was cut or held back; the receipt says which.
    pub fn generate<'a>(
        &'a self,
        model: &'a str,
        tool: &'static str,
        mut body: Value,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Generated<'a>, ProviderError>> {
        Box::pin(async move {
            if self.is_vertex() {
                body["labels"] = json!({ "tool": tool });
            }
            let path = self.path(model);
            let (response, call) = self
                .api
                .call::<wire::Response>(&path, &body, Some(model), receipts)
                .await?;
            let usage = response.usage();
            match response.judged(self.provider()) {
                Ok((parts, grounding)) => Ok(Generated {
                    parts,
                    grounding,
                    usage,
                    call,
                }),
                Err(error) => {
                    call.end(error.outcome(), usage);
                    Err(error)
                }
            }
        })
    }

    fn path(&self, model: &str) -> String {
        match &self.door {
            Door::Gemini => format!("v1beta/models/{model}:generateContent"),
            Door::Vertex { project, location } => format!(
                "v1beta1/projects/{project}/locations/{location}/publishers/google/models/{model}:generateContent"
            ),
        }
    }
}
