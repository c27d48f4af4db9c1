//! One article's local files: what is expected, what is there, and how another one is kept.

use std::sync::Arc;

use http::StatusCode;
use nova_blobs::{Blobs, Upload, whole};
use nova_research::guideline::{Extraction, Guideline};
use nova_research::local_file::{
    Expected, FileError, FileName, LocalFile, MAX_FILE_BYTES, check_room, compare, position, read,
};
use nova_research::notebook::NotebookError;
use nova_runtime::{App, Call, Problem};
use nova_store::{Article, NewSource, Origin, Purpose, Source, SourceKind, Tenant, UserId};
use time::OffsetDateTime;
use tokio::{sync::Semaphore, task::spawn_blocking};
use uuid::Uuid;

/// A fence of backticks around a file of nothing but backticks makes three of one.
const MAX_MARKDOWN_BYTES: u64 = 4 * MAX_FILE_BYTES as u64;

/// Files that are read at once: a notebook takes many times its size. Who comes then waits.
static READING: Semaphore = Semaphore::const_new(2);

/// Where the files of one article are handed in.
pub(crate) struct Desk {
    pub(crate) app: Arc<App>,
    pub(crate) user: UserId,
    pub(crate) article: Uuid,
    /// The grant that the one file comes with.
    grant: Option<Uuid>,
    blobs: Blobs,
}

/// The files of an article.
#[derive(Debug)]
pub struct Files {
    /// What the article is called.
    pub title: String,
    /// The paths that the guideline names, in its order.
    pub expected: Vec<String>,
    /// What is there, in the order of the document.
    pub uploaded: Vec<UploadedFile>,
}

/// A file that is there.
#[derive(Clone, Debug)]
pub struct UploadedFile {
    /// Its name.
    pub name: String,
    /// Its size as Markdown, in bytes.
    pub size: u64,
    /// When it was uploaded last.
    pub updated_at: OffsetDateTime,
}

/// A file that was kept.
pub(crate) struct Kept {
    /// Its size as Markdown, in bytes.
    pub(crate) size: u64,
    /// There was one of this name.
    pub(crate) replaced: bool,
    /// What it was read as, where it was not UTF-8.
    pub(crate) encoding: Option<&'static str>,
}

impl Kept {
    /// What its author has to hear, where its letters were guessed.
    pub(crate) fn note(&self) -> String {
        self.encoding.map_or_else(String::new, |encoding| {
            format!(
                " It was read as {encoding}: if its letters look wrong, save it as UTF-8 and upload it again."
            )
        })
    }
}

impl Files {
    /// The paths that the guideline names, each with the file that it is.
    pub fn compared(&self) -> Vec<Expected> {
        let names = self.uploaded.iter().map(|file| file.name.as_str());
        compare(&self.expected, names)
    }

    /// Whether there is a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.uploaded.iter().any(|file| file.name == name)
    }
}

impl Desk {
    pub(crate) fn of(call: &Call, blobs: Blobs) -> Result<Self, Problem> {
        Ok(Self {
            app: Arc::clone(call.app()),
            user: call.user()?.clone(),
            article: call.query_id("article_guideline_id")?,
            grant: call.grant().map(|grant| grant.id),
            blobs,
        })
    }

    /// Everything there is to know before a file comes.
    pub(crate) async fn load(&self) -> Result<Files, Problem> {
        let mut tenant = self.app.tenant(&self.user).await?;
        let article = tenant.article(self.article).await?;
        let uploaded = uploaded(&mut tenant, self.article).await?;
        drop(tenant);
        Ok(Files {
            expected: self.expected(&article).await?,
            title: article.title.unwrap_or_default(),
            uploaded,
        })
    }

