//! What the suite expects a server to have, word for word as it asks for it.

#![expect(
    deprecated,
    reason = "the suite tests what older versions have, too: logging, sampling, subscriptions"
)]

use std::time::Duration;

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities,
        CompleteRequestParams, CompleteResult, CompletionInfo, GetPromptRequestParams,
        GetPromptResponse, GetPromptResult, ListPromptsResult, ListResourceTemplatesResult,
        ListResourcesResult, ListToolsResult, LoggingLevel, LoggingMessageNotificationParam,
        PaginatedRequestParams, ProgressNotificationParam, ReadResourceRequestParams,
        ReadResourceResponse, ReadResourceResult, ServerCapabilities, ServerConfig,
        SetLevelRequestParams, SubscribeRequestParams, Tool, UnsubscribeRequestParams,
    },
    service::RequestContext,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::rounds;

/// A picture of one pixel, and a sound of none.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

/// A server of the suite's, as each era has it.
#[derive(Clone, Copy)]
pub(crate) enum Fixtures {
    /// With subscriptions, which then were requests like others.
    Legacy,
    /// Without: they are streams without an end now, and not offered.
    Modern,
}

pub(crate) type Context = RequestContext<RoleServer>;

/// A type of the protocol, from the JSON that it is on the wire.
pub(crate) fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn text(text: impl Into<String>) -> Value {
    json!([{"type": "text", "text": text.into()}])
}

fn tools() -> Vec<Tool> {
    let named = [
        "test_simple_text",
        "test_image_content",
        "test_audio_content",
        "test_embedded_resource",
        "test_multiple_content_types",
        "test_error_handling",
        "test_tool_with_progress",
        "test_tool_with_logging",
        "test_logging_tool",
        "test_missing_capability",
        "test_streaming_elicitation",
    ];
    let plain = |name: &str| {
        of(json!({"name": name, "description": name, "inputSchema": {"type": "object"}}))
    };
    let mut tools: Vec<Tool> = named
        .iter()
        .chain(rounds::TOOLS)
        .map(|name| plain(name))
        .collect();
    tools.push(of(json!({
        "name": "json_schema_2020_12_tool",
        "description": "Tool with JSON Schema 2020-12 features",
        "inputSchema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
            "$defs": {"address": {"$anchor": "addressDef", "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
            "properties": {
                "name": {"type": "string"}, "address": {"$ref": "#/$defs/address"},
                "contactMethod": {"type": "string", "enum": ["phone", "email"]},
                "phone": {"type": "string"}, "email": {"type": "string"},
            },
            "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
            "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
            "then": {"required": ["phone"]}, "else": {"required": ["email"]},
            "additionalProperties": false,
        },
    })));
    tools.push(of(json!({
        "name": "test_header", "description": "A tool whose argument is a header too",
        "inputSchema": {"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
        }},
    })));
    tools
}

fn prompts() -> Value {
    let arguments = json!([
        {"name": "arg1", "description": "First", "required": true},
        {"name": "arg2", "description": "Second", "required": true},
    ]);
    let uri = json!([{"name": "resourceUri", "description": "Which", "required": true}]);
    json!([
        {"name": "test_simple_prompt", "description": "Simple"},
        {"name": "test_prompt_with_arguments", "description": "With arguments", "arguments": arguments},
        {"name": "test_prompt_with_embedded_resource", "description": "With a resource", "arguments": uri},
        {"name": "test_prompt_with_image", "description": "With an image"},
        {"name": "test_input_required_result_prompt", "description": "Asks first"},
    ])
}

