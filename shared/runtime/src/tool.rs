//! Tools: the steps of the research workflow, each one call with JSON arguments about one article.
//!
//! What all tools share is here, so that no tool can forget it: the arguments are checked, the call
//! is charged and the article loaded as its owner's in one transaction, and the charge is given back
//! when the tool fails by our fault. A call that is refused (unknown article, wrong arguments, spent
//! quota) costs nothing. A caller that hangs up ends its own waiting and not the work it paid for.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use http::{HeaderName, HeaderValue, StatusCode, header};
use nova_store::{Article, Charge, Charged, RefusedBecause, Tenant, Usage, UserId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use time::{OffsetDateTime, macros::format_description};
use uuid::Uuid;

use crate::{
    app::App,
    body::{Response, json_text},
    call::{Call, parse_id},
    identity::Scope,
    json::read_arguments,
    problem::Problem,
    routes::Access,
};

/// Who may call tools.
pub(crate) const ACCESS: Access = Access::Token(&[Scope::ResearchRun]);

/// The argument that all tools have.
const ARTICLE: &str = "article_guideline_id";

/// Arguments are names and short lists; content is uploaded, not passed.
const ARGUMENTS_LIMIT_BYTES: u64 = 256 * 1024;

/// How long an `Idempotency-Key` stands for the call that it came with. A client tries again within
/// minutes; one that sends the same key with each call of a month still pays for each day of it.
const KEY_STAYS: Duration = Duration::from_hours(24);

/// One step of the workflow.
pub trait Tool: Send + Sync + 'static {
    /// The name that agents know.
    const NAME: &'static str;
    /// The arguments beside `article_guideline_id`. Derive `deny_unknown_fields`, so that a typing
    /// error is told and not ignored.
    type Arguments: DeserializeOwned + Send;
    /// The result object.
    type Answer: Serialize;

    /// Does the step. The call is charged and the article is the caller's.
    fn run(
        &self,
        call: ToolCall,
        arguments: Self::Arguments,
    ) -> BoxFuture<'_, Result<Self::Answer, Problem>>;
}

/// The arguments of a tool that takes none beside the article.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}

/// What a tool gets beside its arguments.
pub struct ToolCall {
    /// The function's surroundings.
    pub app: Arc<App>,
    /// The article, as it was when the call was charged.
    pub article: Article,
    /// Who calls.
    pub user: UserId,
    /// The id under which the call was charged.
    pub call_id: Uuid,
    tool: &'static str,
}

impl ToolCall {
    /// Opens a transaction in which only the caller's rows exist.
    ///
    /// # Errors
    ///
    /// 503 when the database cannot be reached in time.
    pub async fn tenant(&self) -> Result<Tenant, Problem> {
        self.app
            .tenant_in_call(&self.user, self.tool, self.call_id)
            .await
    }
}

/// A tool with its arguments, ready to run.
type Step = Box<dyn FnOnce(ToolCall) -> BoxFuture<'static, Result<String, Problem>> + Send>;

/// Reads a tool's arguments.
type Prepare = dyn Fn(Map<String, Value>) -> Result<Step, Problem> + Send + Sync;

/// A tool without its types.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) name: &'static str,
    app: Arc<App>,
    /// Reads the arguments. It comes before the charge: wrong arguments cost nothing.
    prepare: Arc<Prepare>,
}

impl Registered {
    pub(crate) fn new<T: Tool>(app: &Arc<App>, tool: T) -> Self {
        let tool = Arc::new(tool);
        let prepare = move |arguments| {
            let tool = Arc::clone(&tool);
            let arguments: T::Arguments = read_arguments(Value::Object(arguments))?;
            let step: Step = Box::new(move |call| {
                Box::pin(async move {
                    let answer = tool.run(call, arguments).await?;
                    // As text at once: the fields keep the order in which the tool declares them.
                    serde_json::to_string(&answer).map_err(Problem::internal)
                })
            });
            Ok(step)
        };
        Self {
            name: T::NAME,
            app: Arc::clone(app),
            prepare: Arc::new(prepare),
        }
    }

    /// Charges, loads, runs, and refunds if need be.
    pub(crate) async fn call(
        &self,
        user: UserId,
        call_id: Uuid,
        arguments: Value,
    ) -> Result<(String, Usage), Problem> {
        let (article, arguments) = take_article(arguments)?;
        let step = (self.prepare)(arguments)?;
        let (article, admission) = self.admit(&user, call_id, article).await?;
        let Admission { usage, is_first } = admission;
        let call = ToolCall {
            app: Arc::clone(&self.app),
            article,
            user,
            call_id,
            tool: self.name,
        };
        let user = call.user.clone();
        let outcome = AssertUnwindSafe(step(call)).catch_unwind().await;
        match outcome.unwrap_or_else(|panic| Err(Problem::panicked(&*panic))) {
            Ok(answer) => Ok((answer, usage)),
            Err(problem) => {
                // What an earlier delivery was charged for may have been had by it.
                if problem.is_our_fault() && is_first {
                    self.refund(&user, call_id).await;
                }
                Err(problem)
            }
        }
    }

    async fn admit(
        &self,
        user: &UserId,
        call_id: Uuid,
        article: Uuid,
    ) -> Result<(Article, Admission), Problem> {
        let mut tenant = self.app.tenant_in_call(user, self.name, call_id).await?;
        // The article first: when it is not there, the transaction ends before anything is charged.
        let found = tenant.article(article).await?;
        let charge = Charge {
            tool: self.name,
            call_id,
            article: Some(article),
            default_limit: self.app.config().monthly_tool_call_limit.into(),
        };
        let admission = self::charge(&mut tenant, &charge).await?;
        let committed = tenant.commit().await;
        if let Err(error) = &committed
            && error.is_retryable()
            && admission.is_first
        {
            // It may be charged all the same, and is not going to run.
            self.refund(user, call_id).await;
        }
        committed?;
        Ok((found, admission))
    }

