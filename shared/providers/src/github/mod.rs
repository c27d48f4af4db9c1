//! Code: repositories, folders, files and gists of GitHub, over its REST interface and without git.
//!
//! Of a repository one archive is fetched, of the commit that a URL means; it is read while it
//! comes. Which commit that is costs one small request, so that nothing is fetched again of a
//! repository in which nothing has changed.
//!
//! The token goes to GitHub's interface and nowhere else: archives lie on another host, to which
//! it redirects. Without a token the interface answers sixty requests an hour to the whole address
//! that this machine shares with others; so archives and files are then fetched from where the
//! interface would lead ([`Mirrors`]), and the state of a repository is what its archive says.

mod archive;
mod error;
mod rest;
mod wire;

use bytes::Bytes;
use http::StatusCode;
use nova_research::ingest::{self, Digest, Location, Place, Site};
use nova_runtime::{
    App,
    config::{Endpoint, FetchConfig},
    fetch::{
        ContentTypes, FetchError, FetchRequest, Fetched, Fetcher, Initiative, Limits, Validators,
    },
    http_client::HttpClient,
};
use url::Url;

pub use self::error::GithubError;
use self::rest::{Rest, State};

/// GitHub's own interface.
const PUBLIC_HOST: &str = "api.github.com";
/// The largest single file that is read.
const MAX_FILE_BYTES: usize = 10 << 20;

/// GitHub, or an instance of it.
#[derive(Clone, Debug)]
pub struct Github {
    rest: Rest,
    fetcher: Fetcher,
    /// Where archives and files are fetched without a token.
    mirrors: Option<Mirrors>,
}

/// Where GitHub keeps what everybody may have.
#[derive(Clone, Debug)]
pub struct Mirrors {
    /// `OWNER/NAME/tar.gz/REF` below it is an archive.
    pub archives: Url,
    /// `OWNER/NAME/raw/REF/PATH` below it is a file, or leads to it. GitHub itself finds out where
    /// the reference ends.
    pub files: Url,
}

/// What is known of a source from the last time.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The commit, or the version of the gist.
    pub revision: Option<String>,
    /// What the answer was marked with.
    pub etag: Option<String>,
}

/// What a URL gave.
#[derive(Debug)]
pub enum Outcome {
    /// What it gave the last time.
    Unchanged,
    /// Something that is new, or has changed.
    Read(Box<Code>),
}

/// Code that was read.
#[derive(Debug)]
pub struct Code {
    /// The Markdown.
    pub digest: Digest,
    /// What it is called: `acme/widgets`.
    pub title: String,
    /// For the next time.
    pub known: Known,
}

impl Github {
    /// The GitHub that the settings speak of.
    pub fn from_app(app: &App) -> Self {
        let config = app.config();
        let (fetch, github) = (&config.fetch, &config.providers.github);
        Self::new(app.http(), github, fetch, app.fetcher())
    }

    /// A GitHub at an address.
    pub fn new(
        http: &HttpClient,
        endpoint: &Endpoint,
        fetch: &FetchConfig,
        fetcher: &Fetcher,
    ) -> Self {
        let is_public = endpoint.base_url.host_str() == Some(PUBLIC_HOST);
        let fetcher = if is_public {
            fetcher.clone()
        } else {
            // One's own instance may lie in one's own network, and so may where it leads.
            Fetcher::new(&FetchConfig {
                allow_private_urls: true,
                ..fetch.clone()
            })
        };
        let mirrors = Mirrors::public().filter(|_| is_public && endpoint.key.is_none());
        Self {
            rest: Rest::new(http, endpoint),
            fetcher,
            mirrors,
        }
    }

    /// With other places for what needs no token: for tests.
    #[must_use]
    pub fn with_mirrors(mut self, mirrors: Mirrors) -> Self {
        self.mirrors = Some(mirrors);
        self
    }

