//! A guideline in as many words as a language model is to read.

use std::fmt::Write as _;

use super::Outline;
use crate::{guideline::Guideline, text::tokens};

impl Outline {
    /// The guideline itself where it has at most about so many tokens. Else what its sections ask
    /// and speak of, each as far as all of them fit.
    pub fn brief(&self, guideline: &Guideline, budget_tokens: usize) -> String {
        if tokens(guideline.as_str()) <= budget_tokens {
            return guideline.as_str().to_owned();
        }
        let mut brief = format!("# {}\n", self.topic);
        let share = budget_tokens / self.sections.len().max(1);
        for section in &self.sections {
            let mut left = share;
            let questions = section.questions.iter().map(|it| format!("- {it}\n"));
            let phrases = section.phrases.iter().map(|it| format!("- on: {it}\n"));
            // Writing to a String cannot fail.
            writeln!(brief, "\n## {}", section.title).ok();
            for line in questions.chain(phrases) {
                let needs = tokens(&line);
                if needs <= left {
                    left -= needs;
                    brief.push_str(&line);
                }
            }
        }
        brief
    }
}
