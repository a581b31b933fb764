//! Waiting: which contract a lead waits for, when it is offered again next, and whether anything is new then.
//!
//! Outside its hours a contract is passed over: the next one gets the lead. A contract that says WAIT is waited for, but
//! only by a lead that nobody buys at once; a lead is never held back from a buyer who pays now, unless the contract
//! takes part in a waterfall stage that says `hold_for_window` and comes before that buyer. How long: until the campaign's
//! window for unsold leads ends, or as long as the contract says, counted from when the lead came in. A contract is not
//! waited for where something else than the hours stands in the way too: it had the person, the consent does not name
//! it, its caps of the hour at which it opens are full, its money does not do, its price is below the floor.

use chrono::Duration;
use leadyard_types::terms::UnsoldPolicy;
use leadyard_types::{Check, ContractId, RevisionId, Timestamp, time};

use super::routing::{Routing, RoutingInput, Waits};

/// A lead that nobody bought yet, on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsold {
    /// When it came in.
    pub received_at: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// Until when it is offered, where that was said before.
    pub until: Option<Timestamp>,
    /// What its campaign says.
    pub policy: UnsoldPolicy,
}

/// When a lead is offered again next, and until when in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextOffer {
    /// Next.
    pub at: Timestamp,
    /// At last.
    pub until: Timestamp,
}

impl Unsold {
    /// When its window ends.
    #[must_use]
    pub fn window_end(&self) -> Timestamp {
        self.until.unwrap_or_else(|| later(self.now, self.policy.retry_window_minutes))
    }

    /// Whether it waits for a contract that opens at a moment.
    #[must_use]
    pub fn waits_for(&self, opens_at: Timestamp, wait_at_most_minutes: Option<u32>) -> bool {
        let last = wait_at_most_minutes.map_or_else(|| self.window_end(), |minutes| later(self.received_at, minutes));
        opens_at > self.now && opens_at <= last
    }

    /// When it is offered next: after a while, or when the window opens for which it waits. `None` once nothing is left
    /// to wait for.
    #[must_use]
    pub fn next_offer(&self, opens_at: Option<Timestamp>) -> Option<NextOffer> {
        let opens_at = opens_at.filter(|opens_at| *opens_at > self.now);
        let until = opens_at.map_or_else(|| self.window_end(), |opens_at| opens_at.max(self.window_end()));
        let looks = self.policy.retry_window_minutes > 0 && self.now < until;
        let again = looks.then(|| later(self.now, self.policy.retry_every_minutes.max(1)).min(until));
        let at = again.into_iter().chain(opens_at).min()?;
        Some(NextOffer { at, until })
    }
}

fn later(from: Timestamp, minutes: u32) -> Timestamp {
    time::after(from, Duration::minutes(i64::from(minutes)))
}

/// Whether a second look at a lead that nobody bought found the same contracts refusing for the same reasons, at the same
/// terms and prices: then there is nothing to write down.
#[must_use]
pub fn nothing_new(before: (&RoutingInput, &Routing), after: (&RoutingInput, &Routing)) -> bool {
    standing(before) == standing(after)
}

type Standing<'a> = (Vec<(ContractId, RevisionId, i64, Option<Check>)>, Option<&'a Waits>, Option<&'a str>, usize);

/// What matters of a look at which nobody bought.
fn standing<'a>((input, routing): (&'a RoutingInput, &'a Routing)) -> Standing<'a> {
    let verdict = |verdict: &leadyard_types::ContractVerdict| {
        let check = verdict.refusal.as_ref().map(|refusal| refusal.check);
        (verdict.contract_id, verdict.revision_id, verdict.price_minor, check)
    };
    let split = input.plan.as_ref().map(|plan| plan.split.as_str());
    (routing.verdicts.iter().map(verdict).collect(), routing.waits.as_ref(), split, routing.winners.len())
}

#[cfg(test)]
#[path = "waiting_tests.rs"]
mod tests;
