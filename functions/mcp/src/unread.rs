//! What cannot be read, told as the protocol tells it: bytes that are no message, and messages whose
//! method is known and whose parameters do not fit it.

use rmcp::{
    ErrorData,
    model::{
        CallToolRequestParams, CancelTaskParams, CompleteRequestParams, CustomRequest, ErrorCode,
        GetPromptRequestParams, GetTaskParams, InitializeRequestParams, JsonRpcError,
        PaginatedRequestParams, ReadResourceRequestParams, UpdateTaskParams,
    },
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Why a body is no message.
pub(crate) fn body(bytes: &[u8]) -> JsonRpcError {
    let message: Value = match serde_json::from_slice(bytes) {
        Ok(message) => message,
        Err(error) => {
            let detail = format!("The body is not JSON: {error}.");
            return JsonRpcError::new(None, ErrorData::parse_error(detail, None));
        }
    };
    let id = serde_json::from_value(message["id"].clone()).ok();
    JsonRpcError::new(id, ErrorData::invalid_request(fault(&message), None))
}

fn fault(message: &Value) -> &'static str {
    let Value::Object(fields) = message else {
        return if message.is_array() {
            "Batches are not taken: send each message by itself."
        } else {
            "A message is an object."
        };
    };
    let is_wrong =
        |name: &str, fits: fn(&Value) -> bool| fields.get(name).is_some_and(|it| !fits(it));
    if message["jsonrpc"] != "2.0" {
        "`jsonrpc` must be \"2.0\"."
    } else if is_wrong("id", |id| id.is_string() || id.is_i64()) {
        "`id` must be a string or an integer."
    } else if !message["method"].is_string() {
        "`method` must be a string."
    } else if is_wrong("params", Value::is_object) {
        "`params` must be an object."
    } else {
        "This is neither a request nor a notification: a method, its `params`, and in these `_meta` as an object."
    }
}

/// Why a request is none of those that are answered.
pub(crate) fn request(request: CustomRequest) -> ErrorData {
    let params = request.params.unwrap_or_else(|| json!({}));
    let misfit = match request.method.as_str() {
        "initialize" => misfit::<InitializeRequestParams>(params),
        "tools/call" => misfit::<CallToolRequestParams>(params),
        "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list" => {
            misfit::<PaginatedRequestParams>(params)
        }
        "resources/read" => misfit::<ReadResourceRequestParams>(params),
        "prompts/get" => misfit::<GetPromptRequestParams>(params),
        "completion/complete" => misfit::<CompleteRequestParams>(params),
        "tasks/get" => misfit::<GetTaskParams>(params),
        "tasks/update" => misfit::<UpdateTaskParams>(params),
        "tasks/cancel" => misfit::<CancelTaskParams>(params),
        method => {
            let detail = format!("There is no method {method:?}.");
            return ErrorData::new(ErrorCode::METHOD_NOT_FOUND, detail, None);
        }
    };
    ErrorData::invalid_params(format!("The parameters do not fit: {misfit}."), None)
}

fn misfit<T: DeserializeOwned>(params: Value) -> String {
    match serde_json::from_value::<T>(params) {
        Err(error) => error.to_string(),
        // Of two the value has kept the last, which the library did not.
        Ok(_) => "a field is there twice".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_no_message_is_told_why() {
        for (text, code, words) in [
            ("", -32700, "not JSON"),
            ("{\"jsonrpc\":", -32700, "not JSON"),
            ("[{}]", -32600, "Batches"),
            ("7", -32600, "an object"),
            ("{}", -32600, "`jsonrpc`"),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"m"}"#, -32600, "`id`"),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600, "`method`"),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[]}"#,
                -32600,
                "`params`",
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"m","result":{}}"#,
                -32600,
                "neither",
            ),
        ] {
            let told = body(text.as_bytes()).error;
            assert_eq!(told.code.0, code, "{text}: {told:?}");
            assert!(told.message.contains(words), "{text}: {told:?}");
        }
    }
}
