//! SHA-256, which names what is too long or too secret to be written down.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

/// The hash of some bytes.
pub fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes.as_ref()).as_ref());
    hash
}

/// Bytes in lower-case hexadecimal digits; of a hash, as many as its name shall have.
pub fn hex<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
    }
    text
}
