//! The world of a simulation: what decisions found at their moment, carried from one to the next. Pure.

use std::collections::HashMap;

use leadyard_entity::placement::{CapOwner, CounterUse, Counters, PriorSale};
use leadyard_types::{
    AccountId, BuyerId, CampaignId, ContractId, Currency, LeadId, Method, SaleId, SaleState, Timestamp,
};
use uuid::Uuid;

use super::caps::CapLog;
use crate::market::ComplaintRates;
use crate::placement::{Subject, Wallet, counter_key};
use crate::rules::cap::Buckets;
use crate::rules::method::StageState;
use crate::rules::routing::{Routing, RoutingInput};
use crate::snapshot::Fit;

/// A sale in the simulated world.
#[derive(Debug, Clone)]
pub(super) struct SimulatedSale {
    /// The sale of history that it is, where the same decision sold to the same contract.
    pub(super) recorded: Option<SaleId>,
    pub(super) lead_id: LeadId,
    pub(super) campaign_id: CampaignId,
    pub(super) contract_id: ContractId,
    pub(super) buyer_id: BuyerId,
    pub(super) group_id: Uuid,
    pub(super) leg: i64,
    pub(super) exclusive: bool,
    pub(super) currency: Currency,
    pub(super) price_minor: i64,
    /// What it earns its supplier, as placement reckons, minor units.
    pub(super) payout_minor: i64,
    /// What it would earn as the lead's first, where the supplier is paid once however often the lead is sold.
    pub(super) once_minor: Option<i64>,
    pub(super) state: SaleState,
    /// Whether it takes room in caps.
    pub(super) counted: bool,
    /// Whether a full credit gives that room back.
    pub(super) credit_frees_cap: bool,
    pub(super) credited_minor: i64,
    pub(super) sold_at: Timestamp,
    /// Whether it was made within the simulated span.
    pub(super) in_span: bool,
    /// What turns its stage's rotation once it is accepted.
    pub(super) turn: Option<Box<Turn>>,
}

/// A decision, kept until its sale's verdict is known.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) input: RoutingInput,
    pub(super) routing: Routing,
}

impl SimulatedSale {
    /// As placement sees it later.
    pub(super) const fn prior(&self) -> PriorSale {
        PriorSale {
            lead_id: self.lead_id,
            buyer_id: self.buyer_id,
            group_id: self.group_id,
            contract_id: self.contract_id,
            state: self.state,
            leg: self.leg,
            exclusive: self.exclusive,
            payout_minor: self.payout_minor,
        }
    }
}

/// Caps, wallets and rotations at a moment.
#[derive(Default)]
pub(super) struct World {
    caps: HashMap<CapOwner, CapLog>,
    pub(super) wallets: HashMap<(BuyerId, Currency), Wallet>,
    pub(super) rotations: HashMap<(CampaignId, String), StageState>,
    pub(super) rates: ComplaintRates,
    pub(super) buckets: Buckets,
}

impl World {
    /// Changes what a buyer may spend.
    pub(super) fn pay(&mut self, buyer: BuyerId, currency: Currency, amount_minor: i64) {
        let empty = Wallet { account: AccountId(Uuid::nil()), available_minor: 0 };
        let wallet = self.wallets.entry((buyer, currency)).or_insert(empty);
        wallet.available_minor = wallet.available_minor.saturating_add(amount_minor);
    }

    /// What is in the buckets of every cap that may matter to a lead.
    pub(super) fn counters<'f>(
        &mut self,
        subject: &Subject<'_>,
        fits: impl Iterator<Item = &'f Fit>,
        now: Timestamp,
    ) -> Counters {
        let mut counters = Counters::new();
        let campaign = subject.campaign;
        let zone = campaign.terms.time_zone;
        let of_campaign = (CapOwner::Campaign(campaign.id.0), &campaign.terms.caps[..], zone);
        let of_contracts = fits.flat_map(|(contract, buyer)| {
            let zone = buyer.terms.time_zone;
            [
                (CapOwner::Contract(contract.id.0), &contract.terms.caps[..], zone),
                (CapOwner::Contract(contract.id.0), contract.own_caps(), zone),
                (CapOwner::Buyer(buyer.id.0), &buyer.terms.caps[..], zone),
            ]
        });
        for (owner, caps, zone) in std::iter::once(of_campaign).chain(of_contracts) {
            for cap in caps {
                let bucket = self.buckets.of(cap.period, now, zone);
                let used = self.caps.get_mut(&owner).map_or_else(CounterUse::default, |log| log.used(bucket));
                counters.insert(counter_key(owner, bucket), used);
            }
        }
        counters
    }

    /// Takes money and room for a sale.
    pub(super) fn reserve(&mut self, sale: &SimulatedSale) {
        self.pay(sale.buyer_id, sale.currency, -sale.price_minor);
        for owner in owners(sale) {
            self.caps.entry(owner).or_default().add(sale.sold_at, sale.price_minor);
        }
    }

    /// Gives the room of a sale back to the buckets it was taken from.
    pub(super) fn give_back(&mut self, sale: &mut SimulatedSale) {
        if std::mem::take(&mut sale.counted) {
            for owner in owners(sale) {
                self.caps.entry(owner).or_default().remove(sale.sold_at, sale.price_minor);
            }
        }
    }

    /// Ends a sale whose verdict was awaited: its money and room are free.
    pub(super) fn release(&mut self, sale: &mut SimulatedSale, state: SaleState) {
        self.pay(sale.buyer_id, sale.currency, sale.price_minor);
        self.give_back(sale);
        sale.state = state;
        if state == SaleState::Rejected {
            sale.turn = None;
        }
    }

    /// A buyer accepted. A late acceptance takes its money again, and no room.
    pub(super) fn accept(&mut self, sale: &mut SimulatedSale) {
        if sale.state == SaleState::UnknownExpired {
            self.pay(sale.buyer_id, sale.currency, -sale.price_minor);
        }
        sale.state = SaleState::Sold;
        if let Some(turn) = sale.turn.take() {
            self.turn(sale.campaign_id, &turn.input, &turn.routing, sale.contract_id);
        }
    }

    /// Only a sale turns its stage's rotation; nobody asks that of a waterfall.
    pub(super) fn turn(&mut self, campaign: CampaignId, input: &RoutingInput, routing: &Routing, winner: ContractId) {
        let candidate = input.candidates.iter().find(|candidate| candidate.contract_id == winner);
        let stage = candidate.and_then(|found| input.stages.iter().find(|stage| stage.key == found.stage));
        if let Some(stage) = stage.filter(|stage| stage.method != Method::Waterfall) {
            let rotation = self.rotations.entry((campaign, input.rotation_key(&stage.key))).or_default();
            input.turn(stage, &routing.verdicts, rotation, winner);
        }
    }
}

/// Whose caps a sale counts in.
const fn owners(sale: &SimulatedSale) -> [CapOwner; 3] {
    [CapOwner::Contract(sale.contract_id.0), CapOwner::Buyer(sale.buyer_id.0), CapOwner::Campaign(sale.campaign_id.0)]
}
