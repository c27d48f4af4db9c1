//! The methods of the protocol.

use std::{borrow::Cow, sync::Arc};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams,
        CompleteRequestParams, CompleteResult, CompletionInfo, CustomRequest, CustomResult,
        GetPromptRequestParams, GetPromptResponse, GetPromptResult, GetTaskParams, GetTaskResult,
        Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
        ListToolsResult, PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams,
        ReadResourceResponse, Reference, ServerCapabilities, ServerConfig, Tool, UpdateTaskParams,
    },
    service::RequestContext,
};

use crate::{call, caller::Caller, catalogue, nova::Nova, prompt, resources, tasks, unread};

/// The versions of the protocol that are spoken, old to new.
const VERSIONS: &[ProtocolVersion] = &[
    ProtocolVersion::V_2025_03_26,
    ProtocolVersion::V_2025_06_18,
    ProtocolVersion::V_2025_11_25,
    ProtocolVersion::V_2026_07_28,
];

/// Lists that are the same for everybody change with a release.
const LIST_TTL_MS: u64 = 60 * 60 * 1000;

/// One request's server; what it knows is the deployment's.
pub(crate) struct Server {
    nova: Arc<Nova>,
}

impl Server {
    pub(crate) fn new(nova: Arc<Nova>) -> Self {
        Self { nova }
    }
}

type Context = RequestContext<RoleServer>;

/// What is listed on one page has no cursor.
fn one_page(request: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match request.and_then(|request| request.cursor) {
        Some(_) => Err(resources::no_cursor()),
        None => Ok(()),
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .enable_completions()
            .enable_tasks()
            .build();
        let name = Implementation::new("nova", env!("CARGO_PKG_VERSION")).with_title("Nova");
        ServerConfig::new(capabilities)
            .with_server_info(name)
            .with_instructions(format!(
                "Nova turns an article guideline into a cited research file. The prompt `{}` has \
                 the whole workflow. When a result says `running`, call the same tool again with \
                 the same arguments.",
                prompt::NAME
            ))
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(VERSIONS)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        one_page(request)?;
        let tools = catalogue::TOOLS_IN_ORDER.iter();
        let tools = tools.filter(|tool| self.nova.offers(&tool.name)).cloned();
        Ok(ListToolsResult::with_all_items(tools.collect())
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        catalogue::find(name)
            .filter(|tool| self.nova.offers(&tool.name))
            .cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = Caller::of(&context)?;
        let called = call::call(&self.nova, &caller, request, &context);
        caller.context.scope(called).await
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let caller = Caller::of(&context)?;
        let cursor = request.and_then(|request| request.cursor);
        let listed = resources::list(&self.nova, &caller, cursor.as_deref());
        caller.context.scope(listed).await
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        one_page(request)?;
        Ok(resources::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let caller = Caller::of(&context)?;
        let read = resources::read(&self.nova, &caller, &request.uri);
        Ok(caller.context.scope(read).await?.into())
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        one_page(request)?;
        Ok(ListPromptsResult::with_all_items(vec![prompt::prompt()])
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        if request.name != prompt::NAME {
            let detail = format!("There is no prompt {:?}.", request.name);
            return Err(ErrorData::invalid_params(detail, None));
        }
        let message = prompt::message(&self.nova.app.config().server_url);
        Ok(GetPromptResult::new(vec![message]).into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: Context,
    ) -> Result<CompleteResult, ErrorData> {
        let caller = Caller::of(&context)?;
        let info = match request.r#ref {
            Reference::Resource(place)
                if place.uri.starts_with("article://{id}") && request.argument.name == "id" =>
            {
                let known = resources::complete(&self.nova, &caller, &request.argument.value);
                caller.context.scope(known).await?
            }
            _ => CompletionInfo::default(),
        };
        Ok(CompleteResult::new(info))
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: Context,
    ) -> Result<GetTaskResult, ErrorData> {
        let caller = Caller::of(&context)?;
        let told = tasks::get(&self.nova, &caller, &request.task_id);
        caller.context.scope(told).await
    }

    /// No tool asks its caller anything while it runs; that the task is the caller's is checked.
    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        let caller = Caller::of(&context)?;
        let found = tasks::find(&self.nova, &caller, &request.task_id);
        caller.context.scope(found).await.map(drop)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        let caller = Caller::of(&context)?;
        let cancelled = tasks::cancel(&self.nova, &caller, &request.task_id);
        caller.context.scope(cancelled).await
    }
    /// What the library cannot read as any method that it knows.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: Context,
    ) -> Result<CustomResult, ErrorData> {
        Err(unread::request(request))
    }
}
