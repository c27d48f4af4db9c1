//! A page as a tree: nodes in one list that point at each other by number.
//!
//! Pages are hostile, so nothing here or above calls itself for a child: what walks the tree does
//! it step by step ([`Dom::walk`]), and a page of any depth needs no stack. What nobody reads is
//! not kept: comments, most scripts, pictures made of paths, unknown attributes.

mod guard;
mod names;
mod sink;

use html5ever::tendril::StrTendril;

pub(super) use self::guard::TooLarge;
pub(super) use self::names::{Attr, Tag};

/// The number of a node.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct NodeId(u32);

impl NodeId {
    /// Its place in a list that has one entry for each node.
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Data {
    /// The root, or something that is not kept.
    Nothing,
    Element(Element),
    Text(StrTendril),
}

/// An element with the attributes that are kept.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) tag: Tag,
    pub(super) attributes: Vec<(Attr, StrTendril)>,
}

#[derive(Debug)]
struct Node {
    parent: Option<NodeId>,
    previous: Option<NodeId>,
    next: Option<NodeId>,
    first: Option<NodeId>,
    last: Option<NodeId>,
    data: Data,
}

/// A parsed page.
#[derive(Debug)]
pub(super) struct Dom {
    nodes: Vec<Node>,
}

/// A step of a walk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A node begins.
    Enter(NodeId),
    /// All of its children are done. Text and elements alike.
    Leave(NodeId),
}

impl Dom {
    /// Parses HTML. Levels beyond [`guard::MAX_DEPTH`] are flattened.
    pub(super) fn parse(html: &str) -> Result<Self, TooLarge> {
        guard::parse(html)
    }

    fn empty() -> Self {
        let mut dom = Self { nodes: Vec::new() };
        dom.push(Data::Nothing);
        dom
    }

    /// The root.
    pub(super) const ROOT: NodeId = NodeId(0);

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// All nodes, parents before their children as the parser made them.
    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(NodeId)
    }

    pub(super) fn data(&self, id: NodeId) -> &Data {
        &self.nodes[id.index()].data
    }

    pub(super) fn element(&self, id: NodeId) -> Option<&Element> {
        match self.data(id) {
            Data::Element(element) => Some(element),
            Data::Nothing | Data::Text(_) => None,
        }
    }

    /// What element it is; text is [`Tag::Other`].
    pub(super) fn tag(&self, id: NodeId) -> Tag {
        self.element(id).map_or(Tag::Other, |it| it.tag)
    }

    pub(super) fn attr(&self, id: NodeId, name: Attr) -> Option<&str> {
        self.element(id)?.attr(name)
    }

    pub(super) fn text(&self, id: NodeId) -> Option<&str> {
        match self.data(id) {
            Data::Text(text) => Some(text),
            Data::Nothing | Data::Element(_) => None,
        }
    }

    pub(super) fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.nodes[id.index()].parent
    }

    pub(super) fn next(&self, id: NodeId) -> Option<NodeId> {
        self.nodes[id.index()].next
    }

    pub(super) fn previous(&self, id: NodeId) -> Option<NodeId> {
        self.nodes[id.index()].previous
    }

    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.nodes[id.index()].first, |&it| self.next(it))
    }

    /// The node and what it is in, from the inside out.
    pub(super) fn ancestors(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(Some(id), |&it| self.parent(it))
    }

    /// Walks a node and all that is in it.
    pub(super) fn walk(&self, root: NodeId) -> Walk<'_> {
        Walk {
            dom: self,
            root,
            next: Some(Step::Enter(root)),
        }
    }

    /// The first element of a kind.
    pub(super) fn find(&self, root: NodeId, tag: Tag) -> Option<NodeId> {
        self.entered(root).find(|&it| self.tag(it) == tag)
    }

    /// A node and all that is in it, in the order of the page.
    pub(super) fn entered(&self, root: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.walk(root).filter_map(|step| match step {
            Step::Enter(id) => Some(id),
            Step::Leave(_) => None,
        })
    }

    /// The text of a node, white space as it is.
    pub(super) fn text_of(&self, root: NodeId) -> String {
        let mut text = String::new();
        for id in self.entered(root) {
            if let Some(piece) = self.text(id) {
                text.push_str(piece);
            }
        }
        text
    }

    fn push(&mut self, data: Data) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(Node {
            parent: None,
            previous: None,
            next: None,
            first: None,
            last: None,
            data,
        });
        id
    }

    /// Takes a node, with what is in it, out of the tree.
    pub(super) fn detach(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        let (parent, previous, next) = (node.parent.take(), node.previous.take(), node.next.take());
        if let Some(previous) = previous {
            self.nodes[previous.index()].next = next;
        } else if let Some(parent) = parent {
            self.nodes[parent.index()].first = next;
        }
        if let Some(next) = next {
            self.nodes[next.index()].previous = previous;
        } else if let Some(parent) = parent {
            self.nodes[parent.index()].last = previous;
        }
    }

    fn append(&mut self, parent: NodeId, child: NodeId) {
        self.detach(child);
        let last = self.nodes[parent.index()].last.replace(child);
        let node = &mut self.nodes[child.index()];
        node.parent = Some(parent);
        node.previous = last;
        match last {
            Some(last) => self.nodes[last.index()].next = Some(child),
            None => self.nodes[parent.index()].first = Some(child),
        }
    }

    fn insert_before(&mut self, sibling: NodeId, child: NodeId) {
        self.detach(child);
        let node = &mut self.nodes[sibling.index()];
        let (parent, previous) = (node.parent, node.previous.replace(child));
        let node = &mut self.nodes[child.index()];
        (node.parent, node.previous, node.next) = (parent, previous, Some(sibling));
        if let Some(previous) = previous {
            self.nodes[previous.index()].next = Some(child);
        } else if let Some(parent) = parent {
            self.nodes[parent.index()].first = Some(child);
        }
    }
}

impl Element {
    pub(super) fn attr(&self, name: Attr) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(attribute, _)| *attribute == name)
            .map(|(_, value)| &**value)
    }
}

/// A walk through the tree, in the order of the page.
pub(super) struct Walk<'a> {
    dom: &'a Dom,
    root: NodeId,
    next: Option<Step>,
}

impl Walk<'_> {
    /// Leaves out what is in the node that was entered last.
    pub(super) fn pass_over(&mut self, entered: NodeId) {
        self.next = Some(Step::Leave(entered));
    }
}

impl Iterator for Walk<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let step = self.next?;
        self.next = match step {
            Step::Enter(id) => Some(
                self.dom.nodes[id.index()]
                    .first
                    .map_or(Step::Leave(id), Step::Enter),
            ),
            Step::Leave(id) if id == self.root => None,
            Step::Leave(id) => match self.dom.next(id) {
                Some(next) => Some(Step::Enter(next)),
                None => self.dom.parent(id).map(Step::Leave),
            },
        };
        Some(step)
    }
}
