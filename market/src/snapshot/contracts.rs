//! The running contracts of one campaign, behind their index.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use leadyard_types::terms::OutsideHours;
use leadyard_types::{BuyerId, Status, Timestamp};

use super::{Buyer, Contract};
use crate::eligibility;
use crate::rules::chunks::Chunks;
use crate::rules::facts::LeadFacts;
use crate::rules::index::{ContractIndex, IndexEntry, Positions, Scratch};

/// A contract whose terms fit a lead, and its buyer.
pub type Fit = (Arc<Contract>, Arc<Buyer>);

/// Seconds for which hours stand: windows begin and end at whole minutes.
const MINUTE_SECONDS: i64 = 60;

/// The contracts whose hours are shut, as of one minute. Worked out by the first lead of a minute; copies share it.
#[derive(Default)]
struct Shut(Mutex<Option<(i64, Arc<Positions>)>>);

impl Clone for Shut {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.known().clone()))
    }
}

impl Shut {
    fn known(&self) -> MutexGuard<'_, Option<(i64, Arc<Positions>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The set of a moment's minute.
    fn at(&self, now: Timestamp, places: &Chunks<Option<Arc<Contract>>>) -> Arc<Positions> {
        let minute = now.timestamp().div_euclid(MINUTE_SECONDS);
        let mut known = self.known();
        if let Some((_, shut)) = known.as_ref().filter(|(of, _)| *of == minute) {
            return Arc::clone(shut);
        }
        let mut shut = Positions::default();
        for (position, contract) in (0..).zip(places.iter()) {
            if contract.as_ref().is_some_and(|contract| !eligibility::is_open(contract, now)) {
                shut.set(position, true);
            }
        }
        let shut = Arc::new(shut);
        *known = Some((minute, Arc::clone(&shut)));
        shut
    }

    /// A contract's hours changed.
    fn change(&mut self, position: u32, contract: &Contract) {
        if let Some((minute, shut)) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            let is_open = Timestamp::from_timestamp(*minute * MINUTE_SECONDS, 0)
                .is_some_and(|moment| eligibility::is_open(contract, moment));
            if shut.contains(position) == is_open {
                Arc::make_mut(shut).set(position, !is_open);
            }
        }
    }
}

/// The running contracts of one campaign. Those that do not run are in the database only: explanations read them there.
#[derive(Clone, Default)]
pub struct CampaignContracts {
    index: ContractIndex,
    /// The contracts at the index's positions.
    places: Chunks<Option<Arc<Contract>>>,
    /// How many of them ask their buyers for bids.
    asking: usize,
    /// Those in test mode: few, and asked for tests only.
    tests: Vec<Arc<Contract>>,
    shut: Shut,
    /// How many of them let leads wait for their hours.
    waiting: usize,
}

/// Whether a contract lets leads wait for its hours.
fn waits(contract: &Contract) -> bool {
    contract.terms.outside_hours == OutsideHours::Wait && eligibility::has_hours(contract)
}

impl CampaignContracts {
    /// Puts a contract in, or its new terms in place of the old; one that does not run is taken out.
    pub fn put(&mut self, contract: impl Into<Arc<Contract>>) {
        let contract = contract.into();
        self.tests.retain(|known| known.id != contract.id);
        let tests = contract.terms.test && contract.runs();
        if tests {
            self.tests.push(Arc::clone(&contract));
        }
        if tests || !contract.runs() {
            let place = self.index.remove(contract.id).and_then(|position| self.place_mut(position));
            let before = place.and_then(Option::take);
            self.forget(before.as_deref());
            return;
        }
        let position = self.index.upsert(IndexEntry {
            contract: contract.id,
            filter: contract.whole_filter(),
            sources_allowed: contract.terms.sources_allowed.clone(),
            sources_denied: contract.terms.sources_denied.clone(),
        });
        self.shut.change(position, &contract);
        self.asking += usize::from(contract.terms.ping.is_some());
        self.waiting += usize::from(waits(&contract));
        let before = self.place_mut(position).and_then(|place| place.replace(contract));
        self.forget(before.as_deref());
    }

