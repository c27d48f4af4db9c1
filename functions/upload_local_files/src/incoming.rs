//! Files on their way in: several in a form, or one as the body.
//!
//! One file is in memory at a time, and never more of it than is taken; the next is read when it
//! has been kept.

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use http::StatusCode;
use nova_research::local_file::{FileError, FileName, MAX_FILE_BYTES, MAX_FILES};
use nova_runtime::{Call, Problem};

use crate::files::{Desk, Files, Kept, refused};

/// All files of one form. Cloud Run takes no more in one request.
pub(crate) const MAX_REQUEST_BYTES: u64 = 32 << 20;

/// Longer names are not repeated to their sender, in characters.
const LONGEST_ECHO: usize = 300;

/// What became of one file.
pub(crate) struct Outcome {
    /// The name under which it is kept, or, if it was refused, the one that it came with.
    pub(crate) filename: String,
    pub(crate) kept: Result<Kept, Problem>,
}

/// Takes in all files of a request. What was kept stays kept, also when a later one breaks off.
pub(crate) async fn receive(
    call: &mut Call,
    desk: &Desk,
    files: &mut Files,
    outcomes: &mut Vec<Outcome>,
) -> Result<(), Problem> {
    if let Some(name) = call.query("filename") {
        let body = call.stream(MAX_REQUEST_BYTES)?;
        outcomes.push(one(desk, files, &name, body).await?);
        return Ok(());
    }
    match call.content_type().as_str() {
        "multipart/form-data" => form(call, desk, files, outcomes).await,
        _ => Err(Problem::unsupported_media_type(
            "Send the files as `multipart/form-data`, or one as the body with its name in the \
             query, as `filename`.",
        )),
    }
}

async fn form(
    call: &mut Call,
    desk: &Desk,
    files: &mut Files,
    outcomes: &mut Vec<Outcome>,
) -> Result<(), Problem> {
    let mut form = call.multipart(MAX_REQUEST_BYTES)?;
    while let Some(field) = form.next_field().await? {
        // A browser sends the file's field even when nothing was chosen, without a name.
        let Some(name) = field.file_name().filter(|name| !name.is_empty()) else {
            continue;
        };
        if outcomes.len() == MAX_FILES {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-many",
                "Too many files",
                format!(
                    "At most {MAX_FILES} files are taken at once. Send the others after these."
                ),
            ));
        }
        let name = name.to_owned();
        outcomes.push(one(desk, files, &name, field.stream()).await?);
    }
    if outcomes.is_empty() {
        return Err(Problem::bad_field(
            "file",
            "missing; choose at least one file",
        ));
    }
    Ok(())
}

/// Keeps one file, or says why not. A fault of ours, and a body that broke off, end everything.
async fn one(
    desk: &Desk,
    files: &mut Files,
    given: &str,
    body: impl Stream<Item = Result<Bytes, Problem>> + Send,
) -> Result<Outcome, Problem> {
    let name = FileName::parse(given);
    let accepted = match &name {
        Ok(name) if name.kind().is_none() => Err(refused(&FileError::UnknownKind)),
        Ok(name) => Ok(name),
        Err(error) => Err(Problem::bad_field("filename", error)),
    };
    // What is refused is read to its end as well: a sender who is not listened to hears nothing.
    let content = collect(body, accepted.is_ok()).await?;
    let kept = match (accepted, content) {
        (Ok(name), Some(content)) => desk.keep(files, name, content).await,
        (Ok(_), None) => Err(refused(&FileError::TooLarge)),
        (Err(problem), _) => Err(problem),
    };
    if let Err(problem) = kept {
        if problem.is_our_fault() {
            return Err(problem);
        }
        let filename = given.chars().take(LONGEST_ECHO).collect();
        return Ok(Outcome {
            filename,
            kept: Err(problem),
        });
    }
    let filename = name.map_or_else(|_| String::new(), |name| name.as_str().to_owned());
    Ok(Outcome { filename, kept })
}

/// Reads a body to its end; `None` if it is not to be kept, or larger than a file may be.
async fn collect(
    body: impl Stream<Item = Result<Bytes, Problem>> + Send,
    is_kept: bool,
) -> Result<Option<Vec<u8>>, Problem> {
    let mut body = std::pin::pin!(body);
    let mut content = is_kept.then(Vec::new);
    while let Some(piece) = body.try_next().await? {
        content = content.filter(|content| content.len() + piece.len() <= MAX_FILE_BYTES);
        if let Some(content) = &mut content {
            content.extend_from_slice(&piece);
        }
    }
    Ok(content)
}
