//! The running contracts of one campaign, behind their index.

use std::collections::HashMap;
use std::sync::Arc;

use leadyard_types::{BuyerId, Timestamp};

use super::{Buyer, Contract};
use crate::eligibility;
use crate::rules::facts::LeadFacts;
use crate::rules::index::{ContractIndex, IndexEntry, Scratch};

/// A contract whose terms fit a lead, and its buyer.
pub type Fit = (Arc<Contract>, Arc<Buyer>);

/// The running contracts of one campaign. Those that do not run are in the database only: explanations read them there.
#[derive(Clone, Default)]
pub struct CampaignContracts {
    index: ContractIndex,
    /// The contracts at the index's positions.
    places: Vec<Option<Arc<Contract>>>,
    /// How many of them ask their buyers for bids.
    asking: usize,
    /// Those in test mode: few, and asked for tests only.
    tests: Vec<Arc<Contract>>,
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
            self.asking -= usize::from(before.is_some_and(|contract| contract.terms.ping.is_some()));
            return;
        }
        let position = self.index.upsert(IndexEntry {
            contract: contract.id,
            filter: contract.whole_filter(),
            sources_allowed: contract.terms.sources_allowed.clone(),
            sources_denied: contract.terms.sources_denied.clone(),
        });
        let asks = contract.terms.ping.is_some();
        let before = self.place_mut(position).and_then(|place| place.replace(contract));
        self.asking -= usize::from(before.is_some_and(|contract| contract.terms.ping.is_some()));
        self.asking += usize::from(asks);
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
        if at >= self.places.len() {
            self.places.resize(at + 1, None);
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
        let found = self.index.candidates_into(facts, scratch).iter();
        let contracts = found.filter_map(|position| self.places.get(usize::try_from(*position).ok()?)?.as_ref());
        let fits = contracts.filter_map(|contract| {
            let buyer = buyers.get(&contract.buyer_id)?;
            eligibility::buys_now(contract, buyer, now).then(|| (Arc::clone(contract), Arc::clone(buyer)))
        });
        let mut fits: Vec<Fit> = fits.collect();
        // Positions are in the order in which contracts came and went.
        fits.sort_unstable_by_key(|(contract, _)| contract.id);
        fits
    }

    /// The contracts in test mode whose terms fit, in id order.
    fn fitting_tests(&self, buyers: &HashMap<BuyerId, Arc<Buyer>>, facts: &LeadFacts, now: Timestamp) -> Vec<Fit> {
        let fits = self.tests.iter().filter_map(|contract| {
            let buyer = buyers.get(&contract.buyer_id)?;
            let fits = eligibility::refusal(contract, buyer, facts, now).is_none();
            fits.then(|| (Arc::clone(contract), Arc::clone(buyer)))
        });
        let mut fits: Vec<Fit> = fits.collect();
        fits.sort_unstable_by_key(|(contract, _)| contract.id);
        fits
    }
}

#[cfg(test)]
#[path = "contracts_tests.rs"]
mod tests;
