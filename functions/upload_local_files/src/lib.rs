//! Takes in the files that a guideline names: a page for people, `POST` for everybody.
//!
//! Files come as `multipart/form-data`, as many as one likes, or one as the body itself with its
//! name in `filename`. Each is kept by itself as soon as it is read, so that one that is refused
//! takes nothing from the others; the answer has a line for each. The same name again replaces.
//! A shell sends one with an upload grant in place of a token.
//! `DELETE` with a `filename` takes a file away; `status` says what is expected and what is there.

use std::sync::Arc;

use http::StatusCode;
use nova_blobs::Blobs;
use nova_research::local_file::FileName;
use nova_runtime::{
    Access, App, Call, ConfigError, Function, Problem, Response, Routes, Scope, Session,
    body::{empty, full},
    json, rfc3339, see_other,
};
use nova_store::SourceKind;
use serde::Serialize;
use uuid::Uuid;

mod files;
mod incoming;
pub mod page;

use self::files::{Desk, Files, Kept};
use self::incoming::Outcome;
use self::page::FilesPage;

/// The function.
pub const FUNCTION: Function = Function::service(
    "upload_local_files",
    "Takes in the local files that an article guideline names, from a page or a program.",
    set_up,
)
.with_database();

/// The fields of the form that asks whether a file is to be deleted.
const MAX_FORM_BYTES: u64 = 16 * 1024;

fn set_up(app: &Arc<App>) -> Result<Routes, ConfigError> {
    let blobs = Blobs::from_app(app)?;
    let run = Access::Page(&[Scope::ResearchRun]);
    let send = Access::Upload(&[Scope::ResearchRun]);
    let read = Access::Page(&[Scope::ResearchRead]);
    let (page, status, upload, removal) = (blobs.clone(), blobs.clone(), blobs.clone(), blobs);
    Ok(Routes::new()
        .get("/upload_local_files", run, move |call| {
            show(call, page.clone())
        })
        .get("/upload_local_files/status", read, move |call| {
            tell(call, status.clone())
        })
        .post("/upload_local_files", send, move |call| {
            post(call, upload.clone())
        })
        .delete("/upload_local_files", run, move |call| {
            delete(call, removal.clone())
        }))
}

/// What is expected and what is there, for a program.
#[derive(Serialize)]
struct Status {
    article_guideline_id: Uuid,
    expected: Vec<Expected>,
    uploaded: Vec<Listed>,
    missing: Vec<String>,
}

/// A file that the guideline names, and the upload that it is.
#[derive(Serialize)]
struct Expected {
    filename: String,
    uploaded_as: Option<String>,
}

/// A file that is there. Its size is that of its text as Markdown, in bytes.
#[derive(Serialize)]
struct Listed {
    filename: String,
    size: u64,
    updated_at: String,
}

/// The answer to an upload of which at least one file was taken.
#[derive(Serialize)]
struct Uploaded {
    article_guideline_id: Uuid,
    /// The name of the file, when it was the only one.
    filename: Option<String>,
    files: Vec<Line>,
    message: String,
}

/// What became of one file.
#[derive(Serialize)]
struct Line {
    filename: String,
    status: &'static str,
    size: Option<u64>,
    /// What it was read as, where it was not UTF-8: `windows-1252`.
    encoding: Option<&'static str>,
    /// Why it was refused, and what to do about it.
    reason: Option<String>,
}

async fn show(call: Call, blobs: Blobs) -> Result<Response, Problem> {
    let desk = Desk::of(&call, blobs)?;
    let asked = call.query("delete");
    let visitor = Visitor::of(&call)?;
    let files = desk.load().await?;
    let page = visitor.page(&desk, &files);
    // An address that asks to delete what is not there any more shows the list.
    let asked = asked.filter(|name| files.has(name));
    Ok(page.list(asked.as_deref()).render().map(full))
}

async fn tell(call: Call, blobs: Blobs) -> Result<Response, Problem> {
    let desk = Desk::of(&call, blobs)?;
    let files = desk.load().await?;
    Ok(json(StatusCode::OK, &Status::new(desk.article, &files)))
}

async fn post(mut call: Call, blobs: Blobs) -> Result<Response, Problem> {
    let desk = Desk::of(&call, blobs)?;
    let visitor = Visitor::of(&call)?;
    let is_form = call.content_type() == "application/x-www-form-urlencoded";
    if is_form && call.query("filename").is_none() {
        return delete_by_form(call, desk).await;
    }
    let (for_a_person, request_id) = (call.prefers_html(), call.request_id().to_owned());
    let mut files = desk.load().await?;
    let mut outcomes = Vec::new();
    let broken_off = incoming::receive(&mut call, &desk, &mut files, &mut outcomes)
        .await
        .err();
    let problem = broken_off.or_else(|| all_refused(&outcomes));
    match problem {
        None if for_a_person => {
            let page = visitor.page(&desk, &files).results(&outcomes, None);
            Ok(page.status(StatusCode::CREATED).render().map(full))
        }
        None => Ok(json(
            StatusCode::CREATED,
            &Uploaded::new(desk.article, outcomes),
        )),
        // The page again, with what is wrong; a fault of ours is shown and logged like any other.
        Some(problem) if for_a_person && !problem.is_our_fault() => {
            let reason = Some((problem.detail(), request_id.as_str()));
            let page = visitor.page(&desk, &files).results(&outcomes, reason);
            Ok(page.status(problem.status()).render().map(full))
        }
        Some(problem) => {
            let lines: Vec<Line> = outcomes.into_iter().map(Line::from).collect();
            let lines = serde_json::to_value(lines).map_err(Problem::internal)?;
            Err(problem.with("files", lines))
        }
    }
}

