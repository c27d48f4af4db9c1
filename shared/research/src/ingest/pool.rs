//! The texts that may be included, as long as nobody knows which will be.
//!
//! In memory is what the budget has room for, several times over, and not the repository: whenever
//! there is more, the choice is made as if no more files came. A file that further files could only
//! push out is let go of, and of the others what they could get at most is kept.

use std::collections::BTreeMap;

use super::budget::{Wish, shares};
use super::rank::{Rank, Tier};
use super::{Lines, tokens};

/// Bytes of text that are kept before the choice is made, at least.
const MAX_BYTES: usize = 8 << 20;
/// Of a larger budget, bytes for a token: twice what most tokens have.
const BYTES_OF_TOKEN: usize = 8;

/// A text that may be included.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) path: String,
    /// The text, or the beginning of it.
    pub(super) text: String,
    /// The lines that the URL names, and what they are.
    pub(super) part: Option<(Lines, String)>,
    /// Lines of all of it.
    pub(super) lines: usize,
    /// Tokens of all of it.
    pub(super) tokens: usize,
    /// Whether all of it is there.
    pub(super) is_whole: bool,
}

/// The candidates, in their order.
pub(super) struct Pool {
    candidates: BTreeMap<Rank, Candidate>,
    bytes: usize,
    budget: usize,
}

impl Pool {
    pub(super) fn new(budget: usize) -> Self {
        Self {
            candidates: BTreeMap::new(),
            bytes: 0,
            budget,
        }
    }

    pub(super) fn add(&mut self, rank: Rank, path: &str, text: String, lines: Option<Lines>) {
        let part = lines.map(|lines| (lines, lines.of(&text, self.budget / 2)));
        let candidate = Candidate {
            path: path.to_owned(),
            part: part.filter(|(_, text)| !text.is_empty()),
            lines: tokens::lines(&text),
            tokens: tokens::estimate(&text),
            is_whole: true,
            text,
        };
        self.bytes += candidate.text.len();
        self.candidates.insert(rank, candidate);
        if self.bytes > MAX_BYTES.max(self.budget * BYTES_OF_TOKEN) {
            self.make_room();
        }
    }

    /// Those that may be included so far.
    pub(super) fn paths(&self) -> Vec<(String, Tier)> {
        let all = self.candidates.iter();
        all.map(|(rank, it)| (it.path.clone(), rank.tier)).collect()
    }

    /// Lets go of those that are not to be included.
    pub(super) fn retain(&mut self, is_included: impl Fn(&str) -> bool) {
        self.candidates.retain(|_, it| is_included(&it.path));
    }

    /// What is included, with the part of it that there is room for.
    pub(super) fn choose(mut self, budget: usize) -> Vec<Candidate> {
        let shares = self.shares(budget);
        let mut candidates: Vec<_> = std::mem::take(&mut self.candidates).into_values().collect();
        candidates.truncate(shares.len());
        for (candidate, share) in candidates.iter_mut().zip(shares) {
            candidate.shorten(share);
        }
        candidates
    }

    fn shares(&self, budget: usize) -> Vec<usize> {
        let wishes: Vec<Wish> = self
            .candidates
            .iter()
            .map(|(rank, candidate)| Wish {
                tokens: candidate.tokens,
                least: rank.tier.least(),
            })
            .collect();
        shares(&wishes, budget)
    }

    fn make_room(&mut self) {
        let shares = self.shares(self.budget);
        if let Some(first) = self.candidates.keys().nth(shares.len()).cloned() {
            drop(self.candidates.split_off(&first));
        }
        for (candidate, share) in self.candidates.values_mut().zip(shares) {
            // Twice: when a file in the middle is pushed out, the others get what it had.
            candidate.shorten(2 * share);
            candidate.text.shrink_to_fit();
        }
        self.bytes = self.candidates.values().map(|it| it.text.len()).sum();
    }
}

impl Candidate {
    fn shorten(&mut self, share: usize) {
        if share < self.tokens {
            let length = tokens::first(&self.text, share).len();
            self.is_whole &= length == self.text.len();
            self.text.truncate(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(pool: &mut Pool, files: usize, lines: usize) {
        for number in 0..files {
            let path = format!("src/{number:05}.rs");
            let text = format!("fn line() {{}} // {number}\n").repeat(lines);
            pool.add(Rank::new(&path, 1, ""), &path, text, None);
        }
    }

    #[test]
    fn what_is_let_go_of_early_would_not_have_been_chosen() {
        let chosen = |at_once: bool| {
            let mut pool = Pool::new(10_000);
            fill(&mut pool, 400, 50);
            if !at_once {
                pool.make_room();
            }
            let chosen = pool.choose(9000);
            chosen
                .iter()
                .map(|it| (it.path.clone(), it.text.len(), it.lines))
                .collect::<Vec<_>>()
        };
        assert_eq!(chosen(true), chosen(false));
        assert!(chosen(true).len() > 10);
    }

    #[test]
    fn a_repository_of_any_size_needs_little_memory() {
        let mut pool = Pool::new(60_000);
        fill(&mut pool, 20_000, 100);
        assert!(pool.bytes <= MAX_BYTES);
        let chosen = pool.choose(60_000);
        assert_eq!(chosen.first().unwrap().path, "src/00000.rs");
        let tokens: usize = chosen.iter().map(|it| tokens::estimate(&it.text)).sum();
        assert!((50_000..=60_000).contains(&tokens), "{tokens}");
    }
}