    /// The call for which a key stands now: the one that it was made for, or, when that is long past,
    /// the next. All deliveries of that one find the same id.
    async fn in_force(&self, user: &UserId, mut call_id: Uuid) -> Result<Uuid, Problem> {
        let mut tenant = self.app.tenant(user).await?;
        while tenant.was_charged_before(call_id, KEY_STAYS).await? {
            call_id = Uuid::new_v5(&call_id, b"again");
        }
        Ok(call_id)
    }

    async fn refund(&self, user: &UserId, call_id: Uuid) {
        let refund = async {
            let mut tenant = self.app.tenant(user).await?;
            tenant.refund(call_id, "failed by our fault").await?;
            tenant.commit().await?;
            Ok::<_, Problem>(())
        };
        if let Err(problem) = refund.await {
            tracing::error!(%call_id, tool = self.name, error = ?problem, "a failed call could not be refunded");
        }
    }

    pub(crate) async fn answer(&self, mut call: Call) -> Result<Response, Problem> {
        let user = call.user()?.clone();
        let arguments = call.json(ARGUMENTS_LIMIT_BYTES).await?;
        let mut call_id = call.call_id(&format!("{} {arguments}", self.name))?;
        if call.has_key() {
            call_id = self.in_force(&user, call_id).await?;
        }
        let tool = self.clone();
        let work = async move { tool.call(user, call_id, arguments).await };
        let (answer, usage) = self.app.finish(work).await?;
        let mut response = json_text(StatusCode::OK, answer);
        response.headers_mut().extend(rate_limit(&usage));
        Ok(response)
    }
}

/// Parts the arguments into the article and the tool's own.
pub(crate) fn take_article(arguments: Value) -> Result<(Uuid, Map<String, Value>), Problem> {
    let Value::Object(mut arguments) = arguments else {
        return Err(Problem::bad_request("The arguments must be a JSON object."));
    };
    match arguments.remove(ARTICLE) {
        Some(Value::String(id)) => Ok((parse_id(ARTICLE, &id)?, arguments)),
        Some(_) => Err(Problem::bad_field(ARTICLE, "must be a string")),
        None => Err(Problem::bad_field(ARTICLE, "missing")),
    }
}

/// A call that may go ahead.
pub(crate) struct Admission {
    pub(crate) usage: Usage,
    /// Whether it was charged now, and not when the same call was delivered before.
    pub(crate) is_first: bool,
}

/// Charges a call; 429 when that is not possible.
pub(crate) async fn charge(tenant: &mut Tenant, charge: &Charge<'_>) -> Result<Admission, Problem> {
    let (usage, is_first) = match tenant.charge(charge).await? {
        Charged::Admitted(usage) => (usage, true),
        Charged::Replayed(usage) => (usage, false),
        Charged::Refused {
            usage,
            reason,
            retry_after,
        } => {
            return Err(match reason {
                RefusedBecause::Monthly => limit_exceeded(&usage, retry_after),
                RefusedBecause::Burst => too_many_at_once(retry_after),
            });
        }
    };
    Ok(Admission { usage, is_first })
}

/// 429 that passes by itself.
fn too_many_at_once(retry_after: Duration) -> Problem {
    let seconds = retry_after.as_secs().max(1);
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-at-once",
        "Too many tool calls at once",
        format!("Too many tool calls in a short time. Call again in {seconds} s."),
    )
    .header(header::RETRY_AFTER, seconds)
}

/// 429 in the words that existing users know.
fn limit_exceeded(usage: &Usage, retry_after: Duration) -> Problem {
    let limit = usage.limit.unwrap_or_default();
    let day = format_description!("[month repr:long] [day], [year]");
    let resets_on = usage.resets_at.format(day).unwrap_or_default();
    let detail = format!(
        "Monthly tool usage limit exceeded. You have used {}/{limit} tool calls this month. \
         Your quota resets on {resets_on}.",
        usage.used
    );
    let mut problem = Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "limit-exceeded",
        "Monthly tool usage limit exceeded",
        detail,
    )
    .with("used", usage.used)
    .with("limit", limit)
    .with("resets_at", rfc3339(usage.resets_at))
    .header(header::RETRY_AFTER, retry_after.as_secs().max(1));
    for (name, value) in rate_limit(usage) {
        problem = problem.header(name, value);
    }
    problem
}

/// The fields of draft-ietf-httpapi-ratelimit-headers; none where there is no limit.
pub(crate) fn rate_limit(usage: &Usage) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let fields = usage.limit.map(|limit| {
        let left = limit.saturating_sub(usage.used);
        let seconds = (usage.resets_at - OffsetDateTime::now_utc())
            .whole_seconds()
            .max(0);
        [
            ("ratelimit-policy", format!("\"monthly\";q={limit}")),
            ("ratelimit", format!("\"monthly\";r={left};t={seconds}")),
        ]
    });
    fields.into_iter().flatten().filter_map(|(name, value)| {
        Some((
            HeaderName::from_static(name),
            HeaderValue::from_str(&value).ok()?,
        ))
    })
}

/// A moment as the interface writes it.
pub fn rfc3339(moment: OffsetDateTime) -> String {
    moment
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default()
}
