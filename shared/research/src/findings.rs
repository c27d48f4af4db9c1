//! What a search found: hits as somebody gave them become sources that can be kept.
//!
//! Whoever found them is not trusted. A URL that is not one of the public web is left out, and so is
//! a hit without a passage; two hits of one source become one; text loses what no text has, and
//! what is too long of it; and there is an end to their number. What was left out is counted by
//! reason, so that the caller learns it however much it was.
//!
//! ```
//! use nova_research::findings::{Findings, Hit};
//!
//! let hit = |url: &str, passage: &str| Hit::new(url, passage);
//! let found = Findings::of([
//!     hit("https://arxiv.org/abs/2310.11511", "It reflects."),
//!     hit("http://169.254.169.254/computeMetadata", "Secrets."),
//!     hit("https://arxiv.org/pdf/2310.11511v1", "It retrieves."),
//! ]);
//! assert_eq!(found.sources.len(), 1);
//! assert_eq!(found.sources[0].passage, "It reflects.\n\nIt retrieves.");
//! assert_eq!(found.left_out.values().sum::<u64>(), 1);
//! ```

use std::collections::{BTreeMap, HashMap};

use crate::identity::identity;
use crate::plain::is_blank;
use crate::url::{Reach, Refusal, SourceUrl};

/// Sources of one question; what comes after is of no use to anybody.
pub const MAX_SOURCES: usize = 20;
/// The longest passage that is kept, in characters: some pages.
pub const MAX_PASSAGE_CHARACTERS: usize = 8_000;
/// The longest title that is kept, in characters.
pub const MAX_TITLE_CHARACTERS: usize = 300;
/// The longest date that is kept, in characters; it is told as the provider wrote it.
const MAX_DATE_CHARACTERS: usize = 40;
/// What stands where a text was shortened.
const CUT: &str = " […]";

/// Something that was found, as it came.
#[derive(Clone, Debug, Default)]
pub struct Hit {
    /// Its address.
    pub url: String,
    /// Its title, where there is one.
    pub title: Option<String>,
    /// When it was published or changed, as the provider writes it.
    pub published: Option<String>,
    /// The passage that answers.
    pub passage: String,
}

impl Hit {
    /// A hit of which no more is known.
    pub fn new(url: impl Into<String>, passage: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            passage: passage.into(),
            ..Self::default()
        }
    }
}

/// A source that can be kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What makes it the same source again.
    pub identity: String,
    /// Where it is, in its canonical spelling.
    pub url: String,
    /// Its title, one line.
    pub title: Option<String>,
    /// When it was published or changed, as the provider writes it.
    pub published: Option<String>,
    /// The passage that answers.
    pub passage: String,
}

/// Why a hit was left out.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum LeftOut {
    /// Its URL cannot be read, or is not one of the web.
    InvalidUrl,
    /// Its URL holds a user name or a password.
    CredentialsInUrl,
    /// Its host is not on the public internet.
    PrivateAddress,
    /// It is on YouTube and not a video.
    NotAVideo,
    /// Nothing of it was told.
    NoPassage,
    /// The provider's answer refers to a source that it did not list.
    UnknownSource,
    /// It is behind a redirect that leads nowhere any more.
    DeadRedirect,
    /// There were [`MAX_SOURCES`] before it.
    TooMany,
}

impl LeftOut {
    /// The reason as a word that stays the same.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidUrl => "invalid_url",
            Self::CredentialsInUrl => "credentials_in_url",
            Self::PrivateAddress => "private_address",
            Self::NotAVideo => "not_a_video",
            Self::NoPassage => "no_passage",
            Self::UnknownSource => "unknown_source",
            Self::DeadRedirect => "dead_redirect",
            Self::TooMany => "too_many",
        }
    }
}

impl From<Refusal> for LeftOut {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::InvalidUrl | Refusal::TooLong | Refusal::UnsupportedScheme => Self::InvalidUrl,
            Refusal::CredentialsInUrl => Self::CredentialsInUrl,
            Refusal::PrivateAddress => Self::PrivateAddress,
            Refusal::YoutubeNotAVideo => Self::NotAVideo,
        }
    }
}

/// The sources of one answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Findings {
    /// In the order in which they were found.
    pub sources: Vec<Finding>,
    /// How many were left out, and why.
    pub left_out: BTreeMap<LeftOut, u64>,
}

impl Findings {
    /// Sifts what was found on the public web.
    pub fn of(hits: impl IntoIterator<Item = Hit>) -> Self {
        Self::within(Reach::Public, hits)
    }

    /// Sifts what was found as far as the reader reaches: a search engine of one's own knows pages
    /// of one's own network.
    pub fn within(reach: Reach, hits: impl IntoIterator<Item = Hit>) -> Self {
        let mut found = Self::default();
        let mut places = HashMap::new();
        for hit in hits {
            if let Err(reason) = found.take(hit, reach, &mut places) {
                found.leave_out(reason, 1);
            }
        }
        found
    }

    /// Counts what the provider itself got wrong.
    pub fn leave_out(&mut self, reason: LeftOut, hits: u64) {
        if hits > 0 {
            *self.left_out.entry(reason).or_default() += hits;
        }
    }

    fn take(
        &mut self,
        hit: Hit,
        reach: Reach,
        places: &mut HashMap<String, usize>,
    ) -> Result<(), LeftOut> {
        let url = SourceUrl::parse_within(hit.url.trim(), reach)?;
        let passage = passage(&hit.passage).ok_or(LeftOut::NoPassage)?;
        let identity = identity(&url);
        let known = places.get(&identity);
        if let Some(known) = known.and_then(|place| self.sources.get_mut(*place)) {
            if !known.passage.contains(&passage) {
                known.passage = shortened(
                    &format!("{}\n\n{passage}", known.passage),
                    MAX_PASSAGE_CHARACTERS,
                );
            }
            return Ok(());
        }
        if self.sources.len() == MAX_SOURCES {
            return Err(LeftOut::TooMany);
        }
        places.insert(identity.clone(), self.sources.len());
        let one_line = |text: Option<String>, limit| {
            let text = text?.split_whitespace().collect::<Vec<_>>().join(" ");
            Some(shortened(&readable(&text), limit)).filter(|text| !text.is_empty())
        };
        self.sources.push(Finding {
            identity,
            url: url.into_parts().0,
            title: one_line(hit.title, MAX_TITLE_CHARACTERS),
            published: one_line(hit.published, MAX_DATE_CHARACTERS),
            passage,
        });
        Ok(())
    }
}

/// A passage as it is kept; `None` when nothing is left of it.
fn passage(text: &str) -> Option<String> {
    let text = readable(text);
    let text = text.trim();
    (!is_blank(text)).then(|| shortened(text, MAX_PASSAGE_CHARACTERS))
}

/// Without characters that no text has: neither a database nor Markdown takes a NUL.
fn readable(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .filter(|it| !it.is_control() || matches!(it, '\n' | '\t'))
        .collect()
}

fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept = limit.saturating_sub(CUT.chars().count());
    let kept: String = text.chars().take(kept).collect();
    kept.trim_end().to_owned() + CUT
}
