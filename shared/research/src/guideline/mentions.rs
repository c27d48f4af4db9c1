//! Everything that was found, before it is judged: put in order, parsed, and freed of duplicates.

use std::collections::{HashMap, HashSet};

use crate::url::{CodeHosts, Kind, MAX_URL_BYTES, Reach, SourceUrl};

use super::bare::{self, Dialect};
use super::extraction::{Extraction, Found, LocalFile, SkipReason, Skipped};
use super::files;

/// How much of a URL that is too long is told, in characters.
const SHOWN_CHARS: usize = 200;

/// Where a URL stands.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Place {
    /// Where the reader sees it.
    Text,
    /// In sample code.
    Code,
    /// In an HTML comment.
    Comment,
    /// It is the address of a picture.
    Image,
}

/// A URL as the guideline has it.
struct Mention {
    offset: usize,
    url: String,
    title: Option<String>,
    place: Place,
}

/// What a guideline mentions, in any order.
pub(super) struct Mentions<'a> {
    text: &'a str,
    urls: Vec<Mention>,
    files: Vec<(usize, String)>,
    headings: Vec<(usize, String)>,
}

impl<'a> Mentions<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            text,
            urls: Vec::new(),
            files: Vec::new(),
            headings: Vec::new(),
        }
    }

    pub(super) fn heading(&mut self, offset: usize, title: String) {
        self.headings.push((offset, title));
    }

    pub(super) fn url(&mut self, offset: usize, url: String, title: Option<String>, place: Place) {
        self.urls.push(Mention {
            offset,
            url,
            title,
            place,
        });
    }

    /// The target of a link: a URL, a local file, or something that is neither.
    pub(super) fn target(
        &mut self,
        offset: usize,
        target: &str,
        title: Option<String>,
        place: Place,
    ) {
        let target = target.trim();
        let scheme = target
            .split(':')
            .next()
            .filter(|it| it.len() < target.len() && is_scheme(it));
        let is_web = scheme
            .is_some_and(|it| it.eq_ignore_ascii_case("http") || it.eq_ignore_ascii_case("https"));
        // `mailto:`, `data:` and the like are no sources in anybody's eyes; `ftp://` may be.
        if is_web || scheme.is_some() && target.contains("://") && place == Place::Text {
            self.url(offset, target.to_owned(), title, place);
        } else if scheme.is_none() && target.starts_with("//") {
            self.url(offset, format!("https:{target}"), title, place);
        } else if scheme.is_none() && place == Place::Text {
            let path = target.split(['#', '?']).next().unwrap_or_default();
            if let Some(path) = files::relative_path(&percent_decoded(path)) {
                self.files.push((offset, path));
            }
        }
    }

    /// Finds what stands in a text without markup. `base` is where the text begins in the
    /// guideline; `from` is where to begin in the text.
    pub(super) fn scan(
        &mut self,
        text: &str,
        from: usize,
        base: usize,
        dialect: Dialect,
        place: Place,
    ) {
        let mut at = from;
        loop {
            let found = bare::next(text, at, dialect);
            let until = found.as_ref().map_or(text.len(), |it| it.start);
            if place == Place::Text {
                let between = text.get(at..until).unwrap_or_default();
                let files = &mut self.files;
                files::scan(between, &mut |offset, path| {
                    files.push((base + at + offset, path));
                });
            }
            let Some(found) = found else { return };
            at = found.end;
            self.url(base + found.start, found.url, None, place);
        }
    }

    /// Puts everything in the order of the guideline and judges it.
    pub(super) fn judge(mut self, reach: Reach, code_hosts: &CodeHosts) -> Extraction {
        let places = Places::new(self.text, std::mem::take(&mut self.headings));
        let mut extraction = Extraction::default();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut told: HashSet<(String, SkipReason)> = HashSet::new();

        self.urls.sort_by_key(|it| it.offset);
        for mention in self.urls {
            let line = places.line(mention.offset);
            let reason = match judge(&mention, reach, code_hosts) {
                Err(reason) => reason,
                Ok(url) => {
                    let Some(&index) = known.get(url.identity()) else {
                        known.insert(url.identity().to_owned(), extraction.sources.len());
                        let section = places.section(mention.offset);
                        let title = mention
                            .title
                            .filter(|it| *it != mention.url && *it != url.as_str());
                        let (url, identity, kind) = url.into_parts();
                        extraction.sources.push(Found {
                            url,
                            identity,
                            kind,
                            title,
                            section,
                            line,
                        });
                        continue;
                    };
                    if let Some(first) = extraction.sources.get_mut(index) {
                        prefer(first, &url, mention.title);
                    }
                    SkipReason::Duplicate
                }
            };
            let url = shown(mention.url);
            if told.insert((url.clone(), reason)) {
                extraction.skipped.push(Skipped { url, reason, line });
            }
        }
        for found in &extraction.sources {
            let list = match found.kind {
                Kind::Github => &mut extraction.github_urls,
                Kind::Youtube => &mut extraction.youtube_videos_urls,
                Kind::Web => &mut extraction.other_urls,
            };
            list.push(found.url.clone());
        }

        let mut named: HashSet<String> = HashSet::new();
        self.files.sort_by_key(|it| it.0);
        for (offset, path) in self.files {
            if named.insert(path.clone()) {
                extraction.local_file_paths.push(path.clone());
                let (section, line) = (places.section(offset), places.line(offset));
                extraction.local_files.push(LocalFile {
                    path,
                    section,
                    line,
                });
            }
        }
        extraction
    }
}

