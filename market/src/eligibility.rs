//! Check 8, its static half: which contracts' terms fit a lead. What depends on the moment (sold before, caps,
//! balance) is [`crate::rules::routing`]'s.

use leadyard_types::terms::OutsideHours;
use leadyard_types::{Check, Principal, Refusal, Schedule, Status, Timestamp};

use crate::rules::facts::LeadFacts;
use crate::rules::{consent, schedule};
use crate::snapshot::{Buyer, Contract};

/// The first static check that refuses a contract, in the published order: contract and buyer active → hours →
/// filters → source allowed.
#[must_use]
pub fn refusal(contract: &Contract, buyer: &Buyer, facts: &LeadFacts, now: Timestamp) -> Option<Refusal> {
    if contract.terms.status != Status::Active {
        let refusal = Refusal::new(Check::ContractActive, "the contract does not buy at the moment");
        return Some(refusal.seeing("status", contract.terms.status.as_str()));
    }
    if contract.own.as_ref().is_some_and(|own| own.paused) {
        return Some(Refusal::new(Check::ContractActive, "the buyer paused the contract itself"));
    }
    if contract.terms.test != facts.test {
        let message = if facts.test { "a test goes to contracts in test mode" } else { "the contract gets tests only" };
        return Some(Refusal::new(Check::TestMode, message));
    }
    if buyer.terms.status != Status::Active {
        let refusal = Refusal::new(Check::BuyerActive, "the buyer does not buy at the moment");
        return Some(refusal.seeing("status", buyer.terms.status.as_str()));
    }
    let own = contract.own.as_deref();
    let hours = [
        (contract.terms.schedule.as_ref(), "outside the contract's hours"),
        (own.and_then(|own| own.schedule.as_ref()), "outside the buyer's own hours"),
    ];
    for (hours, message) in hours {
        if let Some(hours) = hours.filter(|hours| !schedule::is_open(hours, now)) {
            let local = now.with_timezone(&hours.time_zone).format("%a %H:%M").to_string();
            let refusal = Refusal::new(Check::Hours, message);
            return Some(refusal.seeing("local time", format!("{local} {}", hours.time_zone)));
        }
    }
    if let Some(refusal) = contract.filter.as_ref().and_then(|filter| filter.refusal(facts)) {
        return Some(refusal);
    }
    if let Some(refusal) = own.and_then(|own| own.filter.as_ref()).and_then(|filter| filter.refusal(facts)) {
        return Some(Refusal { message: format!("the buyer's own filter: {}", refusal.message), ..refusal });
    }
    source_refusal(contract, facts)
}

/// Whether a contract's hours are open.
#[must_use]
pub fn is_open(contract: &Contract, now: Timestamp) -> bool {
    hours(contract).all(|hours| schedule::is_open(hours, now))
}

/// When a contract opens that is outside its hours and says that a lead waits for it; asked of those whose other terms fit.
#[must_use]
pub fn opens_at(contract: &Contract, buyer: &Buyer, now: Timestamp) -> Option<Timestamp> {
    let waits = contract.terms.outside_hours == OutsideHours::Wait && buyer.terms.status == Status::Active;
    let hours: Vec<&Schedule> = hours(contract).filter(|_| waits).collect();
    schedule::next_opening_of_all(&hours, now).filter(|opens_at| *opens_at > now)
}

/// Whether a contract has hours at all.
pub(crate) fn has_hours(contract: &Contract) -> bool {
    hours(contract).next().is_some()
}

/// The hours that were agreed and those its buyer set.
fn hours(contract: &Contract) -> impl Iterator<Item = &Schedule> {
    let own = contract.own.as_ref().and_then(|own| own.schedule.as_ref());
    contract.terms.schedule.iter().chain(own)
}

/// Whether a contract takes leads of the source.
pub(crate) fn source_refusal(contract: &Contract, facts: &LeadFacts) -> Option<Refusal> {
    let terms = &contract.terms;
    let source = facts.source_id.to_string();
    if terms.sources_denied.contains(&facts.source_id) {
        return Some(Refusal::new(Check::SourceList, "the contract refuses this source").seeing("source", source));
    }
    if !terms.sources_allowed.is_empty() && !terms.sources_allowed.contains(&facts.source_id) {
        return Some(Refusal::new(Check::SourceList, "the contract takes other sources only").seeing("source", source));
    }
    None
}

/// Whether the consent does for a contract that asks to be named in it.
#[must_use]
pub fn consent_refusal(contract: &Contract, buyer: &Buyer, facts: &LeadFacts) -> Option<Refusal> {
    if !contract.terms.consent_names_buyer {
        return None;
    }
    consent::check_names_buyer(facts.consent.as_ref(), &buyer.name).err()
}

/// Whether a principal may send leads into a source.
#[must_use]
pub fn may_send(principal: Principal, source: leadyard_types::SourceId) -> bool {
    match principal {
        Principal::Source { source_id } => source_id == source,
        Principal::Staff { role, .. } => matches!(role, leadyard_types::Role::Admin | leadyard_types::Role::Manager),
        Principal::System(_) => true,
        Principal::Buyer { .. } | Principal::Supplier { .. } => false,
    }
}
