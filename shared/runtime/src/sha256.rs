//! SHA-256, which names what is too long or too secret to be written down.

use ring::digest::{SHA256, digest};

/// The hash of some bytes.
pub fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes.as_ref()).as_ref());
    hash
}
