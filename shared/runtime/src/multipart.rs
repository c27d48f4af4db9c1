//! Multipart bodies, field by field, none of them held whole.

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};

use crate::{
    body::{BodyError, Guarded},
    problem::Problem,
    session::Session,
};

/// The fields of a `multipart/form-data` body in the order in which they were sent.
pub struct Multipart {
    fields: multer::Multipart<'static>,
    /// Present until a browser's form has shown its CSRF token, which must be its first field.
    session: Option<Session>,
}

/// One field.
pub struct Field(multer::Field<'static>);

impl Multipart {
    pub(crate) fn new(body: Guarded, boundary: &str, session: Option<Session>) -> Self {
        Self {
            fields: multer::Multipart::new(body, boundary),
            session,
        }
    }

    /// The next field, or `None` after the last.
    ///
    /// # Errors
    ///
    /// 400 when the body is malformed, 403 when a browser's form does not begin with its CSRF
    /// token, and those of the body itself.
    pub async fn next_field(&mut self) -> Result<Option<Field>, Problem> {
        if let Some(mut session) = self.session.take() {
            let first = self.fields.next_field().await.map_err(problem)?;
            let token = match first {
                Some(field) if field.name() == Some("csrf_token") => {
                    Some(Field(field).text(1024).await?)
                }
                _ => None,
            };
            session.check_csrf(token.as_deref())?;
        }
        Ok(self.fields.next_field().await.map_err(problem)?.map(Field))
    }
}

impl Field {
    /// The field's name; empty when the form gave none.
    pub fn name(&self) -> &str {
        self.0.name().unwrap_or_default()
    }

    /// The name of the file on the sender's machine, as the sender tells it: hostile input.
    pub fn file_name(&self) -> Option<&str> {
        self.0.file_name()
    }

    /// The media type that the sender declares, lower case, without parameters.
    pub fn content_type(&self) -> Option<String> {
        self.0
            .content_type()
            .map(|kind| kind.essence_str().to_ascii_lowercase())
    }

    /// Reads the field into memory.
    ///
    /// # Errors
    ///
    /// 413 above `limit` bytes, and those of the body itself.
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes, Problem> {
        let mut content = Vec::new();
        while let Some(chunk) = self.0.chunk().await.map_err(problem)? {
            if content.len() + chunk.len() > limit {
                return Err(Problem::too_large(limit as u64));
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content.into())
    }

    /// Reads the field as text.
    ///
    /// # Errors
    ///
    /// 400 when it is not UTF-8, and as for [`Field::bytes`].
    pub async fn text(self, limit: usize) -> Result<String, Problem> {
        let name = self.name().to_owned();
        let bytes = self.bytes(limit).await?;
        String::from_utf8(bytes.into())
            .map_err(|_not_utf8| Problem::bad_field(&name, "not UTF-8 text"))
    }

    /// The content as it arrives.
    pub fn stream(self) -> impl Stream<Item = Result<Bytes, Problem>> + Send + 'static {
        self.0.map_err(problem)
    }
}

/// Our own errors travel through multer; what is left is malformed input.
fn problem(error: multer::Error) -> Problem {
    match error {
        multer::Error::StreamReadFailed(cause) => match cause.downcast::<BodyError>() {
            Ok(error) => Problem::from(*error),
            Err(cause) => {
                Problem::bad_request("The body broke off before its end.").caused_by(cause)
            }
        },
        multer::Error::IncompleteFieldData { .. } | multer::Error::IncompleteStream => {
            Problem::bad_request("The multipart body ended early: its last boundary is missing.")
        }
        error => Problem::bad_request(format!("The multipart body is malformed: {error}.")),
    }
}
