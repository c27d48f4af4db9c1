//! Counts what an archive unpacks to, while it does.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use super::{IngestError, Limits};

/// Below this, unpacked, any ratio is harmless.
const RATIO_FREE_BYTES: u64 = 8 << 20;

/// Bytes that came.
#[derive(Clone, Default)]
pub(super) struct Count(Rc<Cell<u64>>);

impl Count {
    fn add(&self, bytes: usize) {
        self.0.set(self.0.get() + bytes as u64);
    }
}

/// Counts what is read of the archive as it comes.
pub(super) struct Packed<R> {
    pub(super) inner: R,
    pub(super) count: Count,
}

impl<R: BufRead> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer).map_err(failed)?;
        self.count.add(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Packed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf().map_err(failed)
    }

    fn consume(&mut self, amount: usize) {
        self.count.add(amount);
        self.inner.consume(amount);
    }
}

/// The stream's own failure, told from what the decoder and the parser find wrong.
fn failed(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::Interrupted {
        return error;
    }
    io::Error::other(IngestError::Read(error))
}

/// Counts what comes out, and ends when that is too much.
pub(super) struct Unpacked<R> {
    pub(super) inner: R,
    pub(super) packed: Count,
    pub(super) bytes: u64,
    pub(super) limits: Limits,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        let Limits {
            unpacked_bytes,
            ratio,
            ..
        } = self.limits;
        if self.bytes > unpacked_bytes {
            let limit = unpacked_bytes;
            return Err(io::Error::other(IngestError::TooLarge { limit }));
        }
        if self.bytes > RATIO_FREE_BYTES && self.bytes / ratio > self.packed.0.get() {
            return Err(io::Error::other(IngestError::Bomb { limit: ratio }));
        }
        Ok(read)
    }
}
