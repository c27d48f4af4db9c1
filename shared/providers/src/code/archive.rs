//! An archive that is read while it comes.
//!
//! Decoder and parser wait for bytes, so they have a thread; the pieces get there through a short
//! channel, so that what is in memory is a few of them.

use std::io::{self, Read};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use nova_research::ingest::{self, Digest, Request};
use nova_runtime::fetch::{Body, ContentTypes, FetchError, FetchRequest, Fetched, Fetcher, Limits};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::CodeError;

/// An archive larger than this has no text that helps an author.
const LIMITS: Limits = Limits {
    bytes: 1 << 30,
    // The host makes the archive when it is asked for.
    first_byte: Duration::from_mins(1),
    idle: Duration::from_secs(30),
    total: Duration::from_mins(10),
};
/// Pieces on their way to the thread.
const PIECES: usize = 8;

/// Fetches an archive and reads it; with the mark of the answer. `None`: it is what it was.
pub(super) async fn read(
    fetcher: &Fetcher,
    archive: FetchRequest,
    request: Request,
) -> Result<Option<(Digest, Option<String>)>, CodeError> {
    let archive = archive.limits(LIMITS).content_types(ContentTypes::Any);
    let document = match fetcher.fetch(&archive).await? {
        Fetched::NotModified => return Ok(None),
        Fetched::Document(document) => document,
    };
    let etag = document.validators().etag().map(str::to_owned);
    let (pieces, receiver) = mpsc::channel(PIECES);
    let reading = spawn_blocking(move || ingest::archive(Pieces::new(receiver), &request));
    let (fetched, digest) = tokio::join!(pass_on(document.into_body(), pieces), reading);
    // Where both failed, the one that broke off is the cause.
    fetched?;
    Ok(Some((digest.map_err(CodeError::Stopped)??, etag)))
}

/// Passes the body on, as long as somebody reads.
async fn pass_on(mut body: Body, pieces: mpsc::Sender<Piece>) -> Result<(), FetchError> {
    loop {
        let piece = match body.chunk().await {
            Ok(Some(piece)) => Ok(piece),
            Ok(None) => return Ok(()),
            Err(error) => {
                // An archive that broke off must not be read as if that were its end.
                drop(pieces.send(Err(io::ErrorKind::ConnectionAborted)).await);
                return Err(error);
            }
        };
        if pieces.send(piece).await.is_err() {
            return Ok(());
        }
    }
}

type Piece = Result<Bytes, io::ErrorKind>;

/// The pieces as a stream that waits.
struct Pieces {
    receiver: mpsc::Receiver<Piece>,
    piece: Bytes,
}

impl Pieces {
    const fn new(receiver: mpsc::Receiver<Piece>) -> Self {
        Self {
            receiver,
            piece: Bytes::new(),
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.piece.len());
        let (to, from) = (buffer.get_mut(..length), self.piece.get(..length));
        if let (Some(to), Some(from)) = (to, from) {
            to.copy_from_slice(from);
        }
        self.piece.advance(length);
        Ok(length)
    }
}
