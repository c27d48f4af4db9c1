//! Names as they arrive, and the file names they become.
//!
//! A name comes from the network and ends in a path, so nothing of it reaches the file system as it is: every
//! byte but letters and digits is written in hexadecimal, which leaves no `.`, no `/` and no case to fold.

use std::fmt::Write as _;

use super::answer::Refusal;

/// The longest name Google accepts.
const LONGEST_OBJECT_NAME_BYTES: usize = 1024;

/// File systems end at 255 bytes; the generation and an ending are appended to this.
const LONGEST_FILE_NAME_BYTES: usize = 180;

/// Whether this can be a bucket: 3 to 222 lower-case letters, digits, dashes, dots and underscores.
pub(super) fn check_bucket(name: &str) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = (3..=222).contains(&name.len())
        && name
            .bytes()
            .all(|byte| plain(byte) || matches!(byte, b'-' | b'.' | b'_'))
        && name.bytes().next().is_some_and(plain)
        && name.bytes().last().is_some_and(plain)
        && !name.contains("..");
    if fits {
        Ok(())
    } else {
        Err(Refusal::invalid(format!("Invalid bucket name: {name:?}")))
    }
}

/// Whether this can be an object, by Google's rules: not empty, not too long, no line ends, not `.` or `..`.
pub(super) fn check_object(name: &str) -> Result<(), Refusal> {
    let fits = !name.is_empty()
        && name.len() <= LONGEST_OBJECT_NAME_BYTES
        && !name.contains(['\r', '\n', '\0'])
        && !matches!(name, "." | "..")
        && !name.starts_with(".well-known/acme-challenge/");
    if fits {
        Ok(())
    } else {
        Err(Refusal::invalid(format!("Invalid object name: {name:?}")))
    }
}

/// The file name, without an ending, that belongs to a name. Different names have different ones.
pub(super) fn file_name(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len() + 16);
    for byte in name.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() {
            encoded.push(char::from(byte));
        } else {
            encoded.push('_');
            push_hex(&mut encoded, byte);
        }
    }
    if encoded.len() <= LONGEST_FILE_NAME_BYTES {
        return encoded;
    }
    // Starts with a letter that an encoded byte cannot follow `_` with, so it is nobody's encoded name.
    let mut hashed = String::from("_x");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes());
    for byte in digest.as_ref() {
        push_hex(&mut hashed, *byte);
    }
    hashed
}

fn push_hex(text: &mut String, byte: u8) {
    // Writing to a String cannot fail.
    write!(text, "{byte:02x}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_becomes_a_path() {
        let long = "é/".repeat(400);
        for name in [
            "../../etc/passwd",
            "/etc/passwd",
            "a/../b",
            "C:\\x",
            "%2e%2e%2f",
            ".hidden",
            "~",
            &long,
        ] {
            let file = file_name(name);
            assert!(
                file.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{file}"
            );
            assert!(file.len() <= LONGEST_FILE_NAME_BYTES);
        }
    }

    #[test]
    fn different_names_become_different_files() {
        let names = ["a", "A", "_41", "a/b", "a_2fb", "a_b", "é", "e\u{301}"];
        for (position, one) in names.iter().enumerate() {
            for other in names.iter().skip(position + 1) {
                assert_ne!(file_name(one), file_name(other), "{one} {other}");
            }
        }
        assert_ne!(file_name(&"x/".repeat(300)), file_name(&"x/".repeat(301)));
    }

    #[test]
    fn hostile_buckets_and_objects_are_refused() {
        for bucket in [
            "",
            "..",
            "a",
            "../x",
            "a/b",
            "UPPER",
            "-ab",
            "ab-",
            "a..b",
            "a\0b",
            "white space",
        ] {
            assert!(check_bucket(bucket).is_err(), "{bucket:?}");
        }
        for object in ["", ".", "..", "a\nb", "a\0b", &"x".repeat(1025)] {
            assert!(check_object(object).is_err(), "{object:?}");
        }
        assert!(check_bucket("nova-local_1.example").is_ok());
        assert!(check_object("v1/../%00/ü").is_ok());
    }
}
