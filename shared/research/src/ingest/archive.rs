//! Reads a `tar.gz` as a stream.
//!
//! Archives come from whom a URL names, who may be anybody. Of every entry: the name is text and
//! stays below the top folder, links are named and not followed, what is neither file, folder nor
//! link is named, and headers that describe the next entry have a limit. `guard.rs` counts what it
//! all unpacks to.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use super::collector::Collector;
use super::guard::{Count, Packed, Unpacked};
use super::kind::Mark;
use super::{Digest, IngestError, Request, pax};

/// How much of the stream is looked at at once.
const BUFFER_BYTES: usize = 64 << 10;
/// The largest header that describes the next entry. Linux has no longer paths than 4,096 bytes.
const MAX_HEADER_BYTES: u64 = 16 << 10;
/// The longest path that is listed, in bytes and in parts.
const MAX_PATH_BYTES: usize = 1024;
const MAX_PATH_PARTS: usize = 64;

/// Reads the archive of a repository: `tar.gz`, or `tar`. All of it lies in one folder, whose name
/// the code host makes up; that is taken off.
///
/// This works as long as the archive is large and waits as its reader does: call it where that is
/// welcome.
pub fn archive(reader: impl Read, request: &Request) -> Result<Digest, IngestError> {
    let count = Count::default();
    let mut packed = Packed {
        inner: BufReader::with_capacity(BUFFER_BYTES, reader),
        count: count.clone(),
    };
    let begin = packed.fill_buf().map_err(|error| name(error.into()))?;
    let is_gzip = begin.starts_with(&[0x1f, 0x8b]);
    let inner: Box<dyn Read + '_> = if is_gzip {
        Box::new(MultiGzDecoder::new(packed))
    } else {
        Box::new(packed)
    };
    let unpacked = Unpacked {
        inner,
        packed: count,
        bytes: 0,
        limits: request.limits,
    };
    let mut archive = Archive::new(BufReader::with_capacity(BUFFER_BYTES, unpacked));
    let mut collector = Collector::new(request);
    read(&mut archive, request, &mut collector).map_err(name)?;
    collector.finish()
}

/// What headers said about the entry that comes next.
#[derive(Default)]
struct Ahead {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
}

fn read<R: Read>(
    archive: &mut Archive<R>,
    request: &Request,
    collector: &mut Collector<'_>,
) -> Result<(), IngestError> {
    let mut ahead = Ahead::default();
    let mut entries = 0;
    // Raw: the crate would read headers of any size.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        entries += 1;
        if entries > request.limits.entries {
            return Err(IngestError::TooManyFiles {
                limit: request.limits.files,
            });
        }
        match entry.header().entry_type() {
            EntryType::XGlobalHeader => {
                let records = header(&mut entry)?;
                if let Some(commit) = pax::value(&records, "comment").and_then(commit) {
                    collector.commit(commit);
                }
            }
            EntryType::XHeader => {
                let records = header(&mut entry)?;
                let value = |key| pax::value(&records, key).map(<[u8]>::to_vec);
                ahead.path = value("path").or(ahead.path);
                ahead.target = value("linkpath").or(ahead.target);
            }
            EntryType::GNULongName => ahead.path = Some(header(&mut entry)?),
            EntryType::GNULongLink => ahead.target = Some(header(&mut entry)?),
            kind => add(&mut entry, kind, std::mem::take(&mut ahead), collector)?,
        }
    }
    Ok(())
}

fn add<R: Read>(
    entry: &mut Entry<'_, R>,
    kind: EntryType,
    ahead: Ahead,
    collector: &mut Collector<'_>,
) -> Result<(), IngestError> {
    let path = ahead.path.map_or_else(|| entry.path_bytes(), Cow::Owned);
    if kind.is_dir() || path.ends_with(b"/") {
        return Ok(());
    }
    let Some(path) = below_the_top(&path).map(str::to_owned) else {
        collector.unusable();
        return Ok(());
    };
    match kind {
        EntryType::Regular | EntryType::Continuous => {
            let size = entry.size();
            collector.file(&path, size, entry)
        }
        EntryType::Symlink | EntryType::Link => {
            let target = match ahead.target {
                Some(target) => Some(Cow::Owned(target)),
                None => entry.link_name_bytes(),
            };
            let target = target.unwrap_or_default();
            let target = String::from_utf8_lossy(&target);
            let target = target.trim_end_matches('\0').chars().take(200).collect();
            collector.marked(&path, Mark::Link(target))
        }
        _ => collector.marked(&path, Mark::Special),
    }
}

/// What describes the next entry.
fn header<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, IngestError> {
    if entry.size() > MAX_HEADER_BYTES {
        let size = entry.size();
        return Err(IngestError::Broken(format!("a header of {size} bytes")));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The path without the folder that everything is in; `None` for what is no path below it.
fn below_the_top(path: &[u8]) -> Option<&str> {
    let path = std::str::from_utf8(path).ok()?.trim_end_matches('\0');
    let path = path.strip_prefix("./").unwrap_or(path);
    let (top, path) = path.split_once('/')?;
    let mut parts = 0;
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let is_path = is_plain(top)
        && path.len() <= MAX_PATH_BYTES
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| {
            parts += 1;
            is_plain(part)
        });
    (is_path && parts <= MAX_PATH_PARTS).then_some(path)
}

/// A commit's hash: SHA-1 or SHA-256.
fn commit(value: &[u8]) -> Option<&str> {
    let value = std::str::from_utf8(value).ok()?;
    let is_hash = matches!(value.len(), 40 | 64) && value.bytes().all(|it| it.is_ascii_hexdigit());
    is_hash.then_some(value)
}

/// Tells what `guard.rs` found from what the decoder and the parser did.
fn name(error: IngestError) -> IngestError {
    let IngestError::Read(error) = error else {
        return error;
    };
    error
        .downcast()
        .unwrap_or_else(|error| IngestError::Broken(error.to_string()))
}
