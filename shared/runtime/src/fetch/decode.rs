//! Bodies unpacked piece by piece.
//!
//! gzip and deflate, which every server has; not brotli, whose dictionary alone is 120 KB in each
//! binary and which no server sends to a client that does not ask for it.

use std::io::{self, Write as _};

use bytes::{Buf as _, Bytes};
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// What is asked for.
pub(super) const ACCEPT_ENCODING: &str = "gzip, deflate";

/// How one body is packed.
pub(super) enum Decoder {
    Identity,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// `deflate` is zlib by the standard and bare DEFLATE from some servers; the first byte tells.
    Deflate,
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
    Bare(Box<DeflateDecoder<Vec<u8>>>),
}

impl Decoder {
    /// The decoder for a `Content-Encoding`. One layer: nobody packs a page twice, and a bomb in
    /// a bomb is larger than either.
    pub(super) fn for_encoding(encoding: &str) -> Option<Self> {
        match encoding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))),
            "deflate" => Some(Self::Deflate),
            _ => None,
        }
    }

    /// Unpacks the beginning of `input`, which is cut off there. Both what is taken and what is
    /// given are one buffer at most, so that the caller can count between any two.
    pub(super) fn feed(&mut self, input: &mut Bytes) -> io::Result<Bytes> {
        let (taken, out) = match self {
            Self::Identity => return Ok(std::mem::take(input)),
            Self::Deflate => {
                *self = match input.first() {
                    Some(first) if first & 0x0f == 8 => {
                        Self::Zlib(Box::new(ZlibDecoder::new(Vec::new())))
                    }
                    _ => Self::Bare(Box::new(DeflateDecoder::new(Vec::new()))),
                };
                return Ok(Bytes::new());
            }
            Self::Gzip(decoder) => (decoder.write(input)?, std::mem::take(decoder.get_mut())),
            Self::Zlib(decoder) => (decoder.write(input)?, std::mem::take(decoder.get_mut())),
            Self::Bare(decoder) => (decoder.write(input)?, std::mem::take(decoder.get_mut())),
        };
        if taken == 0 && out.is_empty() {
            // The stream is over; what is behind it is nobody's.
            input.clear();
        } else {
            input.advance(taken);
        }
        Ok(out.into())
    }

    /// What is left when all of the input was given; an error when the end is missing.
    pub(super) fn finish(&mut self) -> io::Result<Bytes> {
        let out = match self {
            Self::Identity | Self::Deflate => return Ok(Bytes::new()),
            Self::Gzip(decoder) => {
                decoder.try_finish()?;
                std::mem::take(decoder.get_mut())
            }
            Self::Zlib(decoder) => {
                decoder.try_finish()?;
                std::mem::take(decoder.get_mut())
            }
            Self::Bare(decoder) => {
                decoder.try_finish()?;
                std::mem::take(decoder.get_mut())
            }
        };
        Ok(out.into())
    }
}
