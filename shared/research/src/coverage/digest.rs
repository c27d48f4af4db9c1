//! What is stored, in as many words as a language model is to read.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::{Covered, Library, Text};
use crate::{outline::Outline, text::tokens};

/// Half of the budget says what each source is, the rest what they say of the open sections.
const SHARE_OF_HEADS: usize = 2;
/// So many headings of a source are named.
const HEADINGS: usize = 12;
/// So much is given of its beginning.
const BEGINNING_CHARS: usize = 280;
/// So many passages are given of a section.
const PASSAGES: usize = 4;

impl Library {
    /// An extract of at most about so many tokens: what each text is, then the passages that say
    /// most about the sections, the least covered first. What does not fit is counted at the end.
    pub fn digest(&self, outline: &Outline, coverage: &[Covered], budget_tokens: usize) -> String {
        let mut digest = Digest {
            text: String::new(),
            left: budget_tokens / SHARE_OF_HEADS,
        };
        let mut told = 0;
        for text in &self.texts {
            if !digest.push(&head(text)) {
                break;
            }
            told += 1;
        }
        digest.left += budget_tokens - budget_tokens / SHARE_OF_HEADS;

        let mut sections: Vec<_> = outline.sections().iter().zip(coverage).collect();
        sections.sort_by(|a, b| a.1.coverage.total_cmp(&b.1.coverage));
        let mut given = HashSet::new();
        for (section, _) in sections {
            let best = self.best_of_each_text(section);
            for (number, _) in best.into_iter().take(PASSAGES) {
                if let Some((text, passage)) = self.passage(number)
                    && given.insert(number)
                {
                    let title = self.texts.get(text).map_or("", |text| text.title.as_str());
                    let said = passage.split_whitespace().collect::<Vec<_>>().join(" ");
                    digest.push(&format!("From {}: {said}\n", one_line(title)));
                }
            }
        }
        let left_out = self.texts.len() - told;
        if left_out > 0 {
            let _ = writeln!(digest.text, "({left_out} further texts are not listed.)");
        }
        digest.text
    }
}

struct Digest {
    text: String,
    left: usize,
}

impl Digest {
    /// Adds a piece if it fits.
    fn push(&mut self, piece: &str) -> bool {
        let tokens = tokens(piece);
        let fits = tokens <= self.left;
        if fits {
            self.left -= tokens;
            self.text.push_str(piece);
        }
        fits
    }
}

/// What a text is: its title, its headings, how it begins.
fn head(text: &Text) -> String {
    let mut head = format!("Text {}\n", one_line(&text.title));
    let lines = || text.body.lines().map(str::trim).filter(|it| !it.is_empty());
    let headings: Vec<String> = lines()
        .filter(|line| line.starts_with('#'))
        .take(HEADINGS)
        .map(|line| one_line(line.trim_start_matches('#')))
        .collect();
    if !headings.is_empty() {
        let _ = writeln!(head, "  Headings: {}", headings.join(" | "));
    }
    let beginning: Vec<&str> = lines()
        .filter(|line| !line.starts_with('#'))
        .take(4)
        .collect();
    let beginning: String = beginning.join(" ").chars().take(BEGINNING_CHARS).collect();
    let _ = writeln!(head, "  Begins: {beginning}");
    head
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(160).collect()
}
