//! Taking a filter apart into conditions that must all hold (its conjunctive form, as far as that stays small).

use super::super::filter::Node;
use super::super::leaf::Leaf;
use super::lookup::{Subject, subject};

/// One of the conditions that must all hold.
#[derive(Debug, Clone)]
pub(super) enum Condition<'a> {
    /// One of these, all about one subject, must be met.
    Need(Subject<'a>, Vec<&'a Leaf>),
    /// One of these must come out as wanted: about several subjects, or some are wanted not to be met.
    NeedMixed(Clause<'a>),
    /// This must not be met.
    Deny(Subject<'a>, &'a Leaf),
}

impl Condition<'_> {
    /// The condition as a part of a filter, and how it must come out.
    pub(super) fn to_node(&self) -> (Node, bool) {
        let node = |leaf: &&Leaf| Node::Leaf((*leaf).clone());
        match self {
            Self::Need(_, leaves) => (Node::Any(leaves.iter().map(node).collect()), true),
            Self::NeedMixed(clause) => {
                let wanted = |(leaf, want): &(&Leaf, bool)| {
                    if *want { node(leaf) } else { Node::Not(Box::new(node(leaf))) }
                };
                (Node::Any(clause.iter().map(wanted).collect()), true)
            }
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
        let clauses = product(parts, want).filter(|clauses| clauses.iter().all(|clause| can_be_looked_up(clause)));
        match clauses {
            Some(clauses) => clauses.into_iter().for_each(|clause| self.require_clause(clause)),
            None => self.rest.push((node, want)),
        }
    }

    /// One of the leaves must come out as wanted.
    fn require_clause(&mut self, clause: Clause<'a>) {
        let is_of = |of: Subject<'_>| clause.iter().all(|(leaf, want)| *want && subject(leaf) == of);
        match clause[..] {
            [] => self.is_never = true,
            [(leaf, false)] => self.conditions.push(Condition::Deny(subject(leaf), leaf)),
            [(first, _), ..] if is_of(subject(first)) => {
                let leaves = clause.iter().map(|(leaf, _)| *leaf).collect();
                self.conditions.push(Condition::Need(subject(first), leaves));
            }
            _ => self.conditions.push(Condition::NeedMixed(clause)),
        }
    }
}

/// Alternatives: leaves, and how each must come out.
pub(super) type Clause<'a> = Vec<(&'a Leaf, bool)>;

/// The most clauses that alternatives are multiplied out into; a contract has room for few.
const CLAUSES_MAX: usize = 4;

/// The most leaves in several of them: what is longer is asked.
const LEAVES_MAX: usize = 64;

/// A lookup says which of its contracts are met by the lead. Of a contract that is in it twice it cannot say that one of the
/// two is not met, so of a subject only one leaf can be wanted not to be.
fn can_be_looked_up(clause: &Clause<'_>) -> bool {
    let mut subjects: Vec<_> = clause.iter().filter(|(_, want)| !want).map(|(leaf, _)| subject(leaf)).collect();
    subjects.sort_unstable();
    subjects.windows(2).all(|pair| pair[0] != pair[1])
}

/// The clauses that must all hold for the node to come out as wanted; `None` if they are too many.
fn clauses(node: &Node, want: bool) -> Option<Vec<Clause<'_>>> {
    match node {
        Node::Leaf(leaf) => Some(vec![vec![(leaf, want)]]),
        Node::Not(part) => clauses(part, !want),
        Node::All(parts) if want => sum(parts, want),
        Node::Any(parts) if !want => sum(parts, want),
        Node::All(parts) | Node::Any(parts) => product(parts, want),
    }
}

/// All parts must come out as wanted.
fn sum(parts: &[Node], want: bool) -> Option<Vec<Clause<'_>>> {
    let all: Vec<Vec<Clause<'_>>> = parts.iter().map(|part| clauses(part, want)).collect::<Option<_>>()?;
    Some(all.into_iter().flatten().collect()).filter(|all: &Vec<_>| all.len() <= CLAUSES_MAX)
}

/// One part must come out as wanted: `(a and b) or c` is `(a or c) and (b or c)`.
fn product(parts: &[Node], want: bool) -> Option<Vec<Clause<'_>>> {
    let mut all: Vec<Clause<'_>> = vec![Vec::new()];
    for part in parts {
        let further = clauses(part, want)?;
        all = all.iter().flat_map(|one| further.iter().map(move |other| [one.as_slice(), other].concat())).collect();
        let leaves: usize = all.iter().map(Vec::len).sum();
        if all.len() > CLAUSES_MAX || all.len() > 1 && leaves > LEAVES_MAX {
            return None;
        }
    }
    Some(all)
}
