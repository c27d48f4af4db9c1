//! Archives as code hosts make them, and as they do not.
#![allow(dead_code, reason = "not every test makes every archive")]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

/// The commit that [`archive`] says it is of.
pub(crate) const COMMIT: &str = "63b476781ef5797d2d0bb25bdb8ccd5be77f32e5";

/// An entry as it is written, whatever it says.
pub(crate) struct Raw<'a> {
    pub(crate) kind: EntryType,
    pub(crate) path: &'a [u8],
    pub(crate) target: &'a [u8],
    pub(crate) size: u64,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Raw<'a> {
    pub(crate) fn file(path: &'a str, bytes: &'a [u8]) -> Self {
        Self {
            kind: EntryType::Regular,
            path: path.as_bytes(),
            target: b"",
            size: bytes.len() as u64,
            bytes,
        }
    }

    pub(crate) fn other(kind: EntryType, path: &'a str, target: &'a str) -> Self {
        Self {
            kind,
            path: path.as_bytes(),
            target: target.as_bytes(),
            size: 0,
            bytes: b"",
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut header = Header::new_ustar();
        header.set_entry_type(self.kind);
        header.set_mode(0o644);
        header.set_size(self.size);
        let raw = header.as_old_mut();
        for (to, from) in raw.name.iter_mut().zip(self.path) {
            *to = *from;
        }
        for (to, from) in raw.linkname.iter_mut().zip(self.target) {
            *to = *from;
        }
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(self.bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
}

/// A `tar` of these entries.
pub(crate) fn tar(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        entry.write(&mut out);
    }
    out.resize(out.len() + 1024, 0);
    out
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The archive of a repository as GitHub makes it: a record with the commit, one folder.
pub(crate) fn archive<P: AsRef<str>, B: AsRef<[u8]>>(files: &[(P, B)]) -> Vec<u8> {
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let comment = format!("52 comment={COMMIT}\n");
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::XGlobalHeader);
    header.set_path("pax_global_header").unwrap();
    header.set_size(comment.len() as u64);
    header.set_cksum();
    builder.append(&header, comment.as_bytes()).unwrap();
    for (path, bytes) in files {
        let mut header = Header::new_ustar();
        header.set_mode(0o644);
        header.set_size(bytes.as_ref().len() as u64);
        let path = format!("acme-widgets-63b4767/{}", path.as_ref());
        builder
            .append_data(&mut header, path, bytes.as_ref())
            .unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}
