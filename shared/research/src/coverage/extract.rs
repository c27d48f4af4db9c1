//! The passages of a text that say most about an outline.

use super::Library;
use crate::{
    outline::Outline,
    text::{tokens, within},
};

/// Stands where something was left out.
const GAP: &str = " […] ";

impl Library {
    /// Of each text the passages that say most about any section, in their order and as one line of
    /// at most about so many tokens.
    pub fn extracts(&self, outline: &Outline, budget_tokens: usize) -> Vec<String> {
        let mut relevance = vec![0.0_f64; self.passages.len()];
        for section in outline.sections() {
            let matches = self.index.matches(section.terms());
            for (most, score) in relevance.iter_mut().zip(matches) {
                *most = most.max(score);
            }
        }
        let mut of_texts: Vec<Vec<(usize, f64)>> = vec![Vec::new(); self.texts.len()];
        for (number, (passage, score)) in self.passages.iter().zip(relevance).enumerate() {
            if let Some(passages) = of_texts.get_mut(passage.text) {
                passages.push((number, score));
            }
        }
        let of_texts = of_texts.into_iter();
        of_texts
            .map(|passages| self.extract(passages, budget_tokens))
            .collect()
    }

    fn extract(&self, mut passages: Vec<(usize, f64)>, budget_tokens: usize) -> String {
        passages.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let (mut left, mut taken) = (budget_tokens, Vec::new());
        for (number, _) in passages {
            let Some((_, passage)) = self.passage(number) else {
                continue;
            };
            let line = passage.split_whitespace().collect::<Vec<_>>().join(" ");
            let fitting = within(&line, left);
            left -= tokens(fitting);
            let is_whole = fitting.len() == line.len();
            taken.push((number, is_whole, fitting.to_owned()));
            if !is_whole {
                break;
            }
        }
        taken.sort_by_key(|(number, ..)| *number);
        let mut extract = String::new();
        let mut next = taken.first().map_or(0, |(number, ..)| *number);
        for (number, is_whole, line) in taken {
            if !extract.is_empty() {
                extract.push_str(if number == next { " " } else { GAP });
            }
            extract.push_str(&line);
            next = if is_whole { number + 1 } else { usize::MAX };
        }
        extract
    }
}
