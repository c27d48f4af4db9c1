//! What the parser builds the tree with.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use html5ever::interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::StrTendril;
use html5ever::{Attribute, ExpandedName, LocalName, Namespace, QualName};

use super::guard::is_data;
use super::{Attr, Data, Dom, Element, NodeId, Tag};

/// The tree while it is built.
pub(super) struct Sink {
    dom: RefCell<Dom>,
    /// The names that the parser asks for, by node.
    names: RefCell<Vec<Option<QualName>>>,
    elements: Cell<usize>,
}

impl Sink {
    pub(super) fn new() -> Self {
        Self {
            dom: RefCell::new(Dom::empty()),
            names: RefCell::new(vec![None]),
            elements: Cell::new(0),
        }
    }

    pub(super) fn elements(&self) -> usize {
        self.elements.get()
    }

    fn push(&self, data: Data, name: Option<QualName>) -> NodeId {
        self.names.borrow_mut().push(name);
        self.dom.borrow_mut().push(data)
    }

    /// Whether the text in a node is read by anybody.
    fn keeps_text(&self, parent: NodeId) -> bool {
        let dom = self.dom.borrow();
        let Some(element) = dom.element(parent) else {
            return true;
        };
        match element.tag {
            Tag::Style => false,
            Tag::Script => element.attr(Attr::Type).is_some_and(is_data),
            _ => true,
        }
    }

    /// Joins text to the node that is before it, or makes one.
    fn text(&self, parent: NodeId, before: Option<NodeId>, text: StrTendril) -> Option<NodeId> {
        if !self.keeps_text(parent) {
            return None;
        }
        if let Some(before) = before
            && let Data::Text(existing) = &mut self.dom.borrow_mut().nodes[before.index()].data
        {
            existing.push_tendril(&text);
            return None;
        }
        Some(self.push(Data::Text(text), None))
    }
}

/// The name of an element, as the parser wants it.
#[derive(Debug)]
pub(super) struct Name {
    namespace: Namespace,
    local: LocalName,
}

impl html5ever::interface::ElemName for Name {
    fn ns(&self) -> &Namespace {
        &self.namespace
    }

    fn local_name(&self) -> &LocalName {
        &self.local
    }

    fn expanded(&self) -> ExpandedName<'_> {
        ExpandedName {
            ns: &self.namespace,
            local: &self.local,
        }
    }
}

impl TreeSink for Sink {
    type Handle = NodeId;
    type Output = Dom;
    type ElemName<'a> = Name;

    fn finish(self) -> Dom {
        self.dom.into_inner()
    }

    fn parse_error(&self, _message: Cow<'static, str>) {}

    fn get_document(&self) -> NodeId {
        Dom::ROOT
    }

    fn elem_name<'a>(&'a self, target: &'a NodeId) -> Name {
        let names = self.names.borrow();
        let name = names.get(target.index()).and_then(Option::as_ref);
        Name {
            namespace: name.map(|it| it.ns.clone()).unwrap_or_default(),
            local: name.map(|it| it.local.clone()).unwrap_or_default(),
        }
    }

    fn create_element(
        &self,
        name: QualName,
        attributes: Vec<Attribute>,
        _flags: ElementFlags,
    ) -> NodeId {
        self.elements.set(self.elements.get() + 1);
        let element = Element {
            tag: Tag::of(&name.local),
            attributes: kept(attributes),
        };
        self.push(Data::Element(element), Some(name))
    }

    fn create_comment(&self, _text: StrTendril) -> NodeId {
        self.push(Data::Nothing, None)
    }

    fn create_pi(&self, _target: StrTendril, _data: StrTendril) -> NodeId {
        self.push(Data::Nothing, None)
    }

    fn append(&self, parent: &NodeId, child: NodeOrText<NodeId>) {
        let child = match child {
            NodeOrText::AppendNode(node) => Some(node),
            NodeOrText::AppendText(text) => {
                let last = self.dom.borrow().nodes[parent.index()].last;
                self.text(*parent, last, text)
            }
        };
        if let Some(child) = child {
            self.dom.borrow_mut().append(*parent, child);
        }
    }

    fn append_based_on_parent_node(
        &self,
        element: &NodeId,
        previous: &NodeId,
        child: NodeOrText<NodeId>,
    ) {
        if self.dom.borrow().parent(*element).is_some() {
            self.append_before_sibling(element, child);
        } else {
            self.append(previous, child);
        }
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    /// A template is an element like any other: nobody runs it.
    fn get_template_contents(&self, target: &NodeId) -> NodeId {
        *target
    }

    fn same_node(&self, one: &NodeId, other: &NodeId) -> bool {
        one == other
    }

    fn set_quirks_mode(&self, _mode: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &NodeId, child: NodeOrText<NodeId>) {
        let (parent, before) = {
            let dom = self.dom.borrow();
            (dom.parent(*sibling), dom.previous(*sibling))
        };
        let Some(parent) = parent else { return };
        let child = match child {
            NodeOrText::AppendNode(node) => Some(node),
            NodeOrText::AppendText(text) => self.text(parent, before, text),
        };
        if let Some(child) = child {
            self.dom.borrow_mut().insert_before(*sibling, child);
        }
    }

    fn add_attrs_if_missing(&self, target: &NodeId, attributes: Vec<Attribute>) {
        let mut dom = self.dom.borrow_mut();
        if let Data::Element(element) = &mut dom.nodes[target.index()].data {
            for (name, value) in kept(attributes) {
                if element.attr(name).is_none() {
                    element.attributes.push((name, value));
                }
            }
        }
    }

    fn remove_from_parent(&self, target: &NodeId) {
        self.dom.borrow_mut().detach(*target);
    }

    fn reparent_children(&self, node: &NodeId, new_parent: &NodeId) {
        let mut dom = self.dom.borrow_mut();
        while let Some(child) = dom.nodes[node.index()].first {
            dom.append(*new_parent, child);
        }
    }
}

fn kept(attributes: Vec<Attribute>) -> Vec<(Attr, StrTendril)> {
    attributes
        .into_iter()
        .filter_map(|it| Some((Attr::of(&it.name.local)?, it.value)))
        .collect()
}
