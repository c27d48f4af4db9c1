//! A repository as code hosts have them.

use std::io;

use aws_lc_rs::digest;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};

use super::Answer;

/// A repository, in one state.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    pub(super) files: Vec<(String, Bytes)>,
    pub(super) branches: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) licence: Option<String>,
    pub(super) is_private: bool,
    /// What is served in place of the archive of the files.
    pub(super) archive: Option<Answer>,
}

impl Repository {
    /// One with the branch `main` and these files.
    pub fn new<P: Into<String>, B: Into<Bytes>>(files: impl IntoIterator<Item = (P, B)>) -> Self {
        let files = files.into_iter();
        Self {
            files: files
                .map(|(path, bytes)| (path.into(), bytes.into()))
                .collect(),
            branches: vec!["main".to_owned()],
            ..Self::default()
        }
    }

    /// With another branch, in the same state.
    #[must_use]
    pub fn branch(mut self, name: &str) -> Self {
        self.branches.push(name.to_owned());
        self
    }

    /// With a tag, of the same state.
    #[must_use]
    pub fn tag(mut self, name: &str) -> Self {
        self.tags.push(name.to_owned());
        self
    }

    /// With what its owner says of it, and its licence.
    #[must_use]
    pub fn described(mut self, description: &str, licence: &str) -> Self {
        self.description = Some(description.to_owned());
        self.licence = Some(licence.to_owned());
        self
    }

    /// Only with the token that its host knows.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.is_private = true;
        self
    }

    /// With an archive of the test's own.
    #[must_use]
    pub fn archived(mut self, archive: Answer) -> Self {
        self.archive = Some(archive);
        self
    }

    /// The commit that it is at: another for other files.
    pub fn commit(&self) -> String {
        let mut all = Vec::new();
        for (path, bytes) in &self.files {
            all.extend_from_slice(path.as_bytes());
            all.push(0);
            all.extend_from_slice(bytes);
            all.push(0);
        }
        sha1(&all)
    }

    pub(super) fn has(&self, reference: &str) -> bool {
        let names = self.branches.iter().chain(&self.tags);
        reference == "HEAD"
            || reference == self.commit()
            || names.into_iter().any(|it| it == reference)
    }

    /// A file of it.
    pub(super) fn file(&self, path: &str) -> Option<&Bytes> {
        let (_, bytes) = self.files.iter().find(|(has, _)| has == path)?;
        Some(bytes)
    }

    /// Its archive, which stands in the host's ledger. All is in one folder.
    pub(super) fn archive(&self, name: &str) -> Answer {
        let commit = self.commit();
        let commit = commit.get(..7).unwrap_or_default();
        self.archive_in(name, &format!("{}-{commit}/", name.replace('/', "-")))
    }

    /// The same with this before each path.
    pub(super) fn archive_in(&self, name: &str, prefix: &str) -> Answer {
        let archive = match &self.archive {
            Some(archive) => archive.clone(),
            None => match self.packed(prefix) {
                Ok(archive) => Answer::new(200, "application/x-gzip", archive),
                Err(error) => Answer::new(500, "text/plain", error.to_string()),
            },
        };
        archive.paid(name, 1)
    }

    /// As `git archive --prefix` writes it, which begins with a record of the commit.
    fn packed(&self, prefix: &str) -> io::Result<Bytes> {
        let commit = self.commit();
        let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let record = format!("52 comment={commit}\n");
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::XGlobalHeader);
        header.set_path("pax_global_header")?;
        header.set_size(record.len() as u64);
        header.set_cksum();
        archive.append(&header, record.as_bytes())?;
        for (path, bytes) in &self.files {
            let mut header = Header::new_ustar();
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, format!("{prefix}{path}"), &**bytes)?;
        }
        Ok(archive.into_inner()?.finish()?.into())
    }
}

/// As git writes it.
pub(super) fn sha1(bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    let number = hash.as_ref().iter();
    number.fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"))
}