    /// Reads what a URL names, unless it is what it was the last time.
    ///
    /// # Errors
    ///
    /// It is not there, GitHub does not answer, or what it has cannot be read.
    pub async fn read(&self, url: &str, known: &Known) -> Result<Outcome, GithubError> {
        match Location::parse(url, Site::Github) {
            Some(Location::Repository { project, place }) => {
                let asked = Asked {
                    url,
                    project: &project,
                    place: &place,
                    known,
                };
                match &self.mirrors {
                    Some(mirrors) if place.is_file() => self.mirrored_file(mirrors, asked).await,
                    Some(mirrors) => self.mirrored_archive(mirrors, asked).await,
                    None => self.repository(asked).await,
                }
            }
            Some(Location::Gist { id }) => self.gist(url, &id, known).await,
            None => Err(GithubError::NotCode),
        }
    }

    /// By the interface: the commit first, and the rest only if that is another.
    async fn repository(&self, asked: Asked<'_>) -> Result<Outcome, GithubError> {
        let Asked { project, known, .. } = asked;
        let (reference, path) = self.split(asked).await?;
        let before = known.revision.as_deref();
        let commit = match self.rest.commit(project, &reference, before).await? {
            State::Same => return Ok(Outcome::Unchanged),
            State::Is(commit) => commit,
        };
        let mut request = asked.request(&reference, &path);
        request.commit = Some(commit.clone());
        let digest = if asked.place.is_file() {
            let file = self.rest.file(project, &path, &commit).await?;
            ingest::files([(&*path, &*file)], &request)?
        } else {
            let facts = self.rest.facts(project).await?;
            request.licence = facts.licence();
            request.description = facts.description;
            let archive =
                FetchRequest::new(self.rest.archive_url(project, &commit)?, Initiative::User);
            let archive = self.rest.authorized(archive)?;
            match archive::read(&self.fetcher, archive, request).await? {
                Some((digest, _)) => digest,
                None => return Ok(Outcome::Unchanged),
            }
        };
        let known = Known {
            revision: Some(commit),
            etag: None,
        };
        Ok(asked.read(digest, &path, known))
    }

    /// Without the interface: the archive says of which commit it is.
    async fn mirrored_archive(
        &self,
        mirrors: &Mirrors,
        asked: Asked<'_>,
    ) -> Result<Outcome, GithubError> {
        let (reference, path) = match self.split(asked).await {
            Ok(split) => split,
            // The sixty requests of this hour are spent. Most names have no slash.
            Err(error) if error.is_rate_limit() => asked.place.split(&[]),
            Err(error) => return Err(error),
        };
        let url = below(&mirrors.archives, &[asked.project, "tar.gz", &reference])?;
        let archive = FetchRequest::new(url, Initiative::User).unless_unchanged(asked.validators());
        let request = asked.request(&reference, &path);
        let read = archive::read(&self.fetcher, archive, request).await;
        let Some((digest, etag)) = read.map_err(|error| asked.missing(error))? else {
            return Ok(Outcome::Unchanged);
        };
        let revision = digest.commit.clone();
        if revision.is_some() && revision == asked.known.revision {
            return Ok(Outcome::Unchanged);
        }
        Ok(asked.read(digest, &path, Known { revision, etag }))
    }

    async fn mirrored_file(
        &self,
        mirrors: &Mirrors,
        asked: Asked<'_>,
    ) -> Result<Outcome, GithubError> {
        let Place::Below { parts, .. } = asked.place else {
            return Err(GithubError::NotCode);
        };
        let (reference, path) = asked.place.split(&[]);
        let url = below(&mirrors.files, &[asked.project, "raw", &parts.join("/")])?;
        let file = FetchRequest::new(url, Initiative::User)
            .limits(Limits::of_bytes(MAX_FILE_BYTES as u64))
            .content_types(ContentTypes::Any)
            .unless_unchanged(asked.validators());
        let fetched = self.fetcher.fetch(&file).await;
        let document = match fetched.map_err(|error| asked.missing(error.into()))? {
            Fetched::NotModified => return Ok(Outcome::Unchanged),
            Fetched::Document(document) => document,
        };
        let etag = document.validators().etag().map(str::to_owned);
        let file = document.into_body().collect().await?;
        let request = asked.request(&reference, &path);
        let digest = ingest::files([(&*path, &*file)], &request)?;
        let known = Known {
            revision: None,
            etag,
        };
        Ok(asked.read(digest, &path, known))
    }

