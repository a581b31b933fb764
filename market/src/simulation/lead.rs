//! What a simulation keeps of one lead: its sales as history made them, and as they would have been.

use leadyard_entity::model::sale;
use leadyard_entity::replay::{SaleEvent, SaleTurn};
use leadyard_entity::{StoreError, StoreResult};
use leadyard_types::{BuyerId, ContractId, Currency, SaleId, SaleState, Timestamp, Verdict};
use uuid::Uuid;

use super::world::SimulatedSale;
use crate::placement::takes_a_place;

/// A sale of history.
#[derive(Debug, Clone)]
pub(super) struct RecordedSale {
    pub(super) id: SaleId,
    pub(super) decision_id: Uuid,
    pub(super) contract_id: ContractId,
    pub(super) buyer_id: BuyerId,
    pub(super) group_id: Uuid,
    pub(super) campaign_id: Uuid,
    pub(super) leg: i64,
    pub(super) exclusive: bool,
    pub(super) verdict: Verdict,
    /// Where it stands at the end of history.
    pub(super) state: SaleState,
    pub(super) currency: Currency,
    pub(super) price_minor: i64,
    pub(super) payout_minor: i64,
    pub(super) sold_at: Timestamp,
    /// Whether it was made within the simulated span.
    pub(super) in_span: bool,
}

impl RecordedSale {
    /// Reads a row. Where the sale stands follows from its events, so that what happens while history is read makes no
    /// difference.
    pub(super) fn read(row: &sale::Model, events: &[SaleEvent]) -> StoreResult<Self> {
        let verdict: Verdict = row.verdict.parse().map_err(StoreError::corrupt)?;
        let mut state = if verdict == Verdict::Sync { SaleState::Pending } else { SaleState::Sold };
        for event in events.iter().filter(|event| event.sale_id.0 == row.id) {
            state = after(state, event.turn);
        }
        Ok(Self {
            id: SaleId(row.id),
            decision_id: row.decision_id,
            contract_id: ContractId(row.contract_id),
            buyer_id: BuyerId(row.buyer_id),
            group_id: row.group_id,
            campaign_id: row.campaign_id,
            leg: row.leg,
            exclusive: row.exclusive,
            verdict,
            state,
            currency: row.currency.parse().map_err(StoreError::corrupt)?,
            price_minor: row.price_minor,
            payout_minor: row.payout_minor,
            sold_at: row.sold_at,
            in_span: false,
        })
    }
}

/// Where a sale stands after a turn.
const fn after(state: SaleState, turn: SaleTurn) -> SaleState {
    match turn {
        SaleTurn::Accepted => SaleState::Sold,
        SaleTurn::Refused => SaleState::Rejected,
        SaleTurn::Lost => SaleState::Unknown,
        SaleTurn::Expired => SaleState::UnknownExpired,
        SaleTurn::Complaint { .. } => state,
    }
}

/// A credit that history gave for a sale, minor units.
#[derive(Debug, Clone, Copy)]
pub(super) struct CreditGiven {
    pub(super) contract_id: ContractId,
    pub(super) credit_minor: i64,
    pub(super) clawback_minor: i64,
    /// What of it is given in the simulation.
    pub(super) simulated_minor: i64,
}

/// One lead.
#[derive(Debug, Default)]
pub(super) struct LeadRun {
    pub(super) recorded: Vec<RecordedSale>,
    pub(super) sales: Vec<SimulatedSale>,
    /// Whether one of its decisions came out differently.
    pub(super) diverged: bool,
    /// Whether a sale of it was let go and its next decision is due.
    pub(super) offered_again: bool,
    /// Whether one of its decisions was made within the simulated span.
    pub(super) in_span: bool,
    /// Whether its supplier is paid by drafted terms.
    pub(super) drafted_payout: bool,
    pub(super) currency: Option<Currency>,
    /// What the supplier earned by sending it, minor units: in history and in the simulation.
    pub(super) accepted_minor: (i64, i64),
    /// Why it went elsewhere, of the first decision in which it did.
    pub(super) reason: Option<String>,
    pub(super) credits: Vec<CreditGiven>,
    /// What its supplier was promised at the ping, minor units.
    pub(super) promise_minor: Option<i64>,
}

impl LeadRun {
    /// Whether a sale of it stands in the simulation.
    pub(super) fn is_sold(&self) -> bool {
        self.sales.iter().any(|sale| sale.state == SaleState::Sold)
    }

    /// Whether nobody bought it and nobody's answer is awaited.
    pub(super) fn is_waiting(&self) -> bool {
        !self.sales.iter().any(|sale| sale.state.occupies() || sale.state == SaleState::UnknownExpired)
    }

    /// What of the promise is still to be kept in the simulation, minor units.
    pub(super) fn promise_left(&self) -> Option<i64> {
        let prior = self.sales.iter().map(SimulatedSale::prior);
        let got: i64 = prior.filter(takes_a_place).map(|sale| sale.payout_minor).sum();
        self.promise_minor.map(|promise| promise - got)
    }

    /// The buyer's verdict about this lead, as far as history has it.
    pub(super) fn verdict_of(&self, contract: ContractId, buyer: BuyerId) -> Option<SaleState> {
        let asked = || self.recorded.iter().filter(|sale| sale.verdict == Verdict::Sync);
        let same = asked().find(|sale| sale.contract_id == contract);
        same.or_else(|| asked().find(|sale| sale.buyer_id == buyer)).map(|sale| sale.state)
    }
}
