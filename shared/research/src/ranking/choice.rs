//! Ranks scored sources and draws the line.

use std::collections::HashMap;

use super::{Candidate, Scored, score};
use crate::outline::Outline;

/// How much a source's score counts beside what those before it say already.
const LAMBDA: f64 = 0.7;
/// Sources of one publisher that are kept.
const OF_A_PUBLISHER: usize = 3;
/// Of which so many are read in full before others have their turn.
const OF_A_PUBLISHER_IN_FULL: usize = 2;
/// A source that scores less is not worth a reader's time.
const MIN_SCORE: f64 = 0.35;
/// One that fits no section better is about something else, whoever wrote it.
const MIN_RELEVANCE: f64 = 0.12;
/// Two sources that are so similar say the same.
const SAME: f64 = 0.9;

/// What became of a source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It scores enough.
    Kept,
    /// It scores little, and is the best for this section, which would have nothing else.
    OnlyOne,
    /// It fits no section.
    Irrelevant,
    /// It fits, and others are better by far.
    Weak,
    /// It says the same as the source of this number.
    Repeats(i64),
    /// There are better ones of its publisher.
    TooManyOfOne,
}

/// A source with its place and the reason for it.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What speaks for it.
    pub scored: Scored,
    /// What became of it.
    pub standing: Standing,
    /// Why, in one sentence.
    pub reason: String,
}

impl Choice {
    /// Whether it is worth keeping.
    pub const fn is_kept(&self) -> bool {
        matches!(self.standing, Standing::Kept | Standing::OnlyOne)
    }
}

/// Ranks sources, the best first; `cited` are the addresses that the guideline names itself.
pub fn choose(outline: &Outline, cited: &[String], candidates: &[Candidate]) -> Vec<Choice> {
    let ranked = ranked(score(outline, cited, candidates));
    let mut standings: Vec<Standing> = Vec::with_capacity(ranked.len());
    let mut of_publisher: HashMap<&str, usize> = HashMap::new();
    for (scored, most_similar) in &ranked {
        let count = of_publisher.entry(&scored.publisher).or_default();
        let standing = match most_similar {
            _ if scored.relevance < MIN_RELEVANCE => Standing::Irrelevant,
            Some((similarity, number)) if *similarity >= SAME => Standing::Repeats(*number),
            _ if scored.score < MIN_SCORE => Standing::Weak,
            _ if *count >= OF_A_PUBLISHER => Standing::TooManyOfOne,
            _ => Standing::Kept,
        };
        if standing == Standing::Kept {
            *count += 1;
        }
        standings.push(standing);
    }
    fill_gaps(outline, &ranked, &mut standings);
    let chosen = ranked.into_iter().zip(standings);
    chosen
        .map(|((scored, _), standing)| Choice {
            reason: reason(outline, &scored, standing),
            scored,
            standing,
        })
        .collect()
}

/// Up to `count` of ranked sources, in their order, but a third one of a publisher only after all
/// that are the first or second of theirs.
pub fn most_diverse(choices: &[Choice], count: usize) -> Vec<&Choice> {
    let mut of_publisher: HashMap<&str, usize> = HashMap::new();
    let (mut first, mut further) = (Vec::new(), Vec::new());
    for choice in choices {
        let seen = of_publisher.entry(&choice.scored.publisher).or_default();
        *seen += 1;
        if *seen <= OF_A_PUBLISHER_IN_FULL {
            first.push(choice);
        } else {
            further.push(choice);
        }
    }
    first.append(&mut further);
    first.truncate(count);
    first
}

/// Sources by their marginal score, each with the one before it that it resembles most.
fn ranked(scored: Vec<Scored>) -> Vec<(Scored, Option<(f64, i64)>)> {
    let mut left: Vec<(Scored, Option<(f64, i64)>)> =
        scored.into_iter().map(|it| (it, None)).collect();
    // By number, so that equals keep their order.
    left.sort_by_key(|(scored, _)| scored.number);
    let mut ranked: Vec<(Scored, Option<(f64, i64)>)> = Vec::with_capacity(left.len());
    let marginal = |(scored, most): &(Scored, Option<(f64, i64)>)| {
        LAMBDA * scored.score - (1.0 - LAMBDA) * most.map_or(0.0, |it| it.0)
    };
    while !left.is_empty() {
        let best = left
            .iter()
            .enumerate()
            .max_by(|a, b| marginal(a.1).total_cmp(&marginal(b.1)).then(b.0.cmp(&a.0)));
        let Some((place, _)) = best else { break };
        let next = left.remove(place);
        for (scored, most) in &mut left {
            let similarity = scored.fingerprint.similarity(&next.0.fingerprint);
            if most.is_none_or(|(before, _)| similarity > before) {
                *most = Some((similarity, next.0.number));
            }
        }
        ranked.push(next);
    }
    ranked
}

/// A section for which nothing is kept gets the best there is, if that is about it at all.
fn fill_gaps(
    outline: &Outline,
    ranked: &[(Scored, Option<(f64, i64)>)],
    standings: &mut [Standing],
) {
    for section in 0..outline.sections().len() {
        let fit = |scored: &Scored| scored.sections.get(section).copied().unwrap_or_default();
        let is_kept = |it: &Standing| matches!(it, Standing::Kept | Standing::OnlyOne);
        let mut kept = ranked.iter().zip(&*standings).filter(|it| is_kept(it.1));
        if kept.any(|((scored, _), _)| fit(scored) >= MIN_RELEVANCE) {
            continue;
        }
        let best = ranked
            .iter()
            .enumerate()
            .filter(|(_, (scored, _))| fit(scored) >= MIN_RELEVANCE)
            .max_by(|a, b| fit(&a.1.0).total_cmp(&fit(&b.1.0)).then(b.0.cmp(&a.0)));
        if let Some(standing) = best.and_then(|(place, _)| standings.get_mut(place)) {
            *standing = Standing::OnlyOne;
        }
    }
}

fn reason(outline: &Outline, scored: &Scored, standing: Standing) -> String {
    let section = scored
        .best_section()
        .and_then(|place| outline.sections().get(place))
        .map_or("", |section| section.title());
    let percent = scored.relevance * 100.0;
    let publisher = match scored.authority {
        it if it >= 0.8 => ", from a publisher to rely on",
        it if it <= 0.3 => ", though anybody may write there",
        _ => "",
    };
    match standing {
        Standing::Kept => format!("Fits “{section}” ({percent:.0} %){publisher}."),
        Standing::OnlyOne => {
            format!("The best there is on “{section}” ({percent:.0} %){publisher}.")
        }
        Standing::Irrelevant => "Says too little on any section of the guideline.".to_owned(),
        Standing::Weak => {
            format!("Fits “{section}” ({percent:.0} %) less well than others{publisher}.")
        }
        Standing::Repeats(number) => format!("Says the same as source {number}."),
        Standing::TooManyOfOne => {
            format!(
                "{OF_A_PUBLISHER} better ones of {} are kept.",
                scored.publisher
            )
        }
    }
}
