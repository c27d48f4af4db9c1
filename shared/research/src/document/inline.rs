//! Makes running text harmless: tags, and lines that look like our own headings.
//!
//! Inside a code span a tag is text already and stays as it is, if it is certain that every reader
//! sees the span. That is so when both its ends are on one line and nothing before them in the
//! paragraph could make a reader pair the backticks differently: a backtick without a partner, a
//! backslash before one, a URL, a link's target or title, a `$`; nor a `|` between them, because a table
//! is cut into cells first. In doubt a tag in a code span is treated like any other.

use super::Section;
use super::tags::{self, Verdict};

/// What is known about the paragraph that the text is in.
pub(super) struct Inline {
    /// Backticks pair in the way in which they are read here.
    pub(super) spans_certain: bool,
    /// The text may be part of a block of HTML, in which nothing is Markdown.
    pub(super) html: bool,
}

impl Inline {
    /// The state behind an empty line.
    pub(super) const fn new() -> Self {
        Self {
            spans_certain: true,
            html: false,
        }
    }

    /// Appends a line, or a part of one. `begins_at` is the byte in which the text behind
    /// indentation and marks begins; `None` when the beginning of the line came before.
    pub(super) fn write(&mut self, line: &str, begins_at: Option<usize>, out: &mut String) {
        let mut written = 0;
        let mut at = 0;
        let mut url = UrlTail::default();
        while let Some(found) = line.get(at..).and_then(|rest| rest.find(SPECIAL)) {
            at += found;
            let rest = line.get(at..).unwrap_or_default();
            let next = rest.as_bytes().get(1).copied().unwrap_or(b'\n');
            // How far to go on, and what is to stand for how many bytes.
            let (length, escape) = match rest.as_bytes().first() {
                Some(b'\\')
                    if next == b'<' && self.keeps_backslash(begins_at, url.reaches(line, at)) =>
                {
                    (1, None)
                }
                Some(b'\\') if next.is_ascii_punctuation() => {
                    self.spans_certain &= next != b'`';
                    (2, None)
                }
                Some(b'`') => {
                    self.spans_certain &= !url.reaches(line, at);
                    (self.backticks(rest), None)
                }
                Some(b'<') => self.tag(rest, begins_at == Some(at)),
                Some(b'#') => {
                    let length = rest.bytes().take_while(|&it| it == b'#').count();
                    let ours = looks_like_ours(rest, begins_at == Some(at));
                    (length, ours.then_some(("\\", 0)))
                }
                Some(b']') => {
                    self.spans_certain &= ends_before_backticks(rest);
                    (1, None)
                }
                other => {
                    self.spans_certain &= other != Some(&b'$');
                    (1, None)
                }
            };
            if let Some((escape, replaced)) = escape {
                out.push_str(line.get(written..at).unwrap_or_default());
                out.push_str(escape);
                written = at + replaced;
            }
            at += length;
        }
        out.push_str(line.get(written..).unwrap_or_default());
    }

    /// Whether a backslash before a `<` might not escape it.
    const fn keeps_backslash(&self, begins_at: Option<usize>, in_url: bool) -> bool {
        self.html || in_url || begins_at.is_none()
    }

    /// How far a `<` reaches, and what is to stand for it.
    fn tag(&mut self, text: &str, begins_line: bool) -> (usize, Option<(&'static str, usize)>) {
        match tags::judge(text, begins_line) {
            Verdict::Text => {
                // An address such as `<1`@a.example>` may hold a backtick.
                let inside = text.get(1..).unwrap_or_default();
                let end = inside
                    .find([' ', '\t', '<', '>', '`'])
                    .and_then(|it| inside.get(it..));
                self.spans_certain &= !end.is_some_and(|it| it.starts_with('`'));
                (1, None)
            }
            Verdict::Harmless(length) => {
                self.html |= begins_line && tags::begins_html_block(text);
                (length, None)
            }
            Verdict::Dangerous => (1, Some(("&lt;", 1))),
        }
    }

    /// How far a run of backticks reaches, with the span that it opens if that is certain.
    fn backticks(&mut self, text: &str) -> usize {
        let run = |text: &str| text.bytes().take_while(|&it| it == b'`').count();
        let length = run(text);
        if !self.spans_certain || self.html {
            self.spans_certain = false;
            return length;
        }
        let mut at = length;
        while let Some(found) = text.get(at..).and_then(|rest| rest.find(['`', '|'])) {
            at += found;
            let closing = run(text.get(at..).unwrap_or_default());
            if closing == length {
                return at + closing;
            }
            if closing == 0 {
                break;
            }
            at += closing;
        }
        self.spans_certain = false;
        length
    }
}

const SPECIAL: [char; 6] = ['\\', '`', '<', '#', ']', '$'];

/// Whether a URL that stands alone reaches up to some place: GitHub's reader takes backticks and
/// backslashes for parts of it. Each byte of a line is looked at once.
#[derive(Default)]
struct UrlTail {
    looked_at: usize,
    inside: bool,
}

impl UrlTail {
    fn reaches(&mut self, line: &str, at: usize) -> bool {
        let text = line.get(self.looked_at..at).unwrap_or_default();
        let word = text.rsplit([' ', '\t']).next().unwrap_or_default();
        let goes_on = self.inside && word.len() == text.len();
        self.inside = goes_on || word.contains("://") || word.to_ascii_lowercase().contains("www.");
        self.looked_at = at;
        self.inside
    }
}

/// Whether what may be a link's target or label ends without anything that could hide a backtick.
fn ends_before_backticks(text: &str) -> bool {
    let rest = text.get(1..).unwrap_or_default();
    let ends = |rest: &str, end: char, doubtful: &[char]| {
        rest.find(|it| it == end || doubtful.contains(&it))
            .is_some_and(|at| rest.get(at..).is_some_and(|it| it.starts_with(end)))
    };
    match rest.chars().next() {
        Some('(') => ends(
            rest.get(1..).unwrap_or_default(),
            ')',
            &['(', '"', '\'', '`', '<', '\\'],
        ),
        Some('[') => ends(rest.get(1..).unwrap_or_default(), ']', &['[', '`', '\\']),
        Some(':') => false,
        _ => true,
    }
}

/// Whether a `#` begins a heading that only the frame writes: `### Source [` anywhere, because
/// readers of older documents look for just that; the heading of a section on a line of its own.
fn looks_like_ours(text: &str, begins_line: bool) -> bool {
    let heading = text.trim_start_matches('#').trim_start_matches([' ', '\t']);
    let source = heading
        .get(.."source".len())
        .filter(|it| it.eq_ignore_ascii_case("source"))
        .and_then(|it| heading.strip_prefix(it))
        .is_some_and(|rest| rest.trim_start_matches([' ', '\t']).starts_with('['));
    let section = || {
        let heading = heading.trim_end_matches(['#', ' ', '\t']);
        Section::ALL
            .iter()
            .any(|it| it.heading().eq_ignore_ascii_case(heading))
    };
    source || begins_line && section()
}
