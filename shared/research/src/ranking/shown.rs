//! Candidates as a language model is shown them, and what room its choice has.

use std::{collections::HashSet, fmt::Write as _};

use super::{Candidate, Choice, joined};
use crate::{
    coverage::{Library, Text},
    outline::Outline,
    prompt::{Fence, GUIDELINE_TOKENS, Material, fenced},
    text::{tokens, within},
};

/// What a model reads of the candidates, in tokens: with a guideline and the instructions it is less than
/// 60,000.
pub const SOURCES_TOKENS: usize = 45_000;
/// What stands above the answers, at most: of a candidate that says a lot about itself, its beginning.
const HEAD_TOKENS: usize = 160;
/// A source is judged by so much at least.
const FEWEST_TOKENS: usize = 60;
/// What whoever puts it into a prompt writes around it.
const FENCE_TOKENS: usize = 25;
/// So much is shown of a title, a question, an address.
const LINE_CHARS: usize = 200;
/// So many of the questions that it answers.
const QUESTIONS: usize = 4;

/// More are left to the ranking.
const MOST: usize = 200;

/// The largest number that a choice may name. Those beyond what is there are left out of it, and do not
/// make it worthless.
pub const MAX_NUMBER: i64 = 999_999;
/// A reason of twenty words and a number, as JSON.
const CHOSEN_TOKENS: usize = 80;
/// What is written around all of them.
const CHOICE_TOKENS: usize = 200;

/// The longest answer that chooses among so many candidates, in tokens.
pub fn answer_tokens(candidates: usize) -> u32 {
    u32::try_from(CHOICE_TOKENS + CHOSEN_TOKENS * candidates).unwrap_or(u32::MAX)
}

/// What a choice goes by, as parts of a prompt: the guideline, and what is shown of each candidate.
pub fn material(guideline: String, shown: Vec<(i64, String)>) -> (Fence, Vec<String>) {
    let guideline = Material::new("The guideline of the article", "guideline", guideline)
        .at_most(GUIDELINE_TOKENS);
    let sources = shown
        .into_iter()
        .map(|(number, text)| Material::new(format!("Source {number}"), "source", text));
    fenced([guideline].into_iter().chain(sources))
}

/// The best of ranked candidates, by number: what each is, and of what it answers the passages that
/// say most about the guideline. About so many tokens all together, with what is written around each.
pub fn shown(
    outline: &Outline,
    candidates: &[Candidate],
    ranked: &[Choice],
    budget_tokens: usize,
) -> Vec<(i64, String)> {
    let most = budget_tokens / (HEAD_TOKENS + FEWEST_TOKENS + FENCE_TOKENS);
    let best: HashSet<i64> = ranked
        .iter()
        .take(most.min(MOST))
        .map(|it| it.scored.number)
        .collect();
    let is_best = |it: &&Candidate| best.contains(&it.number);
    let mut library = Library::new();
    for candidate in candidates.iter().filter(is_best) {
        library.add(Text {
            title: candidate.url.clone(),
            body: joined(&candidate.answers),
        });
    }
    let share = budget_tokens / best.len().max(1);
    let share = share.saturating_sub(FENCE_TOKENS);
    let says = library.extracts(outline, share);
    let all = candidates.iter().filter(is_best).zip(says);
    let mut shown: Vec<(i64, String)> = all
        .map(|(candidate, says)| (candidate.number, one(candidate, &says, share)))
        .collect();
    shown.sort_by_key(|(number, _)| *number);
    shown
}

/// In so many tokens: what its head leaves is for what it says.
fn one(candidate: &Candidate, says: &str, budget_tokens: usize) -> String {
    let mut shown = format!("Address: {}\n", line(&candidate.url));
    let of_itself = [
        ("Title", &candidate.title),
        ("Published", &candidate.published),
    ];
    // Writing to a String cannot fail.
    for (name, said) in of_itself {
        if let Some(said) = said {
            writeln!(shown, "{name}: {}", line(said)).ok();
        }
    }
    let questions = candidate.questions.iter().take(QUESTIONS);
    let questions: Vec<String> = questions.map(|it| line(it)).collect();
    if !questions.is_empty() {
        writeln!(shown, "Found for: {}", questions.join(" | ")).ok();
    }
    let head = within(&shown, HEAD_TOKENS).trim_end();
    let head = format!("{head}\nSays: ");
    let left = budget_tokens.saturating_sub(tokens(&head));
    head + within(says, left)
}

fn line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(LINE_CHARS).collect()
}
