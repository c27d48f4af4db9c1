//! Where the text of a page is: the smallest element that holds it.

use super::super::dom::{Attr, Dom, NodeId, Step, Tag};
use super::super::mask::Mask;
use super::stats::Stats;
use super::strip::Names;

/// Elements that are named for the text or made for it, the surest first.
pub(super) fn named(dom: &Dom, body: NodeId, names: &Names, dropped: &Mask) -> Vec<NodeId> {
    let mut found: [Option<NodeId>; 5] = [None; 5];
    let mut walk = dom.walk(body);
    while let Some(step) = walk.next() {
        let Step::Enter(id) = step else { continue };
        if dropped.contains(id) {
            walk.pass_over(id);
            continue;
        }
        let Some(element) = dom.element(id) else {
            continue;
        };
        if !matches!(
            element.tag,
            Tag::Article | Tag::Div | Tag::Main | Tag::Section | Tag::Td
        ) {
            continue;
        }
        let mut rank = names.of(id).content;
        let mut at_least = |it: u8| rank = Some(rank.map_or(it, |rank| rank.min(it)));
        if element
            .attr(Attr::Itemprop)
            .is_some_and(|it| it.eq_ignore_ascii_case("articleBody"))
        {
            at_least(0);
        }
        if element.tag == Tag::Article {
            at_least(1);
        }
        if element.attr(Attr::Role) == Some("article") {
            at_least(2);
        }
        if element.tag == Tag::Main || element.attr(Attr::Role) == Some("main") {
            at_least(4);
        }
        if let Some(slot) = rank.and_then(|it| found.get_mut(usize::from(it))) {
            slot.get_or_insert(id);
        }
    }
    found.into_iter().flatten().collect()
}

/// How much of a paragraph counts for what it is in, what that is in, and so on.
const SHARES: [f64; 4] = [1.0, 0.5, 1.0 / 6.0, 1.0 / 9.0];

/// The element whose paragraphs say the most, as Arc90's Readability finds it.
pub(super) fn scored(
    dom: &Dom,
    body: NodeId,
    names: &Names,
    stats: &[Stats],
    dropped: &Mask,
) -> Option<NodeId> {
    let mut scores = vec![0.0_f64; dom.len()];
    let mut walk = dom.walk(body);
    while let Some(step) = walk.next() {
        let Step::Enter(id) = step else { continue };
        if dropped.contains(id) {
            walk.pass_over(id);
            continue;
        }
        let own = stats[id.index()];
        let tag = dom.tag(id);
        let is_paragraph = match tag {
            Tag::P | Tag::Pre | Tag::Blockquote | Tag::Td => true,
            Tag::Div | Tag::Section | Tag::Li | Tag::Dd => own.blocks == 0,
            _ => false,
        };
        if !is_paragraph || own.text < 25 {
            continue;
        }
        let text = own.text - own.link_text.min(own.text);
        let score = 1.0 + f64::from(own.commas) + (f64::from(text) / 100.0).min(3.0);
        for (above, share) in dom.ancestors(id).skip(1).zip(SHARES) {
            scores[above.index()] += score * share;
            if above == body {
                break;
            }
        }
    }
    let mut best: Option<(NodeId, f64)> = None;
    for id in dom.ids() {
        let score = scores[id.index()];
        if score <= 0.0 {
            continue;
        }
        let bonus = match dom.tag(id) {
            Tag::Article | Tag::Main => 15.0,
            Tag::Div | Tag::Section => 5.0,
            Tag::Ol | Tag::Ul | Tag::Dl | Tag::Form | Tag::Li => -3.0,
            _ => 0.0,
        } + match names.of(id) {
            it if it.content.is_some() => 25.0,
            it if it.furniture || it.comments => -25.0,
            _ => 0.0,
        };
        let score = (score + bonus) * (1.0 - stats[id.index()].link_density());
        if best.is_none_or(|(_, it)| score > it) {
            best = Some((id, score));
        }
    }
    best.map(|(id, _)| id)
}

/// The nearest element around one that holds a good deal more text of the same kind: texts are
/// often cut into several boxes.
pub(super) fn widened(dom: &Dom, found: NodeId, body: NodeId, stats: &[Stats]) -> NodeId {
    let mut frame = found;
    for above in dom.ancestors(found).skip(1).take(6) {
        if above == body || dom.tag(above) == Tag::Body {
            break;
        }
        let (inner, outer) = (stats[frame.index()], stats[above.index()]);
        let gained = outer.paragraph_text.saturating_sub(inner.paragraph_text);
        let gained_links = outer.link_text.saturating_sub(inner.link_text);
        let gained_text = outer.text.saturating_sub(inner.text).max(1);
        if gained * 5 > inner.text && gained_links * 3 < gained_text {
            frame = above;
        } else if outer.text > inner.text + inner.text / 10 {
            break;
        }
    }
    frame
}