    /// What the guideline names: as it was extracted, or, before that, as it will be.
    async fn expected(&self, article: &Article) -> Result<Vec<String>, Problem> {
        let extracted: Option<Extraction> = article.extracted().map_err(Problem::internal)?;
        let extraction = if let Some(extraction) = extracted {
            extraction
        } else {
            let bytes = self.blobs.read_whole(&article.guideline).await?;
            let guideline = Guideline::parse(bytes).map_err(Problem::internal)?;
            guideline.extract()
        };
        Ok(extraction.local_file_paths)
    }

    /// Keeps one file: as a blob that is pending, then, in one transaction, the blob and the row
    /// that refers to it. `files` knows of it afterwards.
    pub(crate) async fn keep(
        &self,
        files: &mut Files,
        name: &FileName,
        content: Vec<u8>,
    ) -> Result<Kept, Problem> {
        let file = name.clone();
        let reading = READING.acquire().await.map_err(Problem::internal)?;
        let work = move || {
            // Also when the sender has hung up: until then it takes memory.
            let _reading = reading;
            read(&file, content)
        };
        let LocalFile { markdown, encoding } = spawn_blocking(work)
            .await
            .map_err(Problem::internal)?
            .map_err(|error| refused(&error))?;
        let size = markdown.len() as u64;
        // Before anything is written what is known to have no room is refused; the transaction
        // decides.
        room(&files.uploaded, name, size)?;
        let upload = Upload {
            declared_size: Some(size),
            ..Upload::new(Purpose::LocalFile, "text/markdown; charset=utf-8")
        };
        let written = self
            .blobs
            .write(&self.user, upload, whole(markdown), MAX_MARKDOWN_BYTES)
            .await?;

        let mut tenant = self.app.tenant(&self.user).await?;
        if let Some(grant) = self.grant {
            tenant.use_upload_grant(grant).await?;
        }
        tenant.hold_sources(self.article).await?;
        let there = uploaded(&mut tenant, self.article).await?;
        room(&there, name, size)?;
        tenant.commit_blob(&written).await?;
        let source = NewSource {
            id: Uuid::now_v7(),
            kind: SourceKind::LocalFile,
            key: name.as_str().to_owned(),
            title: name.as_str().to_owned(),
            position: position(&files.expected, name),
            blob_id: written.id,
            origin: Origin::default(),
        };
        tenant.upsert_source(self.article, &source).await?;
        let now = uploaded(&mut tenant, self.article).await?;
        tenant.commit().await?;
        files.uploaded = now;
        Ok(Kept {
            size,
            replaced: there.iter().any(|file| file.name == name.as_str()),
            encoding: Some(encoding).filter(|it| *it != "UTF-8"),
        })
    }
}

async fn uploaded(tenant: &mut Tenant, article: Uuid) -> Result<Vec<UploadedFile>, Problem> {
    let sources = tenant.document_sources(article).await?;
    let files = sources
        .into_iter()
        .filter(|source| source.kind == SourceKind::LocalFile);
    Ok(files.map(UploadedFile::from).collect())
}

fn room(there: &[UploadedFile], name: &FileName, size: u64) -> Result<(), Problem> {
    let there = there.iter().map(|file| (file.name.as_str(), file.size));
    check_room(there, name, size).map_err(|error| refused(&error))
}

/// A refusal, by its reason.
pub(crate) fn refused(error: &FileError) -> Problem {
    let (status, kind, title) = match error {
        FileError::UnknownKind => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "This type of file is not accepted",
        ),
        FileError::TooLarge
        | FileError::TotalTooLarge
        | FileError::Notebook(NotebookError::TooManyValues) => {
            (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large")
        }
        FileError::TooMany => (StatusCode::CONFLICT, "too-many", "Too many files"),
        _ => (
            StatusCode::BAD_REQUEST,
            "bad-request",
            "The file is not valid",
        ),
    };
    Problem::new(status, kind, title, format!("{error}."))
}

impl From<Source> for UploadedFile {
    fn from(source: Source) -> Self {
        Self {
            name: source.title,
            size: source.blob.size,
            updated_at: source.updated_at,
        }
    }
}
