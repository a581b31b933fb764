//! The running contracts of one campaign, behind their index.

use std::collections::HashMap;
use std::sync::Arc;

use leadyard_types::{BuyerId, Status, Timestamp};

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
}

impl CampaignContracts {
    /// Puts a contract in, or its new terms in place of the old; one that does not run is taken out.
    pub fn put(&mut self, contract: Contract) {
        if contract.terms.status != Status::Active {
            let place = self.index.remove(contract.id).and_then(|position| self.place_mut(position));
            place.into_iter().for_each(|place| *place = None);
            return;
        }
        let position = self.index.upsert(IndexEntry {
            contract: contract.id,
            filter: contract.filter.clone(),
            sources_allowed: contract.terms.sources_allowed.clone(),
            sources_denied: contract.terms.sources_denied.clone(),
        });
        if let Some(place) = self.place_mut(position) {
            *place = Some(Arc::new(contract));
        }
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
}

#[cfg(test)]
#[path = "contracts_tests.rs"]
mod tests;
