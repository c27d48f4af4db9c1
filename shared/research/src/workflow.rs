//! The workflow: which step comes next for an article, by what there is already.
//!
//! Nothing is remembered between two steps but what they left behind, so that whoever goes on with
//! an article, after a crash or on another day, does what is missing and nothing else.
//!
//! ```
//! use nova_research::workflow::{Step, There};
//!
//! let mut there = There::default();
//! assert_eq!(there.next(3), Some(Step::Extract));
//! there.done.insert(Step::Extract);
//! // The guideline names nothing to be read: questions come next.
//! assert_eq!(there.next(3), Some(Step::Propose(1)));
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::guideline::Extraction;

/// One step. Rounds of research are counted from 1.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Step {
    /// Links are looked for in the guideline.
    Extract,
    /// The web pages that it names are read.
    ReadPages,
    /// The code that it names is read.
    ReadCode,
    /// The videos that it names are transcribed.
    Transcribe,
    /// Questions are proposed.
    Propose(u32),
    /// They are put to who searches.
    Search(u32),
    /// Of what was found the best is kept.
    Keep,
    /// Of what is kept the best is chosen to be read in full.
    Choose,
    /// It is read.
    ReadFound,
    /// The document is made of all that.
    Compile,
}

impl Step {
    /// The steps in their order, with so many rounds of questions.
    pub fn all(rounds: u32) -> impl Iterator<Item = Self> {
        let before = [
            Self::Extract,
            Self::ReadPages,
            Self::ReadCode,
            Self::Transcribe,
        ];
        let rounds = (1..=rounds).flat_map(|round| [Self::Propose(round), Self::Search(round)]);
        let after = [Self::Keep, Self::Choose, Self::ReadFound, Self::Compile];
        before.into_iter().chain(rounds).chain(after)
    }

    /// The tool that does it.
    pub const fn tool(self) -> &'static str {
        match self {
            Self::Extract => "extract_guidelines_urls",
            Self::ReadPages => "scrape_and_clean_other_urls",
            Self::ReadCode => "process_github_urls",
            Self::Transcribe => "transcribe_youtube_urls",
            Self::Propose(_) => "generate_next_queries",
            Self::Search(_) => "run_perplexity_research",
            Self::Keep => "select_research_sources_to_keep",
            Self::Choose => "select_research_sources_to_scrape",
            Self::ReadFound => "scrape_research_urls",
            Self::Compile => "create_research_file",
        }
    }

    /// The round that it belongs to.
    pub const fn round(self) -> Option<u32> {
        match self {
            Self::Propose(round) | Self::Search(round) => Some(round),
            _ => None,
        }
    }
}

/// What there is of an article, and what became of its steps.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct There {
    /// What the guideline names, once that was looked for.
    pub named: Extraction,
    /// The questions that were proposed, by round.
    pub proposed: BTreeMap<u32, Vec<String>>,
    /// How many sources were found.
    pub found: usize,
    /// How many of them are kept.
    pub kept: usize,
    /// How many of those were chosen to be read in full.
    pub chosen: usize,
    /// Steps that have done what there was to do.
    pub done: BTreeSet<Step>,
    /// Steps that were tried in vain, or are not wanted: not now.
    pub left_out: BTreeSet<Step>,
}

impl There {
    /// The step that comes next; `None` when the document is there.
    pub fn next(&self, rounds: u32) -> Option<Step> {
        Step::all(rounds).find(|step| self.is_due(*step))
    }

