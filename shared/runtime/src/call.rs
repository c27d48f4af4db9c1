//! One request as a handler sees it: who calls, with which arguments, and the body with its limits.

use std::{ops::RangeInclusive, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, future::BoxFuture};
use http::{HeaderMap, Method, Uri, header, request::Parts};
use nova_store::{Store, Tenant, UploadGrant, UserId};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded;
use uuid::Uuid;

use crate::{
    admission,
    app::App,
    body::{Body, BodyError, Guarded, empty},
    identity::{Identity, Scope},
    json::{check_json, read_arguments},
    multipart::Multipart,
    problem::Problem,
    session::Session,
    trace::RequestContext,
};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// One request on its way through a handler.
pub struct Call {
    pub(crate) app: Arc<App>,
    pub(crate) parts: Parts,
    pub(crate) body: Body,
    pub(crate) identity: Option<Identity>,
    pub(crate) session: Option<Session>,
    pub(crate) grant: Option<UploadGrant>,
    pub(crate) path_values: Vec<(String, String)>,
    pub(crate) context: RequestContext,
}

impl Call {
    /// The function's surroundings.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The rows.
    pub fn store(&self) -> &Store {
        self.app.store()
    }

    /// Opens a transaction in which only the caller's rows exist.
    ///
    /// # Errors
    ///
    /// 503 when the database cannot be reached in time or its schema is older than this build needs.
    pub fn tenant(&self) -> BoxFuture<'static, Result<Tenant, Problem>> {
        // It does not borrow the call: a body cannot be shared between threads.
        let (app, user) = (Arc::clone(&self.app), self.user().cloned());
        Box::pin(async move { app.tenant(&user?).await })
    }

    /// Who calls. Routes that are not public always know.
    ///
    /// # Errors
    ///
    /// 401 on a public route that was called without a token.
    pub fn user(&self) -> Result<&UserId, Problem> {
        Ok(&self.identity()?.user)
    }

    /// Who calls, and with which scopes.
    ///
    /// # Errors
    ///
    /// 401 on a public route that was called without a token.
    pub fn identity(&self) -> Result<&Identity, Problem> {
        self.identity
            .as_ref()
            .ok_or_else(|| Problem::unauthorized("This needs a token."))
    }

    /// The browser session that the call came with, if it came with one and not with a token.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// The grant that the call came with in place of a token. That it fits address and type was
    /// checked, and no more is read of the body than it allows; using it up is left to who keeps
    /// the body.
    pub fn grant(&self) -> Option<&UploadGrant> {
        self.grant.as_ref()
    }

    /// The id to quote when something fails; it is in the log and in the `x-request-id` header.
    pub fn request_id(&self) -> &str {
        self.context.request_id()
    }

    /// The request that this call is, for who does a part of it in another task.
    pub fn context(&self) -> &RequestContext {
        &self.context
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The address as it was sent.
    pub fn uri(&self) -> &Uri {
        &self.parts.uri
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The value of a header, when it is text.
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// The value of a segment in braces of the route's path.
    pub fn path(&self, name: &str) -> &str {
        self.path_values
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    /// A parameter of the query, decoded; the first when it is given more than once.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.parts.uri.query()?.as_bytes();
        let mut pairs = form_urlencoded::parse(query);
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }

    /// A parameter of the query that must be a UUID.
    ///
    /// # Errors
    ///
    /// 400 when it is missing or not a UUID.
    pub fn query_id(&self, name: &str) -> Result<Uuid, Problem> {
        let value = self
            .query(name)
            .ok_or_else(|| Problem::bad_field(name, "missing; add it to the query"))?;
        parse_id(name, &value)
    }

    /// A parameter of the query that must be a whole number of a range; `unsaid` when it is missing.
    ///
    /// # Errors
    ///
    /// 400 when it is anything else.
    pub fn query_number(
        &self,
        name: &str,
        unsaid: u32,
        range: RangeInclusive<u32>,
    ) -> Result<u32, Problem> {
        let Some(value) = self.query(name) else {
            return Ok(unsaid);
        };
        let number = value.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| Problem::out_of_range(name, &range))
    }

    /// The segment in braces that must be a UUID. What is not one does not exist.
    ///
    /// # Errors
    ///
    /// 404 when it is not a UUID.
    pub fn path_id(&self, name: &str, what: &str) -> Result<Uuid, Problem> {
        let value = self.path(name);
        Uuid::try_parse(value)
            .map_err(|_not_an_id| Problem::not_found(format!("There is no {what} with this id.")))
    }

    /// Whether the client gave the call a key, to know it again when it has to ask twice.
    pub(crate) fn has_key(&self) -> bool {
        self.parts.headers.contains_key(IDEMPOTENCY_KEY)
    }

    /// The id under which this call is charged and its writes are made once. With the header
    /// `Idempotency-Key` it is the same whenever the same is asked under the same key: `what` says
    /// what is asked, whole. The same key with anything else is another call. How long a key stands
    /// is for the caller to say: for tools a day, for an upload as long as its article is there.
    ///
    /// # Errors
    ///
    /// 400 when the header is empty or longer than 255 characters.
    pub fn call_id(&self, what: &str) -> Result<Uuid, Problem> {
        match self.header(IDEMPOTENCY_KEY) {
            None => Ok(Uuid::now_v7()),
            Some(key) if key.is_empty() || key.len() > 255 => {
                Err(Problem::bad_field("Idempotency-Key", "1 to 255 characters"))
            }
            Some(key) => {
                // Neither user nor key has a line break.
                let name = format!("{}\n{key}\n{what}", self.user()?.as_ref());
                Ok(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
            }
        }
    }

    /// Refuses a caller that may not do all of this.
    ///
    /// # Errors
    ///
    /// 403 with a challenge that names every scope that is needed, so that a client can ask its
    /// user once.
    pub fn require(&self, scopes: &[Scope]) -> Result<(), Problem> {
        if self.identity()?.may(scopes) {
            return Ok(());
        }
        Err(admission::refuse(
            &self.app,
            &self.parts,
            scopes,
            Some("insufficient_scope"),
            Problem::insufficient_scope(scopes),
        ))
    }

    /// Method, address and headers, for who answers in another way.
    pub fn into_parts(self) -> Parts {
        self.parts
    }

    /// Whether a person reads the answer.
    pub fn prefers_html(&self) -> bool {
        prefers_html(&self.parts.headers)
    }

    /// The media type of the body, lower case, without parameters.
    pub fn content_type(&self) -> String {
        let value = self.header(header::CONTENT_TYPE).unwrap_or_default();
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    }

    /// Reads the body into memory.
    ///
    /// # Errors
    ///
    /// 413 above `limit` bytes, 408 when the client falls silent, 400 when the body breaks off,
    /// 403 when a browser session sends no CSRF token.
    pub async fn bytes(&mut self, limit: u64) -> Result<Bytes, Problem> {
        self.require_csrf_header()?;
        self.guarded(limit).collect().await.map_err(Problem::from)
    }

    /// The body as it arrives.
    ///
    /// # Errors
    ///
    /// As for [`Call::bytes`]; those of the body come from the stream.
    pub fn stream(
        &mut self,
        limit: u64,
    ) -> Result<impl Stream<Item = Result<Bytes, Problem>> + Send + 'static, Problem> {
        use futures_util::TryStreamExt as _;
        self.require_csrf_header()?;
        Ok(self.guarded(limit).map_err(Problem::from))
    }

    /// Reads a body of JSON.
    ///
    /// # Errors
    ///
    /// 415 when it is declared as something else, 400 with the place where it is none, and as for
    /// [`Call::bytes`] and [`check_json`].
    pub async fn json(&mut self, limit: u64) -> Result<Value, Problem> {
        let kind = self.content_type();
        // curl's -d says this of everything; a document that parses as JSON is meant as JSON.
        let curl = kind == "application/x-www-form-urlencoded" && self.session.is_none();
        if !(kind.is_empty() || kind == "application/json" || kind.ends_with("+json") || curl) {
            return Err(Problem::unsupported_media_type(format!(
                "Send JSON with `Content-Type: application/json`, not {kind}."
            )));
        }
        let body = self.bytes(limit).await?;
        check_json(&body)?;
        serde_json::from_slice(&body).map_err(|error| {
            Problem::bad_request(format!("The body is not the JSON expected here: {error}"))
        })
    }

    /// Reads a body of JSON as the arguments of a route.
    ///
    /// # Errors
    ///
    /// 400 that names the field which does not fit, and as for [`Call::json`].
    pub async fn arguments<T: DeserializeOwned>(&mut self, limit: u64) -> Result<T, Problem> {
        read_arguments(self.json(limit).await?)
    }

    /// Reads a body of form fields (`application/x-www-form-urlencoded`), CSRF token checked.
    ///
    /// # Errors
    ///
    /// As for [`Call::bytes`].
    pub async fn form(&mut self, limit: u64) -> Result<Vec<(String, String)>, Problem> {
        let bytes = self.guarded(limit).collect().await.map_err(Problem::from)?;
        let fields: Vec<(String, String)> = form_urlencoded::parse(&bytes).into_owned().collect();
        if let Some(session) = self.session.as_mut() {
            let token = fields.iter().find(|(name, _)| name == "csrf_token");
            session.check_csrf(token.map(|(_, value)| value.as_str()))?;
        }
        Ok(fields)
    }

    /// Reads a multipart body field by field.
    ///
    /// # Errors
    ///
    /// 415 when the body is not multipart.
    pub fn multipart(&mut self, limit: u64) -> Result<Multipart, Problem> {
        let content_type = self.header(header::CONTENT_TYPE).unwrap_or_default();
        let boundary = multer::parse_boundary(content_type).map_err(|_no_boundary| {
            Problem::unsupported_media_type("Send `multipart/form-data` with a boundary.")
        })?;
        let session = self
            .session
            .take()
            .filter(|session| !session.csrf_is_checked());
        Ok(Multipart::new(self.guarded(limit), &boundary, session))
    }

    fn guarded(&mut self, limit: u64) -> Guarded {
        let granted = self.grant.as_ref().map(|grant| grant.max_bytes);
        let limit = granted.map_or(limit, |granted| granted.min(limit));
        Guarded::new(std::mem::replace(&mut self.body, empty()), limit)
    }

    /// Checks that a browser session sends its CSRF token in the header `x-csrf-token`, unless a
    /// form field already did. Whoever reads a body has it checked on the way; a call that changes
    /// something without a body asks for it.
    ///
    /// # Errors
    ///
    /// 403.
    pub fn require_csrf_header(&mut self) -> Result<(), Problem> {
        let token = self
            .parts
            .headers
            .get("x-csrf-token")
            .and_then(|value| value.to_str().ok());
        match self.session.as_mut() {
            Some(session) if !self.parts.method.is_safe() => session.check_csrf(token),
            _ => Ok(()),
        }
    }
}

/// An argument that must be a UUID.
///
/// # Errors
///
/// 400 that names the argument.
pub fn parse_id(name: &str, value: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(value).map_err(|_not_an_id| {
        Problem::bad_field(name, "not a UUID; use the id that the upload answered")
    })
}

pub(crate) fn prefers_html(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let accept = accept.unwrap_or_default();
    let position = |kind| accept.find(kind);
    match (position("text/html"), position("application/json")) {
        (Some(html), Some(json)) => html < json,
        (html, _) => html.is_some(),
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { limit } => Self::too_large(limit),
            BodyError::Idle => Self::request_timeout(),
            BodyError::Broken(cause) => {
                Self::bad_request("The body broke off before its end.").caused_by(cause)
            }
        }
    }
}
