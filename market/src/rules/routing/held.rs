//! Contracts outside their hours that say WAIT: whom a lead waits for, and who is held back meanwhile
//! ([`crate::rules::waiting`]).

use leadyard_types::terms::Stage;
use leadyard_types::{Check, ContractId, Method, Refusal, SaleMode, Timestamp};

use super::{Candidate, Run, Waiting, Waits, balance_refusal};

impl Candidate {
    /// Its place in a waterfall.
    pub(super) fn turn(&self) -> (u32, Timestamp, ContractId) {
        (self.priority, self.created_at, self.contract_id)
    }
}

impl Waiting {
    pub(super) fn waits(&self, held: bool) -> Waits {
        Waits { contract_id: self.candidate.contract_id, opens_at: self.opens_at, held }
    }
}

impl<'a> Run<'a> {
    /// Whether a contract would buy but for the hour. (The campaign's caps of that hour are nobody's to know: they are
    /// looked at then.)
    fn would_buy(&self, candidate: &Candidate) -> bool {
        let price = candidate.price.amount_minor;
        // What a buyer who is asked then will bid is not known.
        let affords = candidate.asks
            || (candidate.cap_refusal(price).is_none()
                && balance_refusal(candidate).is_none()
                && self.floor_refusal(candidate).is_none());
        self.slots > 0
            && candidate.already_sold.is_none()
            && candidate.consent.is_none()
            && affords
            && self.stage_refusal(candidate).is_none()
    }

    /// The contract for which a stage holds the lead back from those behind it.
    pub(super) fn holding(&self, stage: &Stage) -> Option<&'a Waiting> {
        let holds = stage.hold_for_window && stage.method == Method::Waterfall;
        if !holds || self.input.sale_mode != SaleMode::Exclusive {
            return None;
        }
        let own = self.input.waiting.iter().filter(|waiting| waiting.candidate.stage == stage.key);
        own.filter(|waiting| self.would_buy(&waiting.candidate)).min_by_key(|waiting| waiting.candidate.turn())
    }

    /// The contract that opens first, of those a lead that nobody buys waits for.
    pub(super) fn first_to_open(&self) -> Option<Waits> {
        let willing = self.input.waiting.iter().filter(|waiting| self.would_buy(&waiting.candidate));
        willing.min_by_key(|waiting| (waiting.opens_at, waiting.candidate.turn())).map(|waiting| waiting.waits(false))
    }
}

/// Why a contract behind one that is waited for does not get the lead.
pub(super) fn held_refusal(ahead: &Waiting) -> Refusal {
    Refusal::new(Check::NotChosen, "eligible, but the lead is held for a contract ahead of it whose window opens later")
        .seeing("opens at", ahead.opens_at.to_rfc3339())
}
