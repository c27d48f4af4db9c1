//! Language models over HTTP, against stand-ins that answer as the providers do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod choice;
mod google;
mod openai;
mod patience;

use nova_providers::{
    ProviderError,
    llm::{Llm, Prompt, Shape, Step},
};
use nova_runtime::receipts::{CallOutcome, Receipts};

/// What the prompt is about; stand-ins are paid for it.
const LINE: &str = "1: example.com";

fn prompt() -> Prompt {
    Prompt {
        tool: "select_research_sources_to_keep",
        step: Step::SourceSelection,
        system: "You choose sources.".to_owned(),
        parts: vec![LINE.to_owned(), "2: example.org".to_owned()],
        name: "selection",
        shape: Shape::object([
            ("reason", Shape::text(100)),
            ("keep", Shape::list(Shape::integer(1, 2), 2)),
        ]),
        answer_tokens: 100,
    }
}

/// What was answered, and what the receipts say of the calls.
async fn ask(llm: &dyn Llm) -> (Result<serde_json::Value, ProviderError>, Vec<CallOutcome>) {
    let receipts = Receipts::default();
    let answer = llm.ask(&prompt(), &receipts).await;
    let outcomes = receipts.all().iter().map(|call| call.outcome).collect();
    (answer, outcomes)
}
