//! Takes a guideline in: a page for people, `POST` for everybody.
//!
//! A guideline is UTF-8 Markdown of at most 1 MiB, sent as the field `file` (or `text`) of a form or
//! as a body of `text/markdown`. The answer names the article that it began; with an
//! `Idempotency-Key` a repeated upload answers the first article again. With an upload grant the
//! article is the one that the grant named; `grant` in the page's address names one that an agent
//! asked for, whose user is to upload the guideline in person.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture, stream};
use http::{StatusCode, uri::PathAndQuery};
use nova_blobs::{Blobs, Upload};
use nova_research::guideline::{Guideline, GuidelineError, MAX_GUIDELINE_BYTES};
use nova_runtime::{
    Access, App, Call, ConfigError, Field, Function, Problem, Response, Routes, Scope, Session,
    body::full, json,
};
use nova_store::{NewArticle, Purpose};
use serde::Serialize;
use uuid::Uuid;

pub mod page;

use self::page::{FILE_FIELD, Refusal, TEXT_FIELD, UploadPage};

/// The function.
pub const FUNCTION: Function = Function::service(
    "upload_article_guideline",
    "Takes an article guideline in, from a page or a program.",
    set_up,
)
.with_database();

/// What the form's own boundaries and small fields may add.
const FORM_OVERHEAD_BYTES: u64 = 64 * 1024;

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let blobs = Blobs::from_app(app)?;
    let (page, upload) = (
        Access::Page(&[Scope::ResearchRun]),
        Access::Upload(&[Scope::ResearchRun]),
    );
    Ok(Routes::new()
        .get("/upload_article_guideline", page, form)
        .post("/upload_article_guideline", upload, move |call| {
            post(call, blobs.clone())
        }))
}

/// The answer to a program.
#[derive(Serialize)]
struct Uploaded {
    article_id: Uuid,
    title: String,
    message: String,
}

async fn form(call: Call) -> Result<Response, Problem> {
    let visitor = Visitor::of(&call)?;
    asked_for(&call).await?;
    Ok(visitor.page().form().render().map(full))
}

async fn post(mut call: Call, blobs: Blobs) -> Result<Response, Problem> {
    let visitor = Visitor::of(&call)?;
    let for_a_person = call.prefers_html();
    let mut pasted = String::new();
    match upload(&mut call, &blobs, &mut pasted).await {
        Ok(uploaded) if for_a_person => {
            let article_id = uploaded.article_id.to_string();
            let page = visitor.page().uploaded(&page::Uploaded {
                article_id: &article_id,
                message: &uploaded.message,
            });
            Ok(page.status(StatusCode::CREATED).render().map(full))
        }
        Ok(uploaded) => Ok(json(StatusCode::CREATED, &uploaded)),
        // The page again, with what is wrong; a fault of ours is shown and logged like any other.
        Err(problem) if for_a_person && !problem.is_our_fault() => {
            let page = visitor.page().refused(&Refusal {
                detail: problem.detail(),
                request_id: call.request_id(),
                text: &pasted,
            });
            Ok(page.status(problem.status()).render().map(full))
        }
        Err(problem) => Err(problem),
    }
}

/// The grant that the address names: an agent waits for this upload. It was made for one user, and
/// says so to another who opens the address.
fn asked_for(call: &Call) -> BoxFuture<'static, Result<Option<Uuid>, Problem>> {
    // It does not borrow the call: a body cannot be shared between threads.
    let (grant, user, tenant) = (call.query("grant"), call.user().cloned(), call.tenant());
    Box::pin(async move {
        let (Some(grant), user) = (grant, user?) else {
            return Ok(None);
        };
        let foreign = || {
            Problem::not_found(format!(
                "This address was made for somebody else, or too long ago. You are signed in as \
                 {user}: sign in as whom your agent works for, or ask it for another address."
            ))
        };
        let grant = Uuid::try_parse(&grant).map_err(|_not_an_id| foreign())?;
        match tenant.await?.is_guideline_uploaded(grant).await {
            Ok(false) => Ok(Some(grant)),
            Ok(true) => Err(Problem::conflict(format!(
                "The guideline was uploaded here before: it began the article {grant}."
            ))),
            Err(nova_store::Error::NotFound { .. }) => Err(foreign()),
            Err(error) => Err(error.into()),
        }
    })
}

/// What the page shows of the person before it.
struct Visitor {
    user: String,
    csrf_token: String,
    action: String,
    server_url: String,
}

impl Visitor {
    fn of(call: &Call) -> Result<Self, Problem> {
        Ok(Self {
            user: call.user()?.to_string(),
            // Who comes with a token in a header has no session, and no form of ours to send.
            csrf_token: call.session().map(Session::csrf_token).unwrap_or_default(),
            action: call
                .uri()
                .path_and_query()
                .map_or("/upload_article_guideline", PathAndQuery::as_str)
                .to_owned(),
            server_url: call
                .app()
                .config()
                .server_url
                .as_str()
                .trim_end_matches('/')
                .to_owned(),
        })
    }

