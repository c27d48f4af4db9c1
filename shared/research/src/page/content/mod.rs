//! The main content of a page.

mod cues;
mod frame;
mod prune;
mod stats;
mod strip;
mod words;

use super::dom::{Dom, NodeId, Tag};
use super::mask::Mask;
use strip::Names;

/// The part of a page that is its text.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) roots: Vec<NodeId>,
    pub(super) dropped: Mask,
}

/// Less than this many characters are no text yet: a wider look is taken.
const ENOUGH: u32 = 250;

/// Finds the main content.
pub(super) fn main_content(dom: &Dom) -> Content {
    let body = dom.find(Dom::ROOT, Tag::Body).unwrap_or(Dom::ROOT);
    let names = Names::read(dom);
    let mut base = Mask::of(dom);
    strip::drop_parts(dom, body, &mut base);
    let stats = stats::count(dom, body, &base);
    strip::drop_minor(dom, body, &names, &stats, &mut base);
    let stats = stats::count(dom, body, &base);

    let mut best: Option<(u32, NodeId, Mask)> = None;
    let scored = frame::scored(dom, body, &names, &stats, &base);
    let scored_text = scored.map_or(0, |it| stats[it.index()].paragraph_text);
    let candidates = frame::named(dom, body, &names, &base);
    for candidate in candidates {
        // A name on something small, beside a text that is not in it.
        if stats[candidate.index()].text < ENOUGH || stats[candidate.index()].text * 3 < scored_text
        {
            continue;
        }
        let (text, dropped) = prune(dom, candidate, &names, &stats, &base);
        if text >= ENOUGH && text * 3 > scored_text {
            return content(candidate, dropped);
        }
    }
    if let Some(scored) = scored {
        let frame = frame::widened(dom, scored, body, &stats);
        let (text, dropped) = prune(dom, frame, &names, &stats, &base);
        if text >= ENOUGH {
            return content(frame, dropped);
        }
        best = Some((text, frame, dropped));
    }
    let (text, dropped) = prune(dom, body, &names, &stats, &base);
    if best.as_ref().is_none_or(|it| text > it.0 * 2) {
        best = Some((text, body, dropped));
    }
    match best {
        Some((text, frame, dropped)) if text >= 60 => content(frame, dropped),
        _ => content(body, base),
    }
}

fn content(frame: NodeId, dropped: Mask) -> Content {
    Content {
        roots: vec![frame],
        dropped,
    }
}

/// Leaves out of a frame what is no text, and says how much is left.
fn prune(
    dom: &Dom,
    frame: NodeId,
    names: &Names,
    stats: &[stats::Stats],
    base: &Mask,
) -> (u32, Mask) {
    let mut dropped = base.clone();
    strip::drop_furniture(dom, frame, names, stats, &mut dropped);
    prune::drop_links(dom, frame, &mut dropped);
    prune::drop_empty_headings(dom, frame, &mut dropped);
    let left = stats::count(dom, frame, &dropped);
    (left[frame.index()].text, dropped)
}
