//! Taking a filter apart into conditions that must all hold.

use super::super::filter::Node;
use super::super::leaf::Leaf;
use super::lookup::{Subject, subject};

/// One of the conditions that must all hold.
#[derive(Debug, Clone)]
pub(super) enum Condition<'a> {
    /// One of these, all about one subject, must be met.
    Need(Subject<'a>, Vec<&'a Leaf>),
    /// One of these, about several subjects, must be met.
    NeedMixed(Vec<&'a Leaf>),
    /// This must not be met.
    Deny(Subject<'a>, &'a Leaf),
}

impl Condition<'_> {
    /// The condition as a part of a filter, and how it must come out.
    pub(super) fn to_node(&self) -> (Node, bool) {
        let node = |leaf: &&Leaf| Node::Leaf((*leaf).clone());
        match self {
            Self::Need(_, leaves) | Self::NeedMixed(leaves) => (Node::Any(leaves.iter().map(node).collect()), true),
            Self::Deny(_, leaf) => (node(leaf), false),
        }
    }
}

/// What can be looked up of a filter.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan<'a> {
    pub(super) conditions: Vec<Condition<'a>>,
    /// What is no condition, and how it must come out: whoever passes the conditions must be asked.
    pub(super) rest: Vec<(&'a Node, bool)>,
    /// Nothing passes.
    pub(super) is_never: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn of(root: &'a Node) -> Self {
        let mut plan = Self::default();
        plan.require(root, true);
        plan
    }

    /// The node must come out as wanted.
    fn require(&mut self, node: &'a Node, want: bool) {
        match node {
            Node::Not(part) => self.require(part, !want),
            // All of these, or none of those: each by itself.
            Node::All(parts) if want => parts.iter().for_each(|part| self.require(part, true)),
            Node::Any(parts) if !want => parts.iter().for_each(|part| self.require(part, false)),
            Node::All(parts) | Node::Any(parts) => self.require_one(node, parts, want),
            Node::Leaf(leaf) if want => self.conditions.push(Condition::Need(subject(leaf), vec![leaf])),
            Node::Leaf(leaf) => self.conditions.push(Condition::Deny(subject(leaf), leaf)),
        }
    }

    /// At least one part of the node must come out as wanted.
    fn require_one(&mut self, node: &'a Node, parts: &'a [Node], want: bool) {
        if let [only] = parts {
            return self.require(only, want);
        }
        if parts.is_empty() {
            self.is_never = true;
            return;
        }
        let mut leaves = Vec::new();
        if !parts.iter().all(|part| alternatives(part, want, &mut leaves)) {
            self.rest.push((node, want));
            return;
        }
        self.conditions.push(match leaves.first().map(|leaf| subject(leaf)) {
            Some(first) if leaves.iter().all(|leaf| subject(leaf) == first) => Condition::Need(first, leaves),
            _ => Condition::NeedMixed(leaves),
        });
    }
}

/// Collects the leaves of a node that comes out as wanted if one of them is met; `false` if it is not of that sort.
fn alternatives<'a>(node: &'a Node, want: bool, leaves: &mut Vec<&'a Leaf>) -> bool {
    match node {
        Node::Leaf(leaf) if want => {
            leaves.push(leaf);
            true
        }
        Node::Not(part) => alternatives(part, !want, leaves),
        Node::Any(parts) if want => parts.iter().all(|part| alternatives(part, true, leaves)),
        Node::All(parts) if !want => parts.iter().all(|part| alternatives(part, false, leaves)),
        _ => false,
    }
}
