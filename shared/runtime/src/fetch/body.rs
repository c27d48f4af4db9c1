//! The body of an answer, as a stream within limits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::{
    decode::Decoder,
    error::{FetchError, Wait},
    limits::{BYTES_PER_SECOND, Deadline, Limits, RATE_FREE, RATIO, RATIO_FREE_BYTES},
    politeness::Turn,
};

/// The body of an answer. Dropping it closes the connection and lets the next one have its turn.
pub struct Body {
    pub(super) incoming: Incoming,
    /// Drives the connection as long as there is a body.
    pub(super) connection: AbortOnDropHandle<()>,
    pub(super) _turn: Turn,
    pub(super) decoder: Decoder,
    pub(super) meter: Meter,
    /// What has come and is not unpacked yet.
    pub(super) packed: Bytes,
    pub(super) is_over: bool,
}

/// Counts what comes.
pub(super) struct Meter {
    host: String,
    limits: Limits,
    deadline: Deadline,
    on_wire: u64,
    unpacked_from: u64,
    unpacked: u64,
    waited: Duration,
}

impl Body {
    /// The next piece, unpacked; `None` at the end. After an error there is no more.
    ///
    /// # Errors
    ///
    /// The body is too large, too slow, broken, or not what its encoding says.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        let piece = self.next().await;
        if !matches!(piece, Ok(Some(_))) {
            self.is_over = true;
            self.connection.abort();
        }
        piece
    }

    async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        while !self.is_over {
            if !self.packed.is_empty() {
                let before = self.packed.len();
                let piece = self.decoder.feed(&mut self.packed);
                let piece = piece.map_err(|error| self.meter.broken(error))?;
                let taken = before - self.packed.len();
                self.meter.count_unpacked(taken, piece.len())?;
                if piece.is_empty() {
                    continue;
                }
                return Ok(Some(piece));
            }
            if let Some(piece) = self.receive().await? {
                self.packed = piece;
                continue;
            }
            self.is_over = true;
            // A body of no bytes is empty, however it is said to be packed.
            if self.meter.on_wire > 0 {
                let rest = self.decoder.finish();
                let rest = rest.map_err(|error| self.meter.broken(error))?;
                self.meter.count_unpacked(0, rest.len())?;
                if !rest.is_empty() {
                    return Ok(Some(rest));
                }
            }
        }
        Ok(None)
    }

    /// The next piece as it came over the wire.
    async fn receive(&mut self) -> Result<Option<Bytes>, FetchError> {
        loop {
            let meter = &mut self.meter;
            let started = Instant::now();
            let frame = meter.deadline.wait(
                &meter.host,
                Wait::NextByte,
                meter.limits.idle,
                self.incoming.frame(),
            );
            let frame = frame.await?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| meter.broken(error))?;
            if let Ok(data) = frame.into_data() {
                meter.count_received(data.len(), started.elapsed())?;
                return Ok(Some(data));
            }
        }
    }

    /// All of it. In memory are at most twice as many bytes as the limit is.
    ///
    /// # Errors
    ///
    /// As for [`Body::chunk`].
    pub async fn collect(mut self) -> Result<Bytes, FetchError> {
        let limit = usize::try_from(self.meter.limits.bytes).unwrap_or(usize::MAX);
        let mut all = BytesMut::new();
        while let Some(piece) = self.chunk().await? {
            let needed = all.len() + piece.len();
            if needed > all.capacity() {
                let doubled = (2 * all.capacity()).clamp(needed, limit.max(needed));
                all.reserve(doubled - all.len());
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }

    /// The pieces as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, FetchError>> + Send {
        stream::unfold(self, |mut body| async move {
            let piece = body.chunk().await.transpose()?;
            Some((piece, body))
        })
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Body")
            .field("host", &self.meter.host)
            .field("unpacked", &self.meter.unpacked)
            .finish_non_exhaustive()
    }
}

impl Meter {
    pub(super) fn new(host: &str, limits: Limits, deadline: Deadline) -> Self {
        Self {
            host: host.to_owned(),
            limits,
            deadline,
            on_wire: 0,
            unpacked_from: 0,
            unpacked: 0,
            waited: Duration::ZERO,
        }
    }

    fn count_received(&mut self, bytes: usize, waited: Duration) -> Result<(), FetchError> {
        self.on_wire += bytes as u64;
        self.waited += waited;
        if self.on_wire > self.limits.bytes {
            return Err(self.too_large());
        }
        // Only the waiting counts: a caller who takes its time does not make the site slow.
        if self.waited > RATE_FREE && self.on_wire < self.waited.as_secs() * BYTES_PER_SECOND {
            return Err(FetchError::Timeout {
                host: self.host.clone(),
                wait: Wait::Rate,
            });
        }
        Ok(())
    }

    fn count_unpacked(&mut self, from: usize, bytes: usize) -> Result<(), FetchError> {
        self.unpacked_from += from as u64;
        self.unpacked += bytes as u64;
        if self.unpacked > self.limits.bytes {
            return Err(self.too_large());
        }
        if self.unpacked > RATIO_FREE_BYTES && self.unpacked / RATIO > self.unpacked_from {
            return Err(FetchError::Bomb);
        }
        Ok(())
    }

    fn too_large(&self) -> FetchError {
        FetchError::TooLarge {
            limit: self.limits.bytes,
        }
    }

    fn broken(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> FetchError {
        FetchError::Broken {
            host: self.host.clone(),
            source: source.into(),
        }
    }
}
