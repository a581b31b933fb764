//! The index of a campaign's running contracts: which of them ask for this lead, without asking each.
//!
//! Every filter is taken apart into conditions that must all hold. A condition about a field's value, a place, the
//! source, the score or the age of the consent goes into a lookup from value to contracts; so do alternatives (`any`), which
//! are multiplied out where they have conditions of their own, and a negated condition becomes a lookup of contracts to
//! take out. Patterns and hours are asked once for all contracts that share them. What goes beyond the bounds of a lookup
//! is asked contract by contract, of those that everything else let through. The result is **exactly** that of asking every filter and source list in turn.
//!
//! Sets are bitmaps over positions: a lookup adds its contracts to those the subject does not concern, and the
//! result is cut with that. A contract can be put in, replaced and taken out at any time; the rest stays untouched.

mod bits;
mod circles;
mod lookup;
mod plan;

use std::collections::HashMap;
use std::sync::Arc;

use leadyard_types::{ContractId, SourceId};

use self::bits::{Bits, each_bit, write_positions};
use self::lookup::{Lookup, Probe, Subject, subject};
use self::plan::{Clause, Condition, Plan};
use super::chunks::Chunks;
use super::facts::LeadFacts;
use super::filter::{CompiledFilter, Node};
use super::leaf::Leaf;

/// How many conditions of one contract about one subject are looked up; further ones are asked.
const LAYERS_MAX: usize = 4;

/// A contract as the index sees it.
#[derive(Debug, Clone)]
pub struct IndexEntry {
    /// The contract.
    pub contract: ContractId,
    /// Which leads it wants; absent = all.
    pub filter: Option<Arc<CompiledFilter>>,
    /// If not empty, only these sources.
    pub sources_allowed: Vec<SourceId>,
    /// Never these sources.
    pub sources_denied: Vec<SourceId>,
}

impl IndexEntry {
    /// Whether the contract asks for the lead: the plain rule that the index answers for all contracts at once.
    #[must_use]
    pub fn wants(&self, facts: &LeadFacts) -> bool {
        (self.sources_allowed.is_empty() || self.sources_allowed.contains(&facts.source_id))
            && !self.sources_denied.contains(&facts.source_id)
            && self.filter.as_ref().is_none_or(|filter| filter.matches(facts))
    }
}

/// An entry in its place, with its source lists as conditions.
#[derive(Debug, Clone)]
struct Slot {
    entry: IndexEntry,
    allowed: Option<Leaf>,
    denied: Option<Leaf>,
    /// What must be asked: parts of the filter, and how each must come out.
    rest: Vec<(Node, bool)>,
}

impl Slot {
    fn new(entry: IndexEntry) -> Self {
        let list =
            |sources: &[SourceId]| (!sources.is_empty()).then(|| Leaf::Sources(sources.iter().copied().collect()));
        Self { allowed: list(&entry.sources_allowed), denied: list(&entry.sources_denied), rest: Vec::new(), entry }
    }

    fn plan(&self) -> Plan<'_> {
        let mut plan = self.entry.filter.as_ref().map_or_else(Plan::default, |filter| Plan::of(filter.root()));
        plan.conditions.extend(self.allowed.iter().map(|leaf| Condition::Need(Subject::Source, vec![leaf])));
        plan.conditions.extend(self.denied.iter().map(|leaf| Condition::Deny(Subject::Source, leaf)));
        plan
    }
}

/// The contracts that need something, and what they accept.
#[derive(Debug, Clone, Default)]
struct Layer<T> {
    concerned: Bits,
    accepted: T,
}

/// All that is asked about one subject.
#[derive(Debug, Clone, Default)]
struct Asked {
    /// A contract's first condition stands in the first layer, its second in the second.
    needs: Vec<Layer<Lookup>>,
    /// Contracts to take out.
    denies: Option<Lookup>,
}

/// Alternatives about several subjects: contracts that are content if something is met, and contracts that are content if
/// something is not met.
#[derive(Debug, Clone, Default)]
struct Mixed {
    met: Subjects<Lookup>,
    /// `accepted` has what the concerned want not to be met.
    unmet: Subjects<Layer<Lookup>>,
}

