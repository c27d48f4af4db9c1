//! A body cut into chunks, measured on its way.

use aws_lc_rs::digest::{Context, SHA256};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use crate::{Error, Incoming};

/// A body longer than this is given room for a whole chunk at once: a buffer that grows by doubling
/// leaves its halves behind, and an allocator that keeps them needs twice the memory.
const SMALL_BYTES: usize = 128 * 1024;

/// Collects a body into chunks of a fixed size, of which the last may be smaller, and knows which is the last.
/// Counts and sums on the way.
pub(crate) struct Chunks {
    body: Incoming,
    limit: u64,
    /// What came after the end of the last chunk.
    ahead: Bytes,
    size: u64,
    crc32c: u32,
    sha256: Context,
}

/// What is known of a body that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) size: u64,
    pub(crate) crc32c: u32,
    pub(crate) sha256: [u8; 32],
}

impl Chunks {
    pub(crate) fn new(body: Incoming, limit: u64) -> Self {
        Self {
            body,
            limit,
            ahead: Bytes::new(),
            size: 0,
            crc32c: 0,
            sha256: Context::new(&SHA256),
        }
    }

    /// The next chunk, and whether it is the last. Not to be called after that.
    pub(crate) async fn next(&mut self, size: usize) -> Result<(Bytes, bool), Error> {
        let mut chunk = BytesMut::new();
        loop {
            let room = size - chunk.len();
            let fits = self.ahead.split_to(room.min(self.ahead.len()));
            if chunk.len() + fits.len() > SMALL_BYTES {
                chunk.reserve(room);
            }
            chunk.extend_from_slice(&fits);
            if !self.ahead.is_empty() {
                return Ok((chunk.freeze(), false));
            }
            match self.body.next().await {
                None => return Ok((chunk.freeze(), true)),
                Some(Err(error)) => return Err(Error::Body(error)),
                Some(Ok(bytes)) => self.ahead = self.measure(bytes)?,
            }
        }
    }

    fn measure(&mut self, bytes: Bytes) -> Result<Bytes, Error> {
        self.size += bytes.len() as u64;
        if self.size > self.limit {
            return Err(Error::TooLarge { limit: self.limit });
        }
        self.crc32c = crc32c::crc32c_append(self.crc32c, &bytes);
        self.sha256.update(&bytes);
        Ok(bytes)
    }

    pub(crate) fn measured(&self) -> Measured {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.sha256.clone().finish().as_ref());
        Measured {
            size: self.size,
            crc32c: self.crc32c,
            sha256,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};

    use super::*;

    async fn cut(
        pieces: &[&'static str],
        size: usize,
        limit: u64,
    ) -> Result<Vec<(String, bool)>, Error> {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
            .collect();
        let mut chunks = Chunks::new(stream::iter(pieces).boxed(), limit);
        let mut found = Vec::new();
        loop {
            let (chunk, last) = chunks.next(size).await?;
            found.push((String::from_utf8(chunk.to_vec()).unwrap(), last));
            if last {
                let whole: String = found.iter().map(|(chunk, _)| chunk.as_str()).collect();
                let measured = chunks.measured();
                assert_eq!(
                    (measured.size, measured.crc32c),
                    (whole.len() as u64, crc32c::crc32c(whole.as_bytes()))
                );
                assert_eq!(
                    measured.sha256,
                    aws_lc_rs::digest::digest(&SHA256, whole.as_bytes()).as_ref()
                );
                return Ok(found);
            }
        }
    }

    #[tokio::test]
    async fn chunks_are_full_but_the_last_and_the_last_is_known() {
        let expect = |chunks: &[(&str, bool)]| -> Vec<(String, bool)> {
            chunks
                .iter()
                .map(|(chunk, last)| ((*chunk).to_owned(), *last))
                .collect()
        };
        assert_eq!(
            cut(&["abcdefg", "h", "", "ij"], 4, 10).await.unwrap(),
            expect(&[("abcd", false), ("efgh", false), ("ij", true)])
        );
        assert_eq!(
            cut(&["abcd", "efgh"], 4, 10).await.unwrap(),
            expect(&[("abcd", false), ("efgh", true)])
        );
        assert_eq!(
            cut(&["abcdefgh", "", ""], 4, 10).await.unwrap(),
            expect(&[("abcd", false), ("efgh", true)])
        );
        assert_eq!(cut(&[], 4, 10).await.unwrap(), expect(&[("", true)]));
    }

    #[tokio::test]
    async fn the_limit_itself_is_accepted_and_one_byte_more_is_not() {
        assert!(cut(&["abcdefgh", "ij"], 4, 10).await.is_ok());
        assert!(matches!(
            cut(&["abcdefgh", "ijk"], 4, 10).await,
            Err(Error::TooLarge { limit: 10 })
        ));
    }
}