async fn progress(context: &Context) {
    let token = context.meta.get_progress_token();
    for done in [0.0, 50.0, 100.0] {
        if let Some(token) = token.clone() {
            let notice = ProgressNotificationParam::new(token, done).with_total(100.0);
            context.peer.notify_progress(notice).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn log(context: &Context) {
    for said in [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ] {
        let notice = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(said));
        context.peer.notify_logging_message(notice).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl ServerHandler for Fixtures {
    async fn set_level(&self, _: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .enable_completions()
            .enable_logging();
        let capabilities = match self {
            Self::Legacy => capabilities.enable_resources_subscribe().build(),
            Self::Modern => capabilities.build(),
        };
        ServerConfig::new(capabilities)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
        let content = match request.name.as_ref() {
            "test_simple_text" => text("This is a simple text response for testing."),
            "test_image_content" => json!([image]),
            "test_audio_content" => {
                json!([{"type": "audio", "data": WAV, "mimeType": "audio/wav"}])
            }
            "test_embedded_resource" => json!([{"type": "resource", "resource": {
                "uri": "test://embedded-resource", "mimeType": "text/plain",
                "text": "This is an embedded resource content.",
            }}]),
            "test_multiple_content_types" => json!([
                {"type": "text", "text": "Multiple content types test:"}, image,
                {"type": "resource", "resource": {
                    "uri": "test://mixed-content-resource", "mimeType": "application/json",
                    "text": "{\"test\":\"data\",\"value\":123}",
                }},
            ]),
            "test_error_handling" => {
                let content = text("This tool intentionally returns an error for testing");
                return Ok(CallToolResult::error(of(content)).into());
            }
            "test_tool_with_progress" => {
                progress(&context).await;
                text("done")
            }
            "test_missing_capability" => {
                let sampling = ClientCapabilities::builder().enable_sampling().build();
                return Err(ErrorData::missing_required_client_capability(sampling));
            }
            "test_streaming_elicitation" => {
                progress(&context).await;
                return rounds::ask("test_input_required_result_elicitation", &request, &context);
            }
            name if rounds::TOOLS.contains(&name) => {
                return rounds::ask(name, &request, &context);
            }
            "test_tool_with_logging" => {
                log(&context).await;
                text("done")
            }
            "json_schema_2020_12_tool" | "test_header" | "test_logging_tool" => text("ok"),
            name => return Err(ErrorData::invalid_params(format!("no tool {name}"), None)),
        };
        Ok(CallToolResult::success(of(content)).into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(of(json!([
            {"uri": "test://static-text", "name": "text", "description": "Text", "mimeType": "text/plain"},
            {"uri": "test://static-binary", "name": "binary", "description": "Binary", "mimeType": "image/png"},
            {"uri": "test://watched-resource", "name": "watched", "description": "Watched", "mimeType": "text/plain"},
        ]))))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(of(json!([
            {"uriTemplate": "test://template/{id}/data", "name": "template", "description": "By id", "mimeType": "application/json"},
        ]))))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        let by_id = uri.strip_prefix("test://template/");
        let contents = match (
            uri.as_str(),
            by_id.and_then(|rest| rest.strip_suffix("/data")),
        ) {
            (_, Some(id)) => {
                let data =
                    json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
                json!({"uri": uri, "mimeType": "application/json", "text": data.to_string()})
            }
            ("test://static-text", _) => json!({
                "uri": uri, "mimeType": "text/plain",
                "text": "This is the content of the static text resource.",
            }),
            ("test://static-binary", _) => {
                json!({"uri": uri, "mimeType": "image/png", "blob": PNG})
            }
            ("test://watched-resource", _) => {
                json!({"uri": uri, "mimeType": "text/plain", "text": "Watched."})
            }
            _ => {
                let data = json!({"uri": uri});
                return Err(ErrorData::resource_not_found(
                    "Resource not found",
                    Some(data),
                ));
            }
        };
        Ok(ReadResourceResult::new(vec![of(contents)]).into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(of(prompts())))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let arguments = Value::Object(request.arguments.clone().unwrap_or_default());
        let said = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
        let user = |content: Value| json!({"role": "user", "content": content});
        let says = |text: &str| user(json!({"type": "text", "text": text}));
        let messages = match request.name.as_str() {
            "test_simple_prompt" => json!([says("This is a simple prompt for testing.")]),
            "test_prompt_with_arguments" => {
                let (first, second) = (said("arg1"), said("arg2"));
                json!([says(&format!(
                    "Prompt with arguments: arg1='{first}', arg2='{second}'"
                ))])
            }
            "test_prompt_with_embedded_resource" => json!([
                user(json!({"type": "resource", "resource": {
                    "uri": said("resourceUri"), "mimeType": "text/plain",
                    "text": "Embedded resource content for testing.",
                }})),
                says("Please process the embedded resource above."),
            ]),
            "test_prompt_with_image" => json!([
                user(json!({"type": "image", "data": PNG, "mimeType": "image/png"})),
                says("Please analyze the image above."),
            ]),
            "test_input_required_result_prompt" => {
                let responses = request.input_responses.unwrap_or_default();
                let Some(answer) = responses.get("user_context") else {
                    return Ok(GetPromptResponse::InputRequired(rounds::prompt_asks()));
                };
                json!([says(&answer["content"]["context"].to_string())])
            }
            name => return Err(ErrorData::invalid_params(format!("no prompt {name}"), None)),
        };
        Ok(GetPromptResult::new(of(messages)).into())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: Context,
    ) -> Result<CompleteResult, ErrorData> {
        Ok(CompleteResult::new(CompletionInfo::default()))
    }
}
