//! Takes keys and tokens out of a text: it goes to language models and into files that are passed
//! on. Only what is known to be one by its shape; what looks random is mostly a checksum.

use std::borrow::Cow;

use memchr::memmem;

/// How a kind of token begins, and how many letters at least follow.
const TOKENS: &[(&str, usize)] = &[
    ("AIza", 35),
    ("AKIA", 16),
    ("ASIA", 16),
    ("GOCSPX-", 20),
    ("SG.", 40),
    ("dckr_pat_", 20),
    ("dop_v1_", 40),
    ("eyJ", 60),
    ("fc-", 32),
    ("gho_", 36),
    ("ghp_", 36),
    ("ghr_", 36),
    ("ghs_", 36),
    ("ghu_", 36),
    ("github_pat_", 22),
    ("glpat-", 20),
    ("gsk_", 40),
    ("hf_", 30),
    ("npm_", 36),
    ("pplx-", 40),
    ("pypi-AgEI", 40),
    ("rk_live_", 20),
    ("shpat_", 32),
    ("sk-", 32),
    ("sk_live_", 20),
    ("tvly-", 20),
    ("xoxa-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xapp-", 20),
    ("ya29.", 30),
];

/// The shortest of them, prefix and all.
const SHORTEST: usize = 20;

const KEY_BEGINS: &str = "-----BEGIN ";
const KEY_IS_PRIVATE: &str = "PRIVATE KEY";

/// The text without private keys and known tokens; borrowed when there were none.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let without_keys = private_keys(text);
    match tokens(&without_keys) {
        Cow::Borrowed(_) => without_keys,
        Cow::Owned(text) => Cow::Owned(text),
    }
}

/// `-----BEGIN … PRIVATE KEY-----` up to its end; one that was cut off, as far as it looks like
/// one. What only names the line, as code that reads keys does, is left.
fn private_keys(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = memmem::find(rest.as_bytes(), KEY_BEGINS.as_bytes()) {
        let (before, key) = rest.split_at(at);
        let Some(end) = private_key(key) else {
            let (head, tail) = rest.split_at(at + KEY_BEGINS.len());
            out.push_str(head);
            rest = tail;
            continue;
        };
        out.push_str(before);
        out.push_str("[redacted: private key]");
        rest = key.get(end..).unwrap_or_default();
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// How long the key is that a text begins with.
fn private_key(text: &str) -> Option<usize> {
    let label = text.strip_prefix(KEY_BEGINS)?;
    let end_of_label = label.find("-----")?;
    let name = label.get(..end_of_label)?;
    if end_of_label > 40 || !name.contains(KEY_IS_PRIVATE) {
        return None;
    }
    let head = KEY_BEGINS.len() + end_of_label + 5;
    let body = text.get(head..)?;
    // Base64, its escapes in JSON, and the headers of old PEM files.
    let mut length = body
        .bytes()
        .take_while(|it| {
            it.is_ascii_alphanumeric() || b"+/= \t\r\n\\:,".contains(it) || *it == b'-'
        })
        .count();
    if let Some(end) = body.get(..length)?.find("-----END ") {
        let line = body.get(end..)?;
        let after = line.get(9..)?.find("-----").map_or(9, |it| it + 14);
        length = end + after;
    }
    let is_key = body
        .get(..length)?
        .bytes()
        .any(|it| it.is_ascii_alphanumeric());
    is_key.then_some(head + length)
}

fn tokens(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    for (at, end) in words(text.as_bytes()) {
        let word = text.get(at..end).unwrap_or_default();
        if let Some(from) = token(word) {
            out.push_str(text.get(copied..at + from).unwrap_or_default());
            out.push_str("[redacted: token]");
            copied = end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Where the words are that are long enough to hold a token.
fn words(bytes: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        // Looks at every twentieth byte: a word of that length cannot be between two others.
        while let Some(byte) = bytes.get(at + SHORTEST - 1) {
            if !IN_TOKEN[usize::from(*byte)] {
                at += SHORTEST;
                continue;
            }
            let end = at + SHORTEST - 1;
            let is_in = |it: &&u8| IN_TOKEN[usize::from(**it)];
            let before = bytes.get(at..end)?.iter().rev().take_while(is_in).count();
            let after = bytes.get(end..)?.iter().take_while(is_in).count();
            let found = (end - before, end + after);
            at = found.1;
            if before + after >= SHORTEST {
                return Some(found);
            }
        }
        None
    })
}

/// What tokens are made of.
static IN_TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        byte += 1;
    }
    table
};

/// Where in a word a token begins: with the word, or behind a sign that is no letter.
fn token(word: &str) -> Option<usize> {
    let bytes = word.as_bytes();
    let begins = |at: &usize| {
        let before = at.checked_sub(1).and_then(|it| bytes.get(it));
        before.is_none_or(|it| !it.is_ascii_alphanumeric())
    };
    (0..word.len()).filter(begins).find(|at| {
        let rest = word.get(*at..).unwrap_or_default();
        let mut found = TOKENS.iter();
        found.any(|(prefix, least)| {
            // What is random has digits.
            let is_random = |it: &&str| it.bytes().any(|it| it.is_ascii_digit());
            let rest = rest.strip_prefix(prefix).filter(is_random);
            rest.is_some_and(|rest| rest.len() >= *least)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_go_and_what_names_them_stays() {
        let begin = format!("{KEY_BEGINS}{KEY_IS_PRIVATE}-----");
        let pem = format!("a\n{begin}\nMIIE\nvQ==\n-----END {KEY_IS_PRIVATE}-----\nb\n");
        assert_eq!(redact(&pem), "a\n[redacted: private key]\nb\n");
        let json =
            format!("{{\"private_key\":\"{begin}\\nMIIE\\n-----END {KEY_IS_PRIVATE}-----\\n\"}}");
        assert_eq!(
            redact(&json),
            "{\"private_key\":\"[redacted: private key]\\n\"}"
        );
        assert_eq!(redact(&format!("{begin}\nMIIE")), "[redacted: private key]");
        let code = format!("if line == \"{begin}\" {{");
        assert_eq!(redact(&code), code);
        let public = "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----\n";
        assert_eq!(redact(public), public);
    }

    #[test]
    fn tokens_go_and_words_stay() {
        let token = format!("gh{}{}", "p_", "a1B2".repeat(9));
        assert_eq!(
            redact(&format!("TOKEN={token}\nx = \"{token}\"\n")),
            "TOKEN=[redacted: token]\nx = \"[redacted: token]\"\n"
        );
        for text in [
            "ask-me-about-the-long-names-of-things-that-are-words",
            "sk-short",
            "sha512-3b9b1c0a8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c",
            "https://example.com/eyJ",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn a_token_is_found_wherever_it_is() {
        let token = format!("gh{}{}", "p_", "a1B2".repeat(9));
        for before in 0..60 {
            for gap in [" ", "\n\n", "=\""] {
                let (before, after) = ("a".repeat(before), "b".repeat(30));
                let text = format!("{before}{gap}{token}{gap}{after}");
                let without = format!("{before}{gap}[redacted: token]{gap}{after}");
                assert_eq!(redact(&text), without);
            }
        }
    }
}