/// The problem of an upload of which nothing was taken: that of its only file, or that of all.
fn all_refused(outcomes: &[Outcome]) -> Option<Problem> {
    let refusals: Option<Vec<_>> = outcomes.iter().map(|it| it.kept.as_ref().err()).collect();
    let refusals = refusals?;
    let first = refusals.first()?;
    let alike = refusals.iter().all(|it| it.status() == first.status());
    let status = if alike {
        first.status()
    } else {
        StatusCode::BAD_REQUEST
    };
    let detail = match (outcomes, refusals.as_slice()) {
        ([only], [refusal]) => format!("{}: {}", only.filename, refusal.detail()),
        _ => "None of the files was taken; `files` says why of each.".to_owned(),
    };
    Some(Problem::new(
        status,
        "file-refused",
        "The file was not taken",
        detail,
    ))
}

async fn delete(mut call: Call, blobs: Blobs) -> Result<Response, Problem> {
    call.require_csrf_header()?;
    let desk = Desk::of(&call, blobs)?;
    let name = call
        .query("filename")
        .ok_or_else(|| Problem::bad_field("filename", "missing; add it to the query"))?;
    desk.delete(&name).await?;
    let mut response: Response = Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// What the page's own form asks for where no script runs.
async fn delete_by_form(mut call: Call, desk: Desk) -> Result<Response, Problem> {
    let fields = call.form(MAX_FORM_BYTES).await?;
    let name = fields.into_iter().find(|(field, _)| field == "delete");
    let (_, name) = name.ok_or_else(|| {
        Problem::bad_field("delete", "missing; name the file that is to be deleted")
    })?;
    desk.delete(&name).await?;
    Ok(see_other(&page::address(desk.article)))
}

impl Desk {
    async fn delete(&self, name: &str) -> Result<(), Problem> {
        let name = FileName::parse(name).map_err(|error| Problem::bad_field("filename", error))?;
        let mut tenant = self.app.tenant(&self.user).await?;
        // Which of the two is missing is worth knowing.
        tenant.article(self.article).await?;
        let deleted = tenant
            .delete_source(self.article, SourceKind::LocalFile, name.as_str())
            .await;
        match deleted {
            Err(nova_store::Error::NotFound { .. }) => Err(Problem::not_found(format!(
                "This article has no local file {name}."
            ))),
            deleted => Ok(deleted?),
        }?;
        Ok(tenant.commit().await?)
    }
}

/// What the page shows of the person before it.
struct Visitor {
    user: String,
    csrf_token: String,
}

impl Visitor {
    fn of(call: &Call) -> Result<Self, Problem> {
        Ok(Self {
            user: call.user()?.to_string(),
            // Who comes with a token in a header has no session, and no form of ours to send.
            csrf_token: call.session().map(Session::csrf_token).unwrap_or_default(),
        })
    }

    fn page<'a>(&'a self, desk: &Desk, files: &'a Files) -> FilesPage<'a> {
        FilesPage {
            user: &self.user,
            csrf_token: &self.csrf_token,
            article: desk.article,
            files,
        }
    }
}

impl Status {
    fn new(article: Uuid, files: &Files) -> Self {
        let compared = files.compared();
        let missing = compared.iter().filter(|it| it.uploaded_as.is_none());
        Self {
            article_guideline_id: article,
            missing: missing.map(|it| it.path.clone()).collect(),
            uploaded: files
                .uploaded
                .iter()
                .map(|file| Listed {
                    filename: file.name.clone(),
                    size: file.size,
                    updated_at: rfc3339(file.updated_at),
                })
                .collect(),
            expected: compared
                .into_iter()
                .map(|it| Expected {
                    filename: it.path,
                    uploaded_as: it.uploaded_as,
                })
                .collect(),
        }
    }
}

impl Uploaded {
    fn new(article: Uuid, outcomes: Vec<Outcome>) -> Self {
        let taken = outcomes.iter().filter(|it| it.kept.is_ok()).count();
        let message = match outcomes.as_slice() {
            [only] => {
                let note = only.kept.as_ref().map(Kept::note).unwrap_or_default();
                let note = if note.is_empty() {
                    note
                } else {
                    format!(".{note}")
                };
                format!("File '{}' uploaded successfully{note}", only.filename)
            }
            all if taken == all.len() => format!("{taken} files uploaded successfully"),
            all => format!(
                "{taken} of {} files were uploaded; `files` says why the others were not.",
                all.len()
            ),
        };
        let filename = match outcomes.as_slice() {
            [only] => Some(only.filename.clone()),
            _ => None,
        };
        Self {
            article_guideline_id: article,
            filename,
            files: outcomes.into_iter().map(Line::from).collect(),
            message,
        }
    }
}

impl From<Outcome> for Line {
    fn from(outcome: Outcome) -> Self {
        let (status, kept, reason) = match outcome.kept {
            Ok(kept) if kept.replaced => ("replaced", Some(kept), None),
            Ok(kept) => ("uploaded", Some(kept), None),
            Err(problem) => ("refused", None, Some(problem.detail().to_owned())),
        };
        Self {
            filename: outcome.filename,
            status,
            size: kept.as_ref().map(|it| it.size),
            encoding: kept.and_then(|it| it.encoding),
            reason,
        }
    }
}
