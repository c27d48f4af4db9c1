//! What a site's robots.txt lets a program read (RFC 9309).
//!
//! The file is the site's, and so hostile: it is read in one pass up to [`MAX_ROBOTS_BYTES`],
//! nothing is compiled from it, and a decision compares no more than a bounded number of bytes.

use std::borrow::Cow;
use std::time::Duration;

/// How much of the file counts; RFC 9309 asks for at least this.
pub const MAX_ROBOTS_BYTES: usize = 500 * 1024;

/// A longer pause is not kept: the site should then forbid the pages instead.
pub const MAX_CRAWL_DELAY: Duration = Duration::from_secs(10);

/// What all patterns of a file may compare of one path, in bytes. Real files stay below a tenth; one
/// that is made to cost more forbids by that.
const MAX_COMPARED_BYTES: usize = 32 << 20;

/// The rules of one robots.txt that concern one program.
///
/// ```
/// use nova_web::Robots;
///
/// let file = b"User-agent: *\nDisallow: /private/\nAllow: /private/*.html$\nCrawl-delay: 2";
/// let robots = Robots::parse(file, "nova");
/// assert!(robots.allows("/index"));
/// assert!(!robots.allows("/private/a"));
/// assert!(robots.allows("/private/a.html"));
/// assert_eq!(robots.crawl_delay(), Some(std::time::Duration::from_secs(2)));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Robots {
    /// The longest pattern first, and of equal ones those that allow: the first that matches decides.
    rules: Vec<Rule>,
    crawl_delay: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
struct Rule {
    pattern: String,
    allows: bool,
}

/// Whom the lines that are being read are about.
#[derive(Default)]
struct Group {
    about_us: bool,
    about_all: bool,
    /// A `user-agent` line after a rule begins a new group; before one it adds to the group.
    has_rules: bool,
}

impl Robots {
    /// Reads a file for the program that calls itself `product`, a name without version.
    #[must_use]
    pub fn parse(file: &[u8], product: &str) -> Self {
        let file = file.get(..MAX_ROBOTS_BYTES).unwrap_or(file);
        let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
        let (mut ours, mut everybodys) = (Self::default(), Self::default());
        let mut is_named = false;
        let mut group = Group::default();
        for line in file.split(|byte| matches!(byte, b'\n' | b'\r')) {
            let Some((key, value)) = key_and_value(line) else {
                continue;
            };
            if key.eq_ignore_ascii_case(b"user-agent") {
                if group.has_rules {
                    group = Group::default();
                }
                let names_us = product_token(value).eq_ignore_ascii_case(product.as_bytes());
                group.about_us |= names_us;
                group.about_all |= value.first() == Some(&b'*');
                is_named |= names_us;
                continue;
            }
            let mut add = |line: &dyn Fn(&mut Self)| {
                if group.about_us {
                    line(&mut ours);
                }
                if group.about_all {
                    line(&mut everybodys);
                }
            };
            let allows = key.eq_ignore_ascii_case(b"allow");
            if allows || key.eq_ignore_ascii_case(b"disallow") {
                group.has_rules = true;
                // An empty pattern matches nothing: `Disallow:` is how a file allows everything.
                if !value.is_empty() {
                    let pattern = normal(value).into_owned();
                    add(&|robots| {
                        let pattern = pattern.clone();
                        robots.rules.push(Rule { pattern, allows });
                    });
                }
            } else if key.eq_ignore_ascii_case(b"crawl-delay") {
                group.has_rules = true;
                let delay = crawl_delay(value);
                add(&|robots| robots.crawl_delay = robots.crawl_delay.max(delay));
            }
        }
        let mut robots = if is_named { ours } else { everybodys };
        robots
            .rules
            .sort_by_key(|rule| (usize::MAX - rule.pattern.len(), !rule.allows));
        robots
    }

    /// Whether a path, with its query, may be read.
    #[must_use]
    pub fn allows(&self, path: &str) -> bool {
        if path == "/robots.txt" {
            return true;
        }
        let path = normal(path.as_bytes());
        let mut left = MAX_COMPARED_BYTES;
        for rule in &self.rules {
            let cost = if rule.pattern.contains('*') {
                path.len()
            } else {
                rule.pattern.len().min(path.len())
            };
            let Some(rest) = left.checked_sub(cost) else {
                return false;
            };
            left = rest;
            if matches(&rule.pattern, &path) {
                return rule.allows;
            }
        }
        true
    }

    /// The pause between two requests that the site asks for, at most [`MAX_CRAWL_DELAY`].
    #[must_use]
    pub const fn crawl_delay(&self) -> Option<Duration> {
        self.crawl_delay
    }

    /// How much memory the rules take.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let size = |rule: &Rule| size_of::<Rule>() + rule.pattern.capacity();
        self.rules.iter().map(size).sum()
    }
}

/// The two halves of a line, without comment and white space.
fn key_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (key, value) = line.split_at(colon);
    Some((key.trim_ascii(), value.get(1..)?.trim_ascii()))
}

/// `Nova/1.0 (beta)` is about `Nova`.
fn product_token(value: &[u8]) -> &[u8] {
    let is_token = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_');
    let length = value.iter().take_while(|byte| is_token(byte)).count();
    value.get(..length).unwrap_or_default()
}

fn crawl_delay(value: &[u8]) -> Option<Duration> {
    let seconds: f64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    let seconds = Some(seconds).filter(|it| *it > 0.0)?;
    Duration::try_from_secs_f64(seconds.min(MAX_CRAWL_DELAY.as_secs_f64())).ok()
}

/// Whether a pattern matches the beginning of a path. `*` stands for anything, `$` at the end for
/// the end of the path. Each piece is looked for once, behind the one before: the first place is as
/// good as any later one, so that nothing is tried twice.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, to_the_end) = match pattern.strip_suffix('$') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut pieces = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return !to_the_end || rest.is_empty();
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    if to_the_end {
        rest.ends_with(last)
    } else {
        rest.contains(last)
    }
}

/// The one spelling of a path by which two are compared: letters, digits and `-._~` as themselves,
/// what is not ASCII escaped, escapes in capitals.
fn normal(path: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(path)
        && path.iter().all(|byte| byte.is_ascii() && *byte != b'%')
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let escaped = (byte == b'%')
            .then(|| behind.split_first_chunk::<2>())
            .flatten()
            .and_then(|(digits, behind)| Some((hex(*digits)?, behind)));
        match escaped {
            Some((decoded, behind)) => {
                rest = behind;
                if decoded.is_ascii_alphanumeric() || b"-._~".contains(&decoded) {
                    out.push(char::from(decoded));
                } else {
                    push_escaped(&mut out, decoded);
                }
            }
            None if byte.is_ascii() => out.push(char::from(byte)),
            None => push_escaped(&mut out, byte),
        }
    }
    Cow::Owned(out)
}

fn push_escaped(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    for digit in [byte >> 4, byte & 15] {
        out.push(char::from(DIGITS[usize::from(digit)]));
    }
}

fn hex([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|it| u8::try_from(it).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}