    fn page(&self) -> UploadPage<'_> {
        UploadPage {
            user: &self.user,
            csrf_token: &self.csrf_token,
            action: &self.action,
            max_size: MAX_GUIDELINE_BYTES as u64,
            server_url: &self.server_url,
        }
    }
}

/// `pasted` takes the text of the form's text field, so that it is not lost when it is refused.
async fn upload(call: &mut Call, blobs: &Blobs, pasted: &mut String) -> Result<Uploaded, Problem> {
    let granted = call.grant().map(|grant| grant.id);
    let grant = match granted {
        Some(grant) => Some(grant),
        None => asked_for(call).await?,
    };
    let guideline = read(call, pasted).await?;
    let title = guideline.title();
    let id = match grant {
        Some(grant) => grant,
        None => call.call_id("upload_article_guideline")?,
    };
    let content = Bytes::from(guideline.into_string());
    let upload = Upload {
        declared_size: Some(content.len() as u64),
        ..Upload::new(Purpose::Guideline, "text/markdown; charset=utf-8")
    };
    let limit = MAX_GUIDELINE_BYTES as u64;
    let user = call.user()?.clone();
    let body = stream::once(async { Ok(content) }).boxed();
    let written = blobs.write(&user, upload, body, limit).await?;

    let mut tenant = call.tenant().await?;
    if let Some(grant) = grant {
        tenant.use_upload_grant(grant).await?;
    }
    tenant.commit_blob(&written).await?;
    let article = NewArticle {
        id,
        title: Some(title.clone()),
        guideline_blob_id: written.id,
        idempotency_key: call.header("idempotency-key").map(str::to_owned),
    };
    let article_id = tenant.create_article(&article).await?;
    if article.idempotency_key.is_some() {
        let first = tenant.article(article_id).await?.guideline;
        if (first.size, first.crc32c) != (written.size, written.crc32c) {
            return Err(key_reused());
        }
    }
    tenant.commit().await?;
    let message = format!("“{title}” is ready for research.");
    Ok(Uploaded {
        article_id,
        title,
        message,
    })
}

/// 422: to answer the first article would lose the guideline that came now.
fn key_reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "key-reused",
        "The key was used for something else",
        "This Idempotency-Key came with another guideline before. Send this one with a new key.",
    )
}

/// The guideline in whichever form it was sent.
async fn read(call: &mut Call, pasted: &mut String) -> Result<Guideline, Problem> {
    let limit = MAX_GUIDELINE_BYTES as u64;
    let content = match call.content_type().as_str() {
        "multipart/form-data" => read_form(call, pasted).await.map_err(|problem| {
            // What counts for the sender is the guideline's limit and not that of the whole form.
            match problem.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(limit),
                _ => problem,
            }
        })?,
        "text/markdown" | "text/x-markdown" | "text/plain" => call.bytes(limit).await?,
        other => {
            let given = if other.is_empty() { "nothing" } else { other };
            return Err(Problem::unsupported_media_type(format!(
                "Send the guideline as `text/markdown`, or as the field `file` of \
                 `multipart/form-data`; this request declares {given}."
            )));
        }
    };
    Guideline::parse(content).map_err(|error| refused(&error))
}

async fn read_form(call: &mut Call, pasted: &mut String) -> Result<Bytes, Problem> {
    let mut form = call.multipart(MAX_GUIDELINE_BYTES as u64 + FORM_OVERHEAD_BYTES)?;
    while let Some(field) = form.next_field().await? {
        // A browser sends the file's field even when nothing was chosen, without a name.
        let chosen = match field.name() {
            FILE_FIELD => field.file_name().is_none_or(|name| !name.is_empty()),
            TEXT_FIELD => true,
            _ => false,
        };
        if !chosen {
            continue;
        }
        let is_file = field.name() == FILE_FIELD;
        if is_file {
            check_type(&field)?;
        }
        let content = field.bytes(MAX_GUIDELINE_BYTES).await?;
        if is_file {
            return Ok(content);
        }
        if !content.is_empty() {
            *pasted = String::from_utf8_lossy(&content).into_owned();
            return Ok(content);
        }
    }
    Err(Problem::bad_field(
        "file",
        "missing; choose a Markdown file, or send text in `text`",
    ))
}

/// Browsers and curl know `.md` by many types or none: the name or a text type will do.
fn check_type(field: &Field) -> Result<(), Problem> {
    let name = field.file_name().unwrap_or_default().to_ascii_lowercase();
    let by_name = [".md", ".markdown", ".mdown", ".txt"]
        .iter()
        .any(|end| name.ends_with(end));
    let kind = field.content_type().unwrap_or_default();
    if by_name || kind.starts_with("text/") && !name.contains('.') {
        return Ok(());
    }
    Err(Problem::unsupported_media_type(
        "The file must be Markdown: a name that ends in .md, .markdown or .txt.",
    ))
}

fn refused(error: &GuidelineError) -> Problem {
    match error {
        GuidelineError::TooLarge { .. } => Problem::too_large(MAX_GUIDELINE_BYTES as u64),
        error => Problem::bad_field("file", error),
    }
}
