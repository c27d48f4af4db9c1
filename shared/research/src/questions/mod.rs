//! What to ask next, without a language model.
//!
//! First the questions that the guideline asks itself, in its order; then questions on the sections
//! that are covered least, each time from another side. No question is proposed that was asked
//! before, however it was spelled.

mod templates;

use std::collections::HashSet;

use serde::Deserialize;

use crate::{
    coverage::Covered,
    outline::{Outline, Section},
    query::Query,
    text::normal,
};

/// A search understands no longer ones.
pub const MAX_QUESTION_CHARS: usize = 400;
/// One sentence.
pub const MAX_REASON_CHARS: usize = 400;

/// A question and why it is worth asking.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Question {
    /// The question, for a search.
    pub question: String,
    /// Why, in one sentence.
    pub reason: String,
}

/// Questions that were asked or proposed, to tell those that are new.
#[derive(Clone, Debug, Default)]
pub struct Asked(HashSet<String>);

impl Asked {
    /// These were asked.
    pub fn new<'a>(questions: impl IntoIterator<Item = &'a str>) -> Self {
        Self(questions.into_iter().map(normal).collect())
    }

    /// Whether a question is new; it is not any more then. Case, punctuation and spaces make no
    /// other question.
    pub fn is_new(&mut self, question: &str) -> bool {
        let question = normal(question);
        !question.is_empty() && self.0.insert(question)
    }
}

/// Proposes up to `count` questions that were not asked; fewer only when the guideline gives no
/// more.
pub fn propose(
    outline: &Outline,
    coverage: &[Covered],
    asked: &mut Asked,
    count: usize,
) -> Vec<Question> {
    let mut proposed = Vec::new();
    for section in outline.sections() {
        for question in section.questions() {
            if proposed.len() < count && asked.is_new(question) {
                proposed.push(Question {
                    question: question.clone(),
                    reason: format!("The guideline asks it under “{}”.", section.title()),
                });
            }
        }
    }
    let mut open: Vec<(&Section, &Covered)> = outline.sections().iter().zip(coverage).collect();
    open.sort_by(|a, b| a.1.coverage.total_cmp(&b.1.coverage));
    for side in templates::sides(outline.is_english()) {
        for (section, covered) in &open {
            if proposed.len() >= count {
                return proposed;
            }
            let question = templates::question(side, outline.topic(), section);
            if asked.is_new(&question) {
                proposed.push(Question {
                    question,
                    reason: reason(covered),
                });
            }
        }
    }
    proposed
}

/// Of what a language model proposed up to `count` questions that can be asked: each one line, not
/// too long, and not asked before.
pub fn accept(
    proposed: impl IntoIterator<Item = Question>,
    asked: &mut Asked,
    count: usize,
) -> Vec<Question> {
    let fit = proposed.into_iter().filter_map(|it| {
        let question = Query::parse(&it.question).ok()?;
        asked.is_new(question.as_str()).then(|| Question {
            question: question.as_str().to_owned(),
            reason: sentence(&it.reason),
        })
    });
    fit.take(count).collect()
}

/// What a language model said, as one line without anything that no text has.
pub fn sentence(said: &str) -> String {
    let said = said.replace(|it: char| it.is_control() && !it.is_whitespace(), "");
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MAX_REASON_CHARS).collect()
}

fn reason(covered: &Covered) -> String {
    let section = &covered.section;
    let percent = covered.coverage * 100.0;
    let said = match covered.sources {
        0 => format!("Nothing stored so far says anything on “{section}”"),
        1 => format!("“{section}” is covered by one source only, to {percent:.0} %"),
        many => format!("“{section}” is covered to {percent:.0} % by {many} sources"),
    };
    if covered.missing.is_empty() {
        format!("{said}.")
    } else {
        format!("{said}; no source has: {}.", covered.missing.join(", "))
    }
}