fn judge(mention: &Mention, reach: Reach, code_hosts: &CodeHosts) -> Result<SourceUrl, SkipReason> {
    match mention.place {
        Place::Code => Err(SkipReason::CodeBlock),
        Place::Comment => Err(SkipReason::Comment),
        Place::Image => Err(SkipReason::Image),
        Place::Text => {
            SourceUrl::parse_among(&mention.url, reach, code_hosts).map_err(SkipReason::from)
        }
    }
}

/// The same page again: its encrypted address and its title are worth having.
fn prefer(first: &mut Found, again: &SourceUrl, title: Option<String>) {
    if first.url.starts_with("http://") && !again.is_plain_http() {
        again.as_str().clone_into(&mut first.url);
    }
    if first.title.is_none() {
        first.title = title.filter(|it| *it != first.url && *it != again.as_str());
    }
}

fn shown(url: String) -> String {
    if url.len() <= MAX_URL_BYTES {
        return url;
    }
    url.chars().take(SHOWN_CHARS).chain(['…']).collect()
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|it: char| it.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || b"+.-".contains(&it))
}

/// `my%20notes.md` as the file is called; text that is not UTF-8 then stays as it was.
fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .filter(|_| byte == b'%')
            .and_then(|it| std::str::from_utf8(it).ok());
        let decoded = hex.and_then(|it| u8::from_str_radix(it, 16).ok());
        bytes.push(decoded.unwrap_or(byte));
        rest = if decoded.is_some() {
            after.get(2..).unwrap_or_default()
        } else {
            after
        };
    }
    String::from_utf8(bytes).unwrap_or_else(|_not_utf8| path.to_owned())
}

/// Finds the line and the heading of an offset.
struct Places {
    line_ends: Vec<usize>,
    headings: Vec<(usize, String)>,
}

impl Places {
    fn new(text: &str, headings: Vec<(usize, String)>) -> Self {
        let line_ends = text
            .bytes()
            .enumerate()
            .filter(|it| it.1 == b'\n')
            .map(|it| it.0)
            .collect();
        Self {
            line_ends,
            headings,
        }
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.line_ends.partition_point(|&end| end < offset)
    }

    fn section(&self, offset: usize) -> Option<String> {
        let above = self
            .headings
            .partition_point(|it| it.0 <= offset)
            .checked_sub(1)?;
        self.headings.get(above).map(|it| it.1.clone())
    }
}
