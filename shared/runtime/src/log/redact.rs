//! Takes tokens and passwords out of a log line.
//!
//! Nothing should put them there; this is the net under those who do it by mistake. Four shapes
//! are known: a JSON web token (`eyJ….….…`), an upload grant (`nova_grant_…`), what follows
//! `Bearer ` or `Basic `, and the password in an address (`scheme://user:password@host`).

use std::borrow::Cow;

use crate::grant;

const MASK: &str = "[redacted]";

/// The line without secrets; borrowed when there were none. The time it takes grows with the length
/// of the line and with nothing else: parts of lines are written by whoever calls.
pub(super) fn redact(line: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(line);
    for find in [jwt, upload_grant, credentials, password] {
        if let Some(clean) = masked(&out, find) {
            out = Cow::Owned(clean);
        }
    }
    out
}

/// Where the first secret from here on begins and ends.
type Find = fn(&str, usize) -> Option<(usize, usize)>;

/// The text without the secrets of one shape; `None` when there are none.
fn masked(text: &str, find: Find) -> Option<String> {
    let mut found = find(text, 0)?;
    let mut clean = String::with_capacity(text.len());
    let mut from = 0;
    loop {
        let (start, end) = found;
        clean.push_str(text.get(from..start)?);
        clean.push_str(MASK);
        from = end;
        let Some(next) = find(text, from) else {
            clean.push_str(text.get(from..)?);
            return Some(clean);
        };
        found = next;
    }
}

/// `eyJ` is what every JSON object that starts with a string key begins with in base64url.
fn jwt(line: &str, from: usize) -> Option<(usize, usize)> {
    let mut starts = line.get(from..)?.match_indices("eyJ");
    starts.find_map(|(at, _)| {
        let start = from + at;
        let length = run(line.get(start..)?, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=')
        });
        (length >= 20).then_some((start, start + length))
    })
}

/// The token of an upload grant.
fn upload_grant(line: &str, from: usize) -> Option<(usize, usize)> {
    let start = from + line.get(from..)?.find(grant::PREFIX)?;
    let length = run(line.get(start..)?, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
    });
    Some((start, start + length))
}

/// The value after an authorization scheme.
fn credentials(line: &str, from: usize) -> Option<(usize, usize)> {
    let mut spaces = line.get(from..)?.match_indices(' ');
    spaces.find_map(|(at, _)| {
        let before = line.get(..from + at)?;
        let schemes = ["Bearer", "bearer", "Basic", "basic"];
        if !schemes.iter().any(|scheme| before.ends_with(scheme)) {
            return None;
        }
        let start = before.len() + 1;
        let length = run(line.get(start..)?, |byte| {
            byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
        });
        (length >= 8).then_some((start, start + length))
    })
}

/// The password of an address.
fn password(line: &str, from: usize) -> Option<(usize, usize)> {
    let mut schemes = line.get(from..)?.match_indices("://");
    schemes.find_map(|(at, scheme)| {
        let authority = from + at + scheme.len();
        let rest = line.get(authority..)?;
        let length = run(rest, |byte| {
            !byte.is_ascii_whitespace() && !b"/\"'<>".contains(&byte)
        });
        let text = rest.get(..length)?;
        let at = text.rfind('@')?;
        let colon = text.get(..at)?.find(':')?;
        (colon + 1 < at).then_some((authority + colon + 1, authority + at))
    })
}

fn run(text: &str, keep: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| keep(*byte)).count()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_token_is_masked_wherever_it_stands() {
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";
        for line in [
            format!("got {token}"),
            format!("\"{token}\""),
            format!("a={token}&b={token}"),
        ] {
            let clean = redact(&line);
            assert!(!clean.contains("eyJ"), "{clean}");
        }
    }

    #[test]
    fn an_upload_grant_is_masked() {
        assert_eq!(
            redact("sent nova_grant_Zm9v-YmF_y, twice: nova_grant_Zm9v"),
            "sent [redacted], twice: [redacted]"
        );
    }

    #[test]
    fn credentials_of_a_header_are_masked() {
        assert_eq!(
            redact("Authorization: Bearer ya29.a0Af_x-y"),
            "Authorization: Bearer [redacted]"
        );
        assert_eq!(
            redact("bearer of news, Bearer abc"),
            "bearer of news, Bearer abc"
        );
    }

    #[test]
    fn a_password_in_an_address_is_masked_and_the_host_stays() {
        assert_eq!(
            redact("at postgres://nova:p%40ss@db.example:5432/nova, really"),
            "at postgres://nova:[redacted]@db.example:5432/nova, really"
        );
        assert_eq!(
            redact("http://a.example/x http://u:pw@b"),
            "http://a.example/x http://u:[redacted]@b"
        );
    }

    #[test]
    fn an_innocent_line_is_not_copied() {
        let line = "{\"message\":\"https://example.com/a:b ünïcode eyJ short Bearer\"}";
        assert!(matches!(redact(line), Cow::Borrowed(_)));
    }

    #[test]
    fn a_line_that_repeats_the_beginnings_of_secrets_is_read_once() {
        for beginning in [
            "eyJ/",
            "eyJ",
            "://",
            "://a:@",
            "Basic ",
            "Bearer 1234567 ",
            "nova_grant_ ",
            "Bearer 12345678 ",
            "://u:pw@h ",
        ] {
            let line = beginning.repeat(100_000);
            let begun = Instant::now();
            let clean = redact(&line);
            // Read anew at each beginning it would take minutes.
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(5), "{beginning}: {took:?}");
            assert!(
                !clean.contains("12345678") && !clean.contains("pw"),
                "{beginning}"
            );
        }
    }
}
