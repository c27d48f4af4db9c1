//! What is left out before anything is judged: parts that are never the text, and those whose
//! names say that they are not.

use super::super::dom::{Attr, Dom, NodeId, Step, Tag};
use super::super::hidden::{is_hidden, is_idle_noscript};
use super::super::mask::Mask;
use super::stats::Stats;
use super::words::{Meaning, meaning};

/// What the names in a page say, by node.
pub(super) struct Names(Vec<Meaning>);

impl Names {
    pub(super) fn read(dom: &Dom) -> Self {
        let names = dom.ids().map(|id| match dom.element(id) {
            Some(element) if !matches!(element.tag, Tag::Body | Tag::Html) => {
                let class = element.attr(Attr::Class).unwrap_or_default();
                let own = element.attr(Attr::Id).unwrap_or_default();
                meaning(class, own)
            }
            _ => Meaning::default(),
        });
        Self(names.collect())
    }

    pub(super) fn of(&self, id: NodeId) -> Meaning {
        self.0.get(id.index()).copied().unwrap_or_default()
    }
}

/// Leaves out what a browser does not show and what is never part of a text.
pub(super) fn drop_parts(dom: &Dom, root: NodeId, dropped: &mut Mask) {
    let mut walk = dom.walk(root);
    while let Some(step) = walk.next() {
        let Step::Enter(id) = step else { continue };
        let Some(element) = dom.element(id) else {
            continue;
        };
        let drops = match element.tag {
            Tag::Script => element
                .attr(Attr::Type)
                .is_none_or(|it| !it.trim_start().starts_with("math/")),
            Tag::Style
            | Tag::Template
            | Tag::Svg
            | Tag::Canvas
            | Tag::Map
            | Tag::Object
            | Tag::Dialog
            | Tag::Select
            | Tag::Textarea
            | Tag::Progress
            | Tag::Nav
            | Tag::Footer
            | Tag::Menu
            | Tag::Head
            | Tag::Frameset => true,
            Tag::Noscript => is_idle_noscript(dom, id),
            _ => {
                is_hidden(element)
                    || element.attr(Attr::Role).is_some_and(|it| {
                        matches!(
                            it.to_ascii_lowercase().as_str(),
                            "navigation"
                                | "complementary"
                                | "contentinfo"
                                | "search"
                                | "dialog"
                                | "alertdialog"
                                | "menu"
                                | "menubar"
                                | "toolbar"
                        )
                    })
            }
        };
        if drops {
            dropped.insert(id);
            walk.pass_over(id);
        }
    }
}

/// Forms, page headers and boxes of comments, if most of the page is not in them.
pub(super) fn drop_minor(
    dom: &Dom,
    root: NodeId,
    names: &Names,
    stats: &[Stats],
    dropped: &mut Mask,
) {
    let total = stats[root.index()].text;
    let mut in_article = 0_usize;
    let mut walk = dom.walk(root);
    while let Some(step) = walk.next() {
        match step {
            Step::Enter(id) => {
                let tag = dom.tag(id);
                let own = stats[id.index()];
                let drops = match tag {
                    Tag::Form | Tag::Fieldset => own.text * 2 < total,
                    Tag::Aside => {
                        own.paragraph_text * 2 < stats[root.index()].paragraph_text.max(1)
                    }
                    Tag::Header => in_article == 0 && own.text * 4 < total,
                    Tag::Div | Tag::Section | Tag::Ol | Tag::Ul | Tag::Details => {
                        names.of(id).comments && own.text * 4 < total * 3
                    }
                    _ => false,
                };
                if drops || dropped.contains(id) {
                    dropped.insert(id);
                    walk.pass_over(id);
                    // The walk leaves it as well.
                    in_article += usize::from(matches!(tag, Tag::Article | Tag::Main));
                } else {
                    in_article += usize::from(matches!(tag, Tag::Article | Tag::Main));
                }
            }
            Step::Leave(id) => {
                in_article -= usize::from(matches!(dom.tag(id), Tag::Article | Tag::Main));
            }
        }
    }
}

/// Leaves out what is named as furniture, unless that would be nearly all.
pub(super) fn drop_furniture(
    dom: &Dom,
    frame: NodeId,
    names: &Names,
    stats: &[Stats],
    dropped: &mut Mask,
) {
    let total = stats[frame.index()].text;
    let paragraphs = stats[frame.index()].paragraph_text;
    let mut found = Vec::new();
    let mut removed = 0;
    let mut walk = dom.walk(frame);
    while let Some(step) = walk.next() {
        let Step::Enter(id) = step else { continue };
        if dropped.contains(id) {
            walk.pass_over(id);
            continue;
        }
        let tag = dom.tag(id);
        let named = id != frame
            && matches!(
                tag,
                Tag::Div
                    | Tag::P
                    | Tag::Section
                    | Tag::Other
                    | Tag::Li
                    | Tag::Ul
                    | Tag::Ol
                    | Tag::Dl
                    | Tag::Time
                    | Tag::Address
            )
            && {
                let name = names.of(id);
                // A teaser without a link is the first paragraph.
                name.furniture || name.comments || name.teaser && stats[id.index()].links > 0
            };
        // Nobody puts most of a text into a thing of that name, but some wrap it in one.
        let own = stats[id.index()];
        if named && (own.text * 2 < total.max(1) || own.paragraph_text * 5 < paragraphs) {
            removed += stats[id.index()].text;
            found.push(id);
            walk.pass_over(id);
        }
    }
    if removed * 7 < total * 6 {
        for id in found {
            dropped.insert(id);
        }
    }
}
