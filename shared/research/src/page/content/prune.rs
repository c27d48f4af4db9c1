//! What is left out of the text itself: lists of links, lonely links, headings of nothing.

use super::super::dom::{Dom, NodeId, Step, Tag};
use super::super::mask::Mask;
use super::cues::{self, Cue};
use super::stats::{self, Stats};

/// Leaves out what is mostly links.
pub(super) fn drop_links(dom: &Dom, frame: NodeId, dropped: &mut Mask) {
    for _ in 0..2 {
        let stats = stats::count(dom, frame, dropped);
        let mut found = Vec::new();
        let mut walk = dom.walk(frame);
        while let Some(step) = walk.next() {
            let Step::Enter(id) = step else { continue };
            if dropped.contains(id) {
                walk.pass_over(id);
                continue;
            }
            if id != frame && (is_links(dom, id, &stats) || leads_away(dom, id, &stats)) {
                found.push(id);
                walk.pass_over(id);
            }
        }
        for id in found {
            dropped.insert(id);
        }
    }
}

fn is_links(dom: &Dom, id: NodeId, stats: &[Stats]) -> bool {
    let own = stats[id.index()];
    if own.links == 0 || own.images > 0 || own.code > 0 {
        return false;
    }
    let tag = dom.tag(id);
    let is_last = std::iter::successors(dom.next(id), |&it| dom.next(it))
        .take(8)
        .all(|it| stats[it.index()].text == 0);
    let limit = match tag {
        Tag::P if is_last => 60,
        Tag::P => 30,
        Tag::Div | Tag::Section | Tag::Ul | Tag::Ol | Tag::Dl if is_last => 300,
        Tag::Div | Tag::Section | Tag::Ul | Tag::Ol | Tag::Dl => 100,
        Tag::Table => {
            return own.text >= 200
                && own.link_text * 10 > own.text * if own.text < 1000 { 8 } else { 5 };
        }
        _ => return false,
    };
    if tag == Tag::P
        && dom
            .parent(id)
            .is_some_and(|it| matches!(dom.tag(it), Tag::Li | Tag::Td | Tag::Th))
    {
        return false;
    }
    if own.links == 1 && own.longest_link > 100 && own.longest_link * 10 > own.text * 9 {
        return true;
    }
    if own.text < limit {
        return own.link_text * 10 > own.text * 8
            || own.links > 1 && own.short_links * 10 > own.links * 8
            || matches!(tag, Tag::Div | Tag::Section) && own.text < 100 && own.blocks >= 3;
    }
    own.links > 4 && own.link_text * 10 > own.text * 9 && own.link_text < 100 * own.links
}

/// Whether a line is about something else than the text.
fn leads_away(dom: &Dom, id: NodeId, stats: &[Stats]) -> bool {
    let own = stats[id.index()];
    let tag = dom.tag(id);
    if !tag.is_block() || own.blocks > 0 || own.text == 0 || own.text > cues::LONGEST {
        return false;
    }
    let text = dom.text_of(id);
    match cues::cue(&text) {
        Some(Cue::Elsewhere(rest)) => {
            rest < 4
                || own.link_text * 2 > own.text
                || tag.heading().is_some() && rest < 40
                || text.contains(':') && is_marked(dom, id)
        }
        Some(Cue::Origin) => own.text < 100,
        None => false,
    }
}

/// Whether all of a line is strong or slanted.
fn is_marked(dom: &Dom, id: NodeId) -> bool {
    let mut children = dom
        .children(id)
        .filter(|&it| dom.text(it).is_none_or(|it| !it.trim().is_empty()));
    let first = children.next();
    children.next().is_none()
        && first.is_some_and(|it| matches!(dom.tag(it), Tag::Strong | Tag::B | Tag::Em | Tag::I))
}

/// Leaves out headings below which nothing is left.
pub(super) fn drop_empty_headings(dom: &Dom, frame: NodeId, dropped: &mut Mask) {
    let mut waiting: Vec<(usize, NodeId)> = Vec::new();
    let mut empty = Vec::new();
    // Whether something was left out since the last heading.
    let mut gap = false;
    let mut walk = dom.walk(frame);
    while let Some(step) = walk.next() {
        let Step::Enter(id) = step else { continue };
        if dropped.contains(id) {
            gap = true;
            walk.pass_over(id);
            continue;
        }
        if let Some(level) = dom.tag(id).heading() {
            if gap {
                while let Some((above, heading)) = waiting.pop_if(|(above, _)| *above >= level) {
                    let _ = above;
                    empty.push(heading);
                }
            } else {
                waiting.clear();
            }
            gap = false;
            waiting.push((level, id));
            walk.pass_over(id);
        } else if dom.text(id).is_some_and(|it| !it.trim().is_empty())
            || matches!(dom.tag(id), Tag::Img | Tag::Math | Tag::Video)
        {
            waiting.clear();
            gap = false;
        }
    }
    // At the end nothing follows, left out or not.
    empty.extend(waiting.into_iter().map(|(_, it)| it));
    for id in empty {
        dropped.insert(id);
    }
}
