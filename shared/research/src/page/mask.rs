//! A set of nodes.

use super::dom::{Dom, NodeId};

/// Nodes of one tree, one bit each.
#[derive(Clone, Debug)]
pub(super) struct Mask(Vec<bool>);

impl Mask {
    /// None of them.
    pub(super) fn of(dom: &Dom) -> Self {
        Self(vec![false; dom.len()])
    }

    pub(super) fn insert(&mut self, id: NodeId) {
        if let Some(bit) = self.0.get_mut(id.index()) {
            *bit = true;
        }
    }

    pub(super) fn contains(&self, id: NodeId) -> bool {
        self.0.get(id.index()).copied().unwrap_or_default()
    }
}
