//! Markup in captions.

/// A caption in one line, without tags: of HTML, of `WebVTT` (`<00:01.000>`, `<c.red>`), of
/// `SubRip` (`{\an8}`). What begins like a tag and does not end is text.
pub(super) fn without_tags(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '{']) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        plain.push_str(before);
        let end = tag(from);
        if end == 0 {
            let open = from.get(..1).unwrap_or_default();
            plain.push_str(open);
        }
        rest = from.get(end.max(1)..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

/// No tag is longer, in bytes.
const LONGEST: usize = 256;

/// The length of the tag at the beginning; 0 where there is none.
fn tag(text: &str) -> usize {
    let bytes = text.as_bytes();
    let close = match bytes {
        [b'<', next, ..] if next.is_ascii_alphanumeric() || *next == b'/' => b'>',
        [b'{', b'\\', ..] => b'}',
        _ => return 0,
    };
    let end = bytes.iter().take(LONGEST).position(|byte| *byte == close);
    end.map_or(0, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_and_what_only_looks_like_one_stays() {
        for (text, plain) in [
            ("this is <i>not</i> it", "this is not it"),
            ("<c.yellow>so<00:00:01.500></c> what", "so what"),
            (r"{\an8}Above {and} below", "Above {and} below"),
            ("a < b > c <3", "a < b > c <3"),
            ("<unfinished", "<unfinished"),
            ("", ""),
        ] {
            assert_eq!(without_tags(text), plain, "{text}");
        }
        let open = "<a".repeat(500_000);
        assert_eq!(without_tags(&open), open, "each costs one look");
    }
}
