//! What is known about an object: kept beside its bytes, and shown as Google's `storage#object`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An object's metadata.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Object {
    /// The bucket it is in.
    pub bucket: String,
    /// Its name.
    pub name: String,
    /// Grows with every write anywhere in the store.
    pub generation: i64,
    /// In bytes.
    pub size: u64,
    /// Of the whole content.
    pub crc32c: u32,
    /// As the uploader declared it.
    pub content_type: String,
    /// What else the uploader wanted to be remembered.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}

impl Object {
    /// The checksum as Google writes it: base64 of the big-endian bytes.
    pub(super) fn crc32c_base64(&self) -> String {
        encode_crc32c(self.crc32c)
    }

    pub(super) fn etag(&self) -> String {
        BASE64.encode(self.generation.to_be_bytes())
    }

    pub(super) fn to_json(&self) -> Value {
        let created = rfc3339(self.created_ms);
        json!({
            "kind": "storage#object",
            "id": format!("{}/{}/{}", self.bucket, self.name, self.generation),
            "name": self.name,
            "bucket": self.bucket,
            "generation": self.generation.to_string(),
            "metageneration": "1",
            "contentType": self.content_type,
            "storageClass": "STANDARD",
            "size": self.size.to_string(),
            "crc32c": self.crc32c_base64(),
            "etag": self.etag(),
            "metadata": self.metadata,
            "timeCreated": created,
            "updated": created,
            "timeStorageClassUpdated": created,
            "timeFinalized": created,
        })
    }
}

pub(super) fn encode_crc32c(crc32c: u32) -> String {
    BASE64.encode(crc32c.to_be_bytes())
}

/// The checksum in Google's notation, or `None` if it is not in it.
pub(super) fn decode_crc32c(text: &str) -> Option<u32> {
    let bytes = BASE64.decode(text).ok()?;
    bytes.try_into().ok().map(u32::from_be_bytes)
}

/// UTC, with milliseconds. Days are counted in years that begin in March, so that a leap day ends one.
fn rfc3339(milliseconds: i64) -> String {
    let (days, rest) = (
        milliseconds.div_euclid(86_400_000),
        milliseconds.rem_euclid(86_400_000),
    );
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        rest % 1000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_767_225_599_001), "2025-12-31T23:59:59.001Z");
        assert_eq!(rfc3339(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn a_checksum_survives_its_notation() {
        // The value of Google's documentation for the quick brown fox.
        assert_eq!(
            encode_crc32c(crc32c::crc32c(
                b"The quick brown fox jumps over the lazy dog"
            )),
            "ImIEBA=="
        );
        assert_eq!(decode_crc32c("ImIEBA=="), Some(0x2262_0404));
        assert_eq!(decode_crc32c("ImIE"), None);
        assert_eq!(decode_crc32c("!"), None);
    }
}
