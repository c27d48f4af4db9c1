//! What an article wants to know: the topical sections of its guideline.
//!
//! A guideline tells a writer many things that no source can say: who reads it, how long it is to
//! be, in which tone. Sections of that kind are left out ([`boilerplate`]). The others are the measure
//! of what is there already ([`crate::coverage`]), of what to ask next ([`crate::questions`]) and of
//! what a source is good for ([`crate::ranking`]).

mod boilerplate;
mod brief;
mod phrases;
mod questions;
mod read;
mod terms;

use self::read::Draft;
use crate::{guideline::Guideline, text};

/// A guideline has a dozen sections; what has more is data.
const MAX_SECTIONS: usize = 64;

/// The topical sections of a guideline.
///
/// ```
/// use nova_research::{guideline::Guideline, outline::Outline};
///
/// # fn main() -> Result<(), nova_research::guideline::GuidelineError> {
/// let guideline = "# Memory\n## Expected length\n900 words\n## Section 1: Episodic memory\nWhat is an episode?";
/// let outline = Outline::of(&Guideline::parse(guideline)?);
/// assert_eq!(outline.topic(), "Memory");
/// assert_eq!(outline.sections().len(), 1);
/// assert_eq!(outline.sections()[0].title(), "Episodic memory");
/// assert_eq!(outline.sections()[0].questions(), ["What is an episode?"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Outline {
    topic: String,
    sections: Vec<Section>,
    is_english: bool,
}

/// A section that sources can say something about.
#[derive(Clone, Debug)]
pub struct Section {
    title: String,
    terms: Vec<text::Term>,
    phrases: Vec<String>,
    questions: Vec<String>,
}

impl Outline {
    /// Reads a guideline. There is one section at least: where no heading is topical, it is the
    /// whole text.
    pub fn of(guideline: &Guideline) -> Self {
        let drafts = read::sections(guideline.as_str());
        let title = Some(guideline.title()).filter(|title| !boilerplate::is_heading(title));
        let mut drafts = topical(drafts);
        if drafts.is_empty() {
            drafts.push(read::whole(guideline.as_str(), &guideline.title()));
        }
        drafts.truncate(MAX_SECTIONS);
        for draft in drafts.iter_mut().filter(|draft| draft.title.is_empty()) {
            draft.title = guideline.title();
        }
        let spread = terms::Spread::of(&drafts);
        let sections = drafts.iter().map(|draft| Section {
            title: draft.title.clone(),
            terms: terms::of(draft, &spread),
            phrases: phrases::of(draft, &spread),
            questions: questions::of(draft),
        });
        Self {
            topic: title.unwrap_or_else(|| spread.topic()),
            sections: sections.collect(),
            is_english: text::is_english(guideline.as_str()),
        }
    }

    /// What the whole article is about, in a few words.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// In the order of the guideline; never empty.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Whether it is written in English.
    pub(crate) const fn is_english(&self) -> bool {
        self.is_english
    }
}

impl Section {
    /// Its heading, without its number.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The words that tell it from the other sections, the weightiest first.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|term| term.word.as_str())
    }

    /// What it is about beside its heading, in the author's words: names, and what is emphasised.
    pub fn phrases(&self) -> &[String] {
        &self.phrases
    }

    /// The questions that it asks.
    pub fn questions(&self) -> &[String] {
        &self.questions
    }

    pub(crate) fn terms(&self) -> &[text::Term] {
        &self.terms
    }
}

/// Leaves out what no source can say anything about, with all that is below its heading.
fn topical(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut left_out = None;
    let mut topical: Vec<Draft> = Vec::new();
    for draft in drafts {
        if left_out.is_some_and(|level| draft.level > level) {
            continue;
        }
        left_out = boilerplate::is_heading(&draft.title).then_some(draft.level);
        if left_out.is_none() {
            topical.push(draft);
        }
    }
    // A heading that only holds others together, such as the article's title, is no section.
    let is_parent = |index: usize| {
        let (draft, next) = (topical.get(index), topical.get(index + 1));
        draft
            .is_some_and(|it| it.items.is_empty() && next.is_some_and(|next| next.level > it.level))
    };
    let parents: Vec<bool> = (0..topical.len()).map(is_parent).collect();
    let mut parents = parents.into_iter();
    topical.retain(|_| !parents.next().unwrap_or_default());
    topical
}
