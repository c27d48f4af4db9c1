//! Takes tokens and passwords out of a log line.
//!
//! Nothing should put them there; this is the net under those who do it by mistake. Four shapes
//! are known: a JSON web token (`eyJ….….…`), an upload grant (`nova_grant_…`), what follows
//! `Bearer ` or `Basic `, and the password in an address (`scheme://user:password@host`).

use std::borrow::Cow;

use crate::grant;

const MASK: &str = "[redacted]";

/// The line without secrets; borrowed when there were none.
pub(super) fn redact(line: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(line);
    for find in [jwt, upload_grant, credentials, password] {
        let mut from = 0;
        while let Some((start, end)) = find(&out, from) {
            let text = out.to_mut();
            text.replace_range(start..end, MASK);
            from = start + MASK.len();
        }
    }
    out
}

type Range = Option<(usize, usize)>;

/// `eyJ` is what every JSON object that starts with a string key begins with in base64url.
fn jwt(line: &str, from: usize) -> Range {
    let start = from + line.get(from..)?.find("eyJ")?;
    let length = run(line.get(start..)?, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=')
    });
    if length >= 20 {
        Some((start, start + length))
    } else {
        jwt(line, start + 3)
    }
}

/// The token of an upload grant.
fn upload_grant(line: &str, from: usize) -> Range {
    let start = from + line.get(from..)?.find(grant::PREFIX)?;
    let length = run(line.get(start..)?, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
    });
    Some((start, start + length))
}

/// The value after an authorization scheme.
fn credentials(line: &str, from: usize) -> Range {
    let rest = line.get(from..)?;
    let start = ["Bearer ", "bearer ", "Basic ", "basic "]
        .iter()
        .filter_map(|scheme| rest.find(scheme).map(|at| from + at + scheme.len()))
        .min()?;
    let length = run(line.get(start..)?, |byte| {
        byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
    });
    if length >= 8 {
        Some((start, start + length))
    } else {
        credentials(line, start)
    }
}

/// The password of an address.
fn password(line: &str, from: usize) -> Range {
    let authority = from + line.get(from..)?.find("://")? + 3;
    let rest = line.get(authority..)?;
    let length = run(rest, |byte| {
        !byte.is_ascii_whitespace() && !b"/\"'<>".contains(&byte)
    });
    let found = rest.get(..length).and_then(|text| {
        let at = text.rfind('@')?;
        let colon = text.get(..at)?.find(':')?;
        (colon + 1 < at).then_some((authority + colon + 1, authority + at))
    });
    found.or_else(|| password(line, authority))
}

fn run(text: &str, keep: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| keep(*byte)).count()
}

#[cfg(test)]
mod tests {
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
}
