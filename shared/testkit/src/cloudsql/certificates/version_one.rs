//! X.509 version 1, which rcgen does not write: a certificate of version 3 without what came later.

use anyhow::Context as _;
use rcgen::{KeyPair, SigningKey as _};
use rustls::pki_types::CertificateDer;

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// The same certificate in version 1, signed by the same authority: without the version, which is said
/// from 2 on, and without extensions.
pub(super) fn version_one(der: &[u8], signer: &KeyPair) -> anyhow::Result<CertificateDer<'static>> {
    let (certificate, _) = split(der)?;
    let (to_be_signed, rest) = split(certificate.content)?;
    let (algorithm, _) = split(rest)?;
    let (_version, rest) = split(to_be_signed.content)?;
    let mut kept = Vec::new();
    let mut rest = rest;
    // Number, algorithm, issuer, validity, subject, key.
    for _ in 0..6 {
        let (value, more) = split(rest)?;
        kept.extend_from_slice(value.whole);
        rest = more;
    }
    let to_be_signed = wrap(SEQUENCE, &kept)?;
    // No bits of its last byte are unused.
    let mut signature = vec![0];
    signature.extend(signer.sign(&to_be_signed)?);
    let parts = [
        to_be_signed.as_slice(),
        algorithm.whole,
        &wrap(BIT_STRING, &signature)?,
    ];
    Ok(wrap(SEQUENCE, &parts.concat())?.into())
}

/// A value in DER.
struct Value<'a> {
    /// With its tag and length.
    whole: &'a [u8],
    content: &'a [u8],
}

/// The first value, and what follows it.
fn split(der: &[u8]) -> anyhow::Result<(Value<'_>, &[u8])> {
    let cut = || "a certificate that is cut off";
    let first = usize::from(*der.get(1).with_context(cut)?);
    let (head, length) = if first < 0x80 {
        (2, first)
    } else {
        // So many bytes hold the length.
        let head = 2 + (first & 0x7f);
        let bytes = der.get(2..head).with_context(cut)?.iter();
        (head, bytes.fold(0, |all, it| all << 8 | usize::from(*it)))
    };
    let (whole, rest) = der.split_at_checked(head + length).with_context(cut)?;
    let content = whole.get(head..).unwrap_or_default();
    Ok((Value { whole, content }, rest))
}

fn wrap(tag: u8, content: &[u8]) -> anyhow::Result<Vec<u8>> {
    let length = u16::try_from(content.len()).context("a certificate of 64 KiB")?;
    let [high, low] = length.to_be_bytes();
    let mut der = match (high, low) {
        (0, 0..0x80) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    der.extend_from_slice(content);
    Ok(der)
}