    async fn gist(&self, url: &str, id: &str, known: &Known) -> Result<Outcome, GithubError> {
        let Some(gist) = self.rest.gist(id, known.etag.as_deref()).await? else {
            return Ok(Outcome::Unchanged);
        };
        let (gist, etag) = gist;
        let revision = gist.version();
        if revision.is_some() && revision == known.revision {
            return Ok(Outcome::Unchanged);
        }
        let mut files = Vec::new();
        for (name, file) in gist.files {
            let bytes = match file.raw_url.filter(|_| file.truncated) {
                Some(raw) => self.rest_of(&raw).await?,
                None => file.content.unwrap_or_default().into_bytes().into(),
            };
            files.push((name, bytes));
        }
        let name = format!("gist {id}");
        let mut request = ingest::Request::new(url, &name);
        request.commit.clone_from(&revision);
        request.description = gist.description;
        let files = files.iter().map(|(name, bytes)| (name.as_str(), &**bytes));
        let digest = ingest::files(files, &request)?;
        let known = Known { revision, etag };
        let title = request
            .description
            .filter(|it| !it.is_empty())
            .unwrap_or(name);
        Ok(Outcome::Read(Box::new(Code {
            digest,
            title,
            known,
        })))
    }

    /// A file of a gist that is too long to be in the answer.
    async fn rest_of(&self, url: &str) -> Result<Bytes, GithubError> {
        let file = FetchRequest::new(url, Initiative::User)
            .limits(Limits::of_bytes(MAX_FILE_BYTES as u64))
            .content_types(ContentTypes::Any);
        match self.fetcher.fetch(&file).await? {
            Fetched::Document(document) => Ok(document.into_body().collect().await?),
            Fetched::NotModified => Ok(Bytes::new()),
        }
    }

    /// The branch, tag or commit, and the path behind it.
    async fn split(&self, asked: Asked<'_>) -> Result<(String, String), GithubError> {
        let known = match asked.place.ambiguous() {
            Some(first) => self.rest.names(asked.project, first).await?,
            None => Vec::new(),
        };
        Ok(asked.place.split(&known))
    }
}

impl Mirrors {
    /// GitHub's own.
    fn public() -> Option<Self> {
        Some(Self {
            archives: Url::parse("https://codeload.github.com/").ok()?,
            files: Url::parse("https://github.com/").ok()?,
        })
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    url: &'a str,
    project: &'a str,
    place: &'a Place,
    known: &'a Known,
}

impl Asked<'_> {
    fn request(&self, reference: &str, path: &str) -> ingest::Request {
        ingest::Request {
            path: path.to_owned(),
            lines: self.place.lines(),
            reference: Some(reference.to_owned()).filter(|it| it != "HEAD"),
            ..ingest::Request::new(self.url, self.project)
        }
    }

    /// What 404 means where nobody is asked who he is.
    fn missing(&self, error: GithubError) -> GithubError {
        match error {
            GithubError::Fetch(FetchError::Status { status, .. })
                if status == StatusCode::NOT_FOUND =>
            {
                GithubError::Missing {
                    what: self.url.to_owned(),
                    has_token: false,
                }
            }
            error => error,
        }
    }

    fn validators(&self) -> Validators {
        Validators::new(self.known.etag.as_deref(), None)
    }

    fn read(&self, digest: Digest, path: &str, known: Known) -> Outcome {
        let title = if path.is_empty() {
            self.project.to_owned()
        } else {
            format!("{}: {path}", self.project)
        };
        Outcome::Read(Box::new(Code {
            digest,
            title,
            known,
        }))
    }
}

/// An address below another, of parts that are encoded here.
fn below(base: &Url, parts: &[&str]) -> Result<Url, GithubError> {
    let mut url = base.clone();
    let parts = parts.iter().flat_map(|it| it.split('/'));
    url.path_segments_mut()
        .map_err(|()| GithubError::NotCode)?
        .pop_if_empty()
        .extend(parts);
    Ok(url)
}