    /// A contract that was counted is not there any more.
    fn forget(&mut self, contract: Option<&Contract>) {
        self.asking -= usize::from(contract.is_some_and(|contract| contract.terms.ping.is_some()));
        self.waiting -= usize::from(contract.is_some_and(waits));
    }

    /// The contracts, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Contract>> {
        self.places.iter().flatten()
    }

    /// Whether any of them asks its buyer for bids: about tests, or about leads.
    #[must_use]
    pub fn ask(&self, test: bool) -> bool {
        if test { self.tests.iter().any(|contract| contract.terms.ping.is_some()) } else { self.asking > 0 }
    }

    /// The place of a position, made if it is the next.
    fn place_mut(&mut self, position: u32) -> Option<&mut Option<Arc<Contract>>> {
        let at = usize::try_from(position).ok()?;
        while at >= self.places.len() {
            self.places.push(None);
        }
        self.places.get_mut(at)
    }

    /// The contracts whose terms fit a lead at a moment, in id order: exactly those that [`eligibility::refusal`] does
    /// not refuse.
    #[must_use]
    pub fn fitting(
        &self,
        buyers: &HashMap<BuyerId, Arc<Buyer>>,
        facts: &LeadFacts,
        now: Timestamp,
        scratch: &mut Scratch,
    ) -> Vec<Fit> {
        if facts.test {
            return self.fitting_tests(buyers, facts, now);
        }
        let shut = self.shut.at(now, &self.places);
        let found = self.at(self.index.candidates_without(facts, &[&shut], scratch));
        fits(found, buyers, |_, buyer| (buyer.terms.status == Status::Active).then_some(()))
    }

    /// The contracts in test mode whose terms fit, in id order.
    fn fitting_tests(&self, buyers: &HashMap<BuyerId, Arc<Buyer>>, facts: &LeadFacts, now: Timestamp) -> Vec<Fit> {
        fits(self.tests.iter(), buyers, |contract, buyer| {
            eligibility::refusal(contract, buyer, facts, now).is_none().then_some(())
        })
    }

    /// The contracts whose terms would fit a lead but for the hour, and that let it wait, with the moment they open; in id
    /// order.
    #[must_use]
    pub fn opening(
        &self,
        buyers: &HashMap<BuyerId, Arc<Buyer>>,
        facts: &LeadFacts,
        now: Timestamp,
        scratch: &mut Scratch,
    ) -> Vec<(Fit, Timestamp)> {
        if self.waiting == 0 {
            return Vec::new();
        }
        let found = self.at(self.index.candidates_into(facts, scratch));
        paired(found, buyers, |contract, buyer| eligibility::opens_at(contract, buyer, now))
    }

    /// The contracts at positions of the index.
    fn at<'a>(&'a self, positions: &'a [u32]) -> impl Iterator<Item = &'a Arc<Contract>> {
        positions.iter().filter_map(|position| self.places.get(usize::try_from(*position).ok()?)?.as_ref())
    }
}

/// Those of the contracts about which something is found, with their buyers and what it is; in id order, since positions
/// are in the order in which contracts came and went.
fn paired<'a, T>(
    contracts: impl Iterator<Item = &'a Arc<Contract>>,
    buyers: &HashMap<BuyerId, Arc<Buyer>>,
    find: impl Fn(&Contract, &Buyer) -> Option<T>,
) -> Vec<(Fit, T)> {
    let found = contracts.filter_map(|contract| {
        let buyer = buyers.get(&contract.buyer_id)?;
        Some(((Arc::clone(contract), Arc::clone(buyer)), find(contract, buyer)?))
    });
    let mut found: Vec<(Fit, T)> = found.collect();
    found.sort_unstable_by_key(|((contract, _), _)| contract.id);
    found
}

/// The same, where only whether it is found matters.
fn fits<'a>(
    contracts: impl Iterator<Item = &'a Arc<Contract>>,
    buyers: &HashMap<BuyerId, Arc<Buyer>>,
    find: impl Fn(&Contract, &Buyer) -> Option<()>,
) -> Vec<Fit> {
    paired(contracts, buyers, find).into_iter().map(|(fit, ())| fit).collect()
}

#[cfg(test)]
#[path = "contracts_tests.rs"]
mod tests;
