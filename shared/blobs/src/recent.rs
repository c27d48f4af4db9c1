//! Small blobs that were read a moment ago.
//!
//! Every step of a workflow reads the guideline again, and a blob never changes: its bytes are kept for
//! the next step, which saves it a request to the bucket. Nobody gets at them but with a row of their own,
//! which is asked for first; so a blob that was deleted is not read from here either.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use nova_store::BlobRef;
use uuid::Uuid;

/// A blob larger than this is not kept: it would push out many others.
const LARGEST: u64 = 256 * 1024;
/// What is kept altogether; a function has 256 MiB at least.
const CAPACITY: usize = 4 * 1024 * 1024;

/// The last blobs that were read, the latest of them at the end.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    blobs: VecDeque<(Key, Bytes)>,
    bytes: usize,
}

/// The very bytes that a row speaks of: the id and the generation.
type Key = (Uuid, i64);

fn key(blob: &BlobRef) -> Key {
    (blob.id, blob.generation)
}

impl Recent {
    pub(crate) fn get(&self, blob: &BlobRef) -> Option<Bytes> {
        if blob.size > LARGEST {
            return None;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.blobs.iter().position(|(one, _)| *one == key(blob))?;
        let found = kept.blobs.remove(at)?;
        let bytes = found.1.clone();
        kept.blobs.push_back(found);
        Some(bytes)
    }

    /// Keeps what was read whole and checked.
    pub(crate) fn keep(&self, blob: &BlobRef, bytes: &[u8]) {
        if blob.size > LARGEST {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.blobs.iter().any(|(one, _)| *one == key(blob)) {
            return;
        }
        kept.bytes += bytes.len();
        kept.blobs
            .push_back((key(blob), Bytes::copy_from_slice(bytes)));
        while kept.bytes > CAPACITY
            && let Some((_, oldest)) = kept.blobs.pop_front()
        {
            kept.bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(size: u64) -> BlobRef {
        BlobRef {
            id: Uuid::now_v7(),
            bucket: "bucket".to_owned(),
            object_name: "name".to_owned(),
            content_type: "text/markdown".to_owned(),
            size,
            crc32c: 0,
            generation: 1,
        }
    }

    #[test]
    fn the_bytes_of_a_row_are_found_again_and_those_of_another_generation_are_not() {
        let recent = Recent::default();
        let one = blob(5);
        assert_eq!(recent.get(&one), None);
        recent.keep(&one, b"hello");
        recent.keep(&one, b"hello");
        assert_eq!(recent.get(&one).as_deref(), Some(b"hello".as_slice()));
        assert_eq!(recent.get(&blob(5)), None);
        let rewritten = BlobRef {
            generation: 2,
            ..one
        };
        assert_eq!(recent.get(&rewritten), None);
    }

    #[test]
    fn what_was_not_read_for_the_longest_time_makes_room() {
        let recent = Recent::default();
        let bytes = vec![b'x'; usize::try_from(LARGEST).unwrap()];
        let blobs: Vec<_> = (0..17).map(|_| blob(LARGEST)).collect();
        for blob in &blobs[..16] {
            recent.keep(blob, &bytes);
        }
        assert!(recent.get(&blobs[0]).is_some());
        recent.keep(&blobs[16], &bytes);
        assert!(recent.get(&blobs[0]).is_some());
        assert!(recent.get(&blobs[1]).is_none());
        assert!(recent.get(&blobs[16]).is_some());
    }

    #[test]
    fn a_large_blob_is_not_kept() {
        let recent = Recent::default();
        let large = blob(LARGEST + 1);
        recent.keep(&large, b"some bytes");
        assert_eq!(recent.get(&large), None);
    }
}