impl Mixed {
    fn has_room(&mut self, clause: &Clause<'_>) -> bool {
        let leaves: Vec<&Leaf> = clause.iter().map(|(leaf, _)| *leaf).collect();
        clause.iter().all(|(leaf, want)| self.lookup(leaf, *want).has_room(&leaves))
    }

    fn lookup(&mut self, leaf: &Leaf, want: bool) -> &mut Lookup {
        if want { self.met.get_mut(subject(leaf)) } else { &mut self.unmet.get_mut(subject(leaf)).accepted }
    }

    fn insert(&mut self, clause: &Clause<'_>, position: u32) {
        for (leaf, want) in clause {
            self.lookup(leaf, *want).insert(leaf, position);
            if !want {
                self.unmet.get_mut(subject(leaf)).concerned.insert(position);
            }
        }
    }

    fn remove(&mut self, clause: &Clause<'_>, position: u32) {
        for (leaf, want) in clause {
            self.lookup(leaf, *want).remove(leaf, position);
            if !want {
                self.unmet.get_mut(subject(leaf)).concerned.remove(position);
            }
        }
    }

    /// Adds the contracts that are content.
    fn add_to(&self, facts: &LeadFacts, probe: &mut Probe, words: &mut [u64], own: &mut Vec<u64>) {
        self.met.each().for_each(|(subject, lookup)| lookup.add_to(subject, facts, probe, words));
        for (subject, layer) in self.unmet.each().filter(|(_, layer)| !layer.concerned.is_empty()) {
            own.clear();
            own.resize(words.len(), 0);
            layer.accepted.add_to(subject, facts, probe, own);
            layer.concerned.add_without_to(own, words);
        }
    }
}

/// The layer that takes a contract's next condition; `None` if it has as many as there may be.
fn next_layer<T: Default>(layers: &mut Vec<Layer<T>>, position: u32) -> Option<&mut Layer<T>> {
    let free = layers.iter().position(|layer| !layer.concerned.contains(position)).unwrap_or(layers.len());
    if free == layers.len() && free < LAYERS_MAX {
        layers.push(Layer::default());
    }
    layers.get_mut(free)
}

/// Something for every subject that is asked about.
#[derive(Debug, Clone, Default)]
struct Subjects<T> {
    fields: Vec<(String, T)>,
    /// Place, source, score, age of the consent, time, age of the lead.
    others: [T; 6],
}

