//! How much text and how many links each element holds.

use super::super::dom::{Attr, Dom, NodeId, Step, Tag};
use super::super::mask::Mask;

/// What an element holds, without what is left out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stats {
    /// Characters of text; a run of white space is one.
    pub(super) text: u32,
    /// Those in links.
    pub(super) link_text: u32,
    /// Those in paragraphs.
    pub(super) paragraph_text: u32,
    /// Links with text.
    pub(super) links: u32,
    /// Those of them with few letters.
    pub(super) short_links: u32,
    /// Characters of the longest link.
    pub(super) longest_link: u32,
    pub(super) commas: u32,
    pub(super) images: u32,
    pub(super) code: u32,
    pub(super) blocks: u32,
    pub(super) headings: u32,
}

impl Stats {
    fn add(&mut self, other: &Self) {
        self.text += other.text;
        self.link_text += other.link_text;
        self.paragraph_text += other.paragraph_text;
        self.links += other.links;
        self.short_links += other.short_links;
        self.longest_link = self.longest_link.max(other.longest_link);
        self.commas += other.commas;
        self.images += other.images;
        self.code += other.code;
        self.blocks += other.blocks;
        self.headings += other.headings;
    }

    /// The part of the text that is in links.
    pub(super) fn link_density(&self) -> f64 {
        if self.text == 0 {
            return 0.0;
        }
        f64::from(self.link_text) / f64::from(self.text)
    }
}

/// Counts in all elements below one.
pub(super) fn count(dom: &Dom, root: NodeId, dropped: &Mask) -> Vec<Stats> {
    let mut all = vec![Stats::default(); dom.len()];
    let mut walk = dom.walk(root);
    while let Some(step) = walk.next() {
        match step {
            Step::Enter(id) if dropped.contains(id) => walk.pass_over(id),
            Step::Enter(id) => {
                if let Some(text) = dom.text(id) {
                    all[id.index()] = of_text(text);
                }
            }
            Step::Leave(id) => {
                let mut own = all[id.index()];
                if let Some(element) = dom.element(id) {
                    match element.tag {
                        Tag::A if element.attr(Attr::Href).is_some() && own.text > 0 => {
                            own.link_text = own.text;
                            own.links = 1;
                            own.short_links = u32::from(own.text < 10);
                            own.longest_link = own.text;
                        }
                        Tag::P | Tag::Blockquote => own.paragraph_text = own.text,
                        Tag::Img | Tag::Picture | Tag::Figure => own.images += 1,
                        Tag::Pre | Tag::Code => own.code += 1,
                        _ => {}
                    }
                    all[id.index()] = own;
                    own.headings += u32::from(element.tag.heading().is_some());
                    own.blocks += u32::from(element.tag.is_block());
                }
                if id != root
                    && let Some(parent) = dom.parent(id)
                {
                    all[parent.index()].add(&own);
                }
            }
        }
    }
    all
}

fn of_text(text: &str) -> Stats {
    let (mut characters, mut commas) = (0, 0);
    let mut space = true;
    for character in text.chars() {
        if character.is_whitespace() {
            characters += u32::from(!space);
            space = true;
        } else {
            characters += 1;
            space = false;
            commas += u32::from(matches!(character, ',' | '،' | '、' | '，' | ';'));
        }
    }
    Stats {
        text: characters,
        commas,
        ..Stats::default()
    }
}
