//! Where a lead goes after a routing run.

use leadyard_entity::placement::PlacementWrites;
use leadyard_types::lead::LeadEventKind;
use leadyard_types::{Check, LeadState, SaleState, Timestamp};
use serde_json::json;

use super::batch::Batch;
use super::rows::{Placed, Subject};
use crate::rules::aged;
use crate::waiting::offer_task;

/// Where a lead goes after a routing run.
pub(super) struct Outcome {
    pub(super) state: LeadState,
    pub(super) reason: Option<Check>,
    pub(super) retry_until: Option<Timestamp>,
    /// When it is offered again next.
    pub(super) offer_at: Option<Timestamp>,
}

impl Outcome {
    /// Where a lead stays that is not offered again by itself.
    fn at_rest(state: LeadState, reason: Option<Check>, retry_until: Option<Timestamp>) -> Self {
        Self { state, reason, retry_until, offer_at: None }
    }
}

impl Batch<'_> {
    /// Where the lead goes: sold, awaiting, queued for its window, or unsold.
    pub(super) fn outcome(
        &self,
        subject: &Subject<'_>,
        from: LeadState,
        retry_until: Option<Timestamp>,
        placed: &Placed,
        writes: &mut PlacementWrites,
    ) -> Outcome {
        let standing = |state: SaleState| subject.own_sales.iter().any(|sale| sale.state == state);
        if placed.sold > 0 || from == LeadState::Sold || standing(SaleState::Sold) {
            return Outcome::at_rest(LeadState::Sold, None, None);
        }
        if placed.pending > 0 || standing(SaleState::Pending) || standing(SaleState::Unknown) {
            // What is aged stays so while a buyer is asked: it goes back to whom aged leads are offered.
            let state = if from == LeadState::Aged { from } else { LeadState::Received };
            return Outcome::at_rest(state, None, retry_until);
        }
        if subject.promise_minor.is_some() {
            // Its supplier was promised a price now, and goes elsewhere: it is not offered again by itself.
            let detail = json!({ "check": Check::PromiseLapsed });
            Self::event(writes, subject.lead_id, LeadEventKind::Unsold, detail);
            return Outcome::at_rest(LeadState::Unsold, Some(Check::PromiseLapsed), None);
        }
        if from == LeadState::Aged {
            return self.aged_outcome(subject, retry_until, writes);
        }
        let unsold = subject.unsold(self.now);
        let Some(next) = unsold.next_offer(placed.waits.map(|waits| waits.opens_at)) else {
            let detail = json!({ "check": Check::NoBuyer });
            Self::event(writes, subject.lead_id, LeadEventKind::Unsold, detail);
            return Outcome::at_rest(LeadState::Unsold, Some(Check::NoBuyer), Some(unsold.window_end()));
        };
        writes.tasks.push(offer_task(subject.lead_id, next.at));
        if from != LeadState::Queued {
            let detail = match placed.waits {
                Some(waits) => json!({ "until": next.until, "waits_for": waits }),
                None => json!({ "until": next.until }),
            };
            Self::event(writes, subject.lead_id, LeadEventKind::Queued, detail);
        }
        Outcome {
            state: LeadState::Queued,
            reason: Some(Check::NoBuyer),
            retry_until: Some(next.until),
            offer_at: Some(next.at),
        }
    }

    /// An aged lead that nobody bought: offered again for a while, for less and less.
    fn aged_outcome(&self, subject: &Subject<'_>, until: Option<Timestamp>, writes: &mut PlacementWrites) -> Outcome {
        let occupied = subject.own_sales.iter().any(|sale| sale.state == SaleState::UnknownExpired && sale.exclusive);
        let policy = subject.campaign.terms.aged.as_ref().filter(|_| !occupied);
        let next = policy.zip(until).and_then(|(policy, until)| {
            aged::next_offer(policy, subject.facts.received_at, self.now, until).map(|at| (at, until))
        });
        let Some((at, until)) = next else {
            return Outcome::at_rest(LeadState::Aged, Some(Check::NoBuyer), None);
        };
        writes.tasks.push(offer_task(subject.lead_id, at));
        Outcome { state: LeadState::Aged, reason: Some(Check::NoBuyer), retry_until: Some(until), offer_at: Some(at) }
    }
}
