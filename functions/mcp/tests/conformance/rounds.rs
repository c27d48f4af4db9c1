//! Tools that ask their caller something before they answer, in one round or two.

use rmcp::{
    ErrorData,
    model::{CallToolRequestParams, CallToolResponse, CallToolResult, InputRequiredResult},
};
use serde_json::{Value, json};

use crate::fixtures::{Context, of};

pub(crate) const TOOLS: &[&str] = &[
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_request_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
    "test_input_required_result_capabilities",
];

fn question(message: &str, field: &str, kind: &str) -> Value {
    json!({"method": "elicitation/create", "params": {
        "message": message,
        "requestedSchema": {
            "type": "object", "properties": {field: {"type": kind}}, "required": [field],
        },
    }})
}

fn sampling(prompt: &str, tokens: u32) -> Value {
    let content = json!({"type": "text", "text": prompt});
    json!({"method": "sampling/createMessage", "params": {
        "messages": [{"role": "user", "content": content}], "maxTokens": tokens,
    }})
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}

pub(crate) fn prompt_asks() -> InputRequiredResult {
    let context = question("What context should the prompt use?", "context", "string");
    asks(json!({"user_context": context}), None)
}

fn asks(requests: Value, state: Option<&str>) -> InputRequiredResult {
    InputRequiredResult::new(Some(of(requests)), state.map(str::to_owned))
}

/// The questions of a round, and the state that goes with them. What comes next is told by the
/// state that comes back: here a word, since nothing hangs on it.
fn round(tool: &str, state: Option<&str>) -> (Value, Option<&'static str>) {
    let name = question("What is your name?", "name", "string");
    match (tool, state) {
        ("test_input_required_result_sampling", _) => (
            json!({"capital_question": sampling("What is the capital of France?", 100)}),
            None,
        ),
        ("test_input_required_result_list_roots", _) => (json!({"client_roots": roots()}), None),
        (
            "test_input_required_result_request_state"
            | "test_input_required_result_tampered_state",
            _,
        ) => (
            json!({"confirm": question("Please confirm", "ok", "boolean")}),
            Some("state-1"),
        ),
        ("test_input_required_result_multiple_inputs", _) => (
            json!({
                "user_name": name, "greeting": sampling("Generate a greeting", 50),
                "client_roots": roots(),
            }),
            Some("state-1"),
        ),
        ("test_input_required_result_multi_round", Some("state-1")) => (
            json!({"step2": question("Step 2: What is your favorite color?", "color", "string")}),
            Some("state-2"),
        ),
        ("test_input_required_result_multi_round", _) => (
            json!({"step1": question("Step 1: What is your name?", "name", "string")}),
            Some("state-1"),
        ),
        _ => (json!({"user_name": name}), None),
    }
}

/// Only what the client says that it can do is asked of it.
fn only_possible(mut requests: Value, context: &Context) -> Value {
    let client = context.client_capabilities().unwrap_or_default();
    if let Value::Object(requests) = &mut requests {
        requests.retain(|_, request| match request["method"].as_str() {
            Some("sampling/createMessage") => client.sampling.is_some(),
            Some("roots/list") => client.roots.is_some(),
            _ => client.elicitation.is_some(),
        });
    }
    requests
}

pub(crate) fn ask(
    tool: &str,
    request: &CallToolRequestParams,
    context: &Context,
) -> Result<CallToolResponse, ErrorData> {
    let state = request.request_state.as_deref();
    if !matches!(state, None | Some("state-1" | "state-2")) {
        return Err(ErrorData::invalid_params(
            "the state is not one of ours",
            None,
        ));
    }
    let answers = request.input_responses.clone().unwrap_or_default();
    let (requests, sealed) = match tool {
        "test_input_required_result_capabilities" => {
            let (all, _) = round("test_input_required_result_multiple_inputs", None);
            (only_possible(all, context), None)
        }
        // The first questions are those that the state came with.
        _ => round(tool, state.filter(|state| *state != "state-1")),
    };
    let answered = |requests: &Value| {
        let keys = requests.as_object().unwrap().keys();
        let is_answer = |answer: &Value| answer.is_object();
        keys.into_iter()
            .all(|key| answers.get(key).is_some_and(is_answer))
    };
    if tool == "test_input_required_result_multi_round"
        && state == Some("state-1")
        && answered(&requests)
    {
        let (second, sealed) = round(tool, Some("state-1"));
        return Ok(asks(second, sealed).into());
    }
    let requests = if state == Some("state-2") {
        round(tool, Some("state-1")).0
    } else {
        requests
    };
    if requests.as_object().is_some_and(serde_json::Map::is_empty) || !answered(&requests) {
        return Ok(asks(requests, sealed).into());
    }
    let told = serde_json::to_string(&answers).unwrap();
    let text = format!("state-ok {told}");
    Ok(CallToolResult::success(of(json!([{"type": "text", "text": text}]))).into())
}