    fn is_due(&self, step: Step) -> bool {
        let open = !self.done.contains(&step) && !self.left_out.contains(&step);
        open && match step {
            Step::Extract | Step::Compile => true,
            Step::ReadPages => !self.named.other_urls.is_empty(),
            Step::ReadCode => !self.named.github_urls.is_empty(),
            Step::Transcribe => !self.named.youtube_videos_urls.is_empty(),
            // A round goes by what the one before it brought: when that ended in nothing, so would
            // this one. Questions that nobody will answer are not thought out.
            Step::Propose(round) => {
                let answers = Step::Search(round);
                !self.done.contains(&answers)
                    && !self.left_out.contains(&answers)
                    && (round == 1 || self.done.contains(&Step::Search(round - 1)))
            }
            Step::Search(round) => self.proposed.get(&round).is_some_and(|it| !it.is_empty()),
            Step::Keep => self.found > 0,
            Step::Choose => self.kept > 0,
            Step::ReadFound => self.chosen > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A guideline that names something of each kind.
    fn guideline() -> Extraction {
        Extraction {
            github_urls: vec!["https://github.com/acme/memory".to_owned()],
            youtube_videos_urls: vec!["https://www.youtube.com/watch?v=mem-in-talk".to_owned()],
            other_urls: vec!["https://a.example/".to_owned()],
            ..Extraction::default()
        }
    }

    /// Does step after step, as long as each brings what it should; the steps that were done.
    fn run(mut there: There, rounds: u32, fails: &[Step]) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(step) = there.next(rounds) {
            steps.push(step);
            if fails.contains(&step) {
                there.left_out.insert(step);
                continue;
            }
            there.done.insert(step);
            match step {
                Step::Extract => there.named = guideline(),
                Step::Propose(round) => {
                    there.proposed.insert(round, vec!["Why?".to_owned()]);
                }
                Step::Search(_) => there.found += 1,
                Step::Keep => there.kept = there.found,
                Step::Choose => there.chosen = 1,
                _ => {}
            }
            assert!(steps.len() < 50, "{steps:?}");
        }
        steps
    }

    #[test]
    fn every_step_comes_once_and_in_order() {
        let all: Vec<Step> = Step::all(3).collect();
        assert_eq!(run(There::default(), 3, &[]), all);
        assert_eq!(all.len(), 14);
    }

    #[test]
    fn what_there_is_nothing_for_is_passed_over() {
        let mut there = There::default();
        there.done.insert(Step::Extract);
        for step in [Step::Propose(1), Step::Search(1)] {
            there.left_out = BTreeSet::from([step]);
            assert_eq!(there.next(3), Some(Step::Compile), "without {step:?}");
        }
        there.done.insert(Step::Compile);
        assert_eq!(there.next(3), None);
    }

    #[test]
    fn a_round_that_fails_ends_the_rounds_and_what_was_found_before_is_still_judged() {
        let expected: Vec<Step> = Step::all(3)
            .filter(|step| !matches!(step, Step::Propose(3) | Step::Search(3)))
            .collect();
        assert_eq!(run(There::default(), 3, &[Step::Search(2)]), expected);
        let expected: Vec<Step> = Step::all(0)
            .filter(|step| !matches!(step, Step::Keep | Step::Choose | Step::ReadFound))
            .collect();
        assert_eq!(
            run(There::default(), 0, &[]),
            expected,
            "and without any, there is nothing to judge"
        );
    }

    #[test]
    fn a_guideline_that_gives_no_more_questions_ends_the_rounds() {
        let mut there = There {
            named: guideline(),
            ..There::default()
        };
        let done = [
            Step::Extract,
            Step::ReadPages,
            Step::ReadCode,
            Step::Transcribe,
            Step::Propose(1),
        ];
        there.done.extend(done);
        there.proposed.insert(1, Vec::new());
        assert_eq!(there.next(3), Some(Step::Compile));
    }

    #[test]
    fn more_rounds_for_a_whole_article_begin_behind_those_it_has() {
        let mut there = There {
            named: guideline(),
            found: 4,
            ..There::default()
        };
        // Questions of old rounds are forgotten after a day; that they were answered is not.
        there
            .done
            .extend(Step::all(2).filter(|step| !matches!(step, Step::Propose(_) | Step::Compile)));
        assert_eq!(there.next(2), Some(Step::Compile));
        assert_eq!(there.next(3), Some(Step::Propose(3)));
    }
}