/// The subjects that are no fields, in the order of [`Subjects::others`].
const OTHERS: [Subject<'static>; 6] =
    [Subject::Place, Subject::Source, Subject::Score, Subject::ConsentAge, Subject::Time, Subject::LeadAge];

impl<T: Default> Subjects<T> {
    fn get_mut(&mut self, subject: Subject<'_>) -> &mut T {
        match subject {
            Subject::Place => &mut self.others[0],
            Subject::Source => &mut self.others[1],
            Subject::Score => &mut self.others[2],
            Subject::ConsentAge => &mut self.others[3],
            Subject::Time => &mut self.others[4],
            Subject::LeadAge => &mut self.others[5],
            Subject::Field(key) => {
                let known = self.fields.iter().position(|(field, _)| field == key);
                let at = known.unwrap_or_else(|| {
                    self.fields.push((key.to_owned(), T::default()));
                    self.fields.len() - 1
                });
                &mut self.fields[at].1
            }
        }
    }

    fn each(&self) -> impl Iterator<Item = (Subject<'_>, &T)> {
        let fields = self.fields.iter().map(|(key, asked)| (Subject::Field(key), asked));
        OTHERS.into_iter().zip(&self.others).chain(fields)
    }
}

/// A set of positions, for telling the index which contracts are out of the question at the moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(Bits);

impl Positions {
    /// Puts a position in, or takes it out.
    pub fn set(&mut self, position: u32, is_in: bool) {
        if is_in {
            self.0.insert(position);
        } else {
            self.0.remove(position);
        }
    }

    /// Whether a position is in.
    #[must_use]
    pub fn contains(&self, position: u32) -> bool {
        self.0.contains(position)
    }
}

/// Room for asking the index, kept between leads so that asking allocates next to nothing.
#[derive(Debug, Default)]
pub struct Scratch {
    result: Vec<u64>,
    subject: Vec<u64>,
    unmet: Vec<u64>,
    probe: Probe,
    found: Vec<u32>,
}

/// The running contracts of one campaign, by position. A copy shares with the original whatever neither changes: that is
/// how an edit is made beside leads that are under way.
#[derive(Debug, Clone, Default)]
pub struct ContractIndex {
    slots: Chunks<Option<Arc<Slot>>>,
    positions: Arc<HashMap<ContractId, u32>>,
    /// Positions of contracts that were taken out.
    free: Vec<u32>,
    /// Positions that can match at all.
    live: Bits,
    /// Positions of which more must be asked.
    verify: Bits,
    subjects: Subjects<Asked>,
    mixed: Vec<Layer<Mixed>>,
}

impl ContractIndex {
    /// An index of these contracts, at positions in their order. A contract named twice is kept once, as named last.
    #[must_use]
    pub fn build(entries: &[IndexEntry]) -> Self {
        let mut index = Self::default();
        for entry in entries {
            index.upsert(entry.clone());
        }
        index
    }

    /// How many contracts it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// The contract at a position.
    #[must_use]
    pub fn entry(&self, position: u32) -> Option<&IndexEntry> {
        Some(&self.slots.get(usize::try_from(position).ok()?)?.as_ref()?.entry)
    }

    /// Where a contract stands; it keeps its position until it is removed.
    #[must_use]
    pub fn position(&self, contract: ContractId) -> Option<u32> {
        self.positions.get(&contract).copied()
    }

    /// Puts a contract in, or what is new of it in place of what was known. Returns its position.
    pub fn upsert(&mut self, entry: IndexEntry) -> u32 {
        let position = match self.position(entry.contract) {
            Some(position) => {
                self.clear(position);
                position
            }
            None => {
                let position = self.free.pop().unwrap_or_else(|| {
                    self.slots.push(None);
                    u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
                });
                Arc::make_mut(&mut self.positions).insert(entry.contract, position);
                position
            }
        };
        let mut slot = Slot::new(entry);
        slot.rest = self.put(&slot.plan(), position);
        self.set_slot(position, Some(Arc::new(slot)));
        position
    }

    /// Takes a contract out. Returns the position it had.
    pub fn remove(&mut self, contract: ContractId) -> Option<u32> {
        let position = self.position(contract)?;
        Arc::make_mut(&mut self.positions).remove(&contract);
        self.clear(position);
        self.free.push(position);
        Some(position)
    }

    /// Takes out whatever stands at a position.
    fn clear(&mut self, position: u32) {
        if let Some(slot) = self.set_slot(position, None) {
            self.take_out(&slot.plan(), position);
        }
    }

    fn set_slot(&mut self, position: u32, slot: Option<Arc<Slot>>) -> Option<Arc<Slot>> {
        let place = self.slots.get_mut(usize::try_from(position).ok()?)?;
        std::mem::replace(place, slot)
    }

    /// Puts a contract's conditions where they are looked up; answers what is left to ask.
    fn put(&mut self, plan: &Plan<'_>, position: u32) -> Vec<(Node, bool)> {
        if plan.is_never {
            return Vec::new();
        }
        self.live.insert(position);
        let mut rest: Vec<_> = plan.rest.iter().map(|(node, want)| ((*node).clone(), *want)).collect();
        for condition in &plan.conditions {
            let has_room = match condition {
                Condition::Need(subject, leaves) => self.put_need(*subject, leaves, position),
                Condition::NeedMixed(clause) => self.put_mixed(clause, position),
                Condition::Deny(subject, leaf) => self.put_deny(*subject, leaf, position),
            };
            if !has_room {
                rest.push(condition.to_node());
            }
        }
        if !rest.is_empty() {
            self.verify.insert(position);
        }
        rest
    }

    /// `false` if there is no room for the condition, so that it must be asked.
    fn put_need(&mut self, subject: Subject<'_>, leaves: &[&Leaf], position: u32) -> bool {
        let Some(layer) = next_layer(&mut self.subjects.get_mut(subject).needs, position) else { return false };
        if !layer.accepted.has_room(leaves) {
            return false;
        }
        layer.concerned.insert(position);
        leaves.iter().for_each(|leaf| layer.accepted.insert(leaf, position));
        true
    }

    fn put_mixed(&mut self, clause: &Clause<'_>, position: u32) -> bool {
        let Some(layer) = next_layer(&mut self.mixed, position) else { return false };
        let has_room = layer.accepted.has_room(clause);
        if has_room {
            layer.concerned.insert(position);
            layer.accepted.insert(clause, position);
        }
        has_room
    }

    fn put_deny(&mut self, subject: Subject<'_>, leaf: &Leaf, position: u32) -> bool {
        let denied = self.subjects.get_mut(subject).denies.get_or_insert_default();
        let has_room = denied.has_room(&[leaf]);
        if has_room {
            denied.insert(leaf, position);
        }
        has_room
    }

    /// Takes a position out of wherever its conditions may stand.
    fn take_out(&mut self, plan: &Plan<'_>, position: u32) {
        self.live.remove(position);
        self.verify.remove(position);
        for condition in &plan.conditions {
            match condition {
                Condition::Need(subject, leaves) => {
                    for layer in &mut self.subjects.get_mut(*subject).needs {
                        layer.concerned.remove(position);
                        leaves.iter().for_each(|leaf| layer.accepted.remove(leaf, position));
                    }
                }
                Condition::NeedMixed(clause) => {
                    for layer in &mut self.mixed {
                        layer.concerned.remove(position);
                        layer.accepted.remove(clause, position);
                    }
                }
                Condition::Deny(subject, leaf) => {
                    self.subjects.get_mut(*subject).denies.iter_mut().for_each(|denied| denied.remove(leaf, position));
                }
            }
        }
    }

    /// The positions of the contracts that ask for the lead, ascending.
    #[must_use]
    pub fn candidates(&self, facts: &LeadFacts) -> Vec<u32> {
        self.candidates_into(facts, &mut Scratch::default()).to_vec()
    }

    /// The same, in room that is kept.
    pub fn candidates_into<'s>(&self, facts: &LeadFacts, scratch: &'s mut Scratch) -> &'s [u32] {
        self.candidates_without(facts, &[], scratch)
    }

    /// The same, without those that are out of the question at the moment.
    pub fn candidates_without<'s>(&self, facts: &LeadFacts, out: &[&Positions], scratch: &'s mut Scratch) -> &'s [u32] {
        let Scratch { result, subject: words, unmet, probe, found } = scratch;
        probe.read(facts);
        result.clear();
        result.extend_from_slice(self.live.words());
        out.iter().for_each(|out| out.0.take_from(result));
        words.clear();
        words.resize(result.len(), 0);
        for (subject, asked) in self.subjects.each() {
            for layer in &asked.needs {
                words.fill(0);
                layer.accepted.add_to(subject, facts, probe, words);
                layer.concerned.cut(result, words);
            }
            if let Some(denied) = &asked.denies {
                words.fill(0);
                denied.add_to(subject, facts, probe, words);
                result.iter_mut().zip(words.iter()).for_each(|(word, own)| *word &= !own);
            }
        }
        for layer in &self.mixed {
            words.fill(0);
            layer.accepted.add_to(facts, probe, words, unmet);
            layer.concerned.cut(result, words);
        }
        self.verify_all(result, facts);
        let count = write_positions(result, found);
        &found[..count]
    }

    /// Takes out those of which more must be asked, and that answer no.
    fn verify_all(&self, result: &mut [u64], facts: &LeadFacts) {
        for ((base, word), verify) in (0..).step_by(64).zip(result).zip(self.verify.words()) {
            each_bit(*word & verify, |bit| {
                if !self.is_matched(base + bit, facts) {
                    *word &= !(1 << bit);
                }
            });
        }
    }

    fn is_matched(&self, position: u32, facts: &LeadFacts) -> bool {
        let slot = usize::try_from(position).ok().and_then(|position| self.slots.get(position)?.as_ref());
        slot.is_none_or(|slot| slot.rest.iter().all(|(node, want)| node.matches(facts) == *want))
    }
}

#[cfg(test)]
#[path = "index/tests.rs"]
mod tests;
