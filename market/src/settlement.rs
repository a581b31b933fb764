//! Settlement: what a buyer's verdict does to a sale, its hold, its money and its lead (`decisions` 13 to 16).
//!
//! Every function is one transaction under the published locks: campaign, the buyer's wallets, the lead. A hold is
//! resolved once; whoever comes second finds the sale settled and changes nothing.

mod earned;

use std::collections::BTreeSet;

use leadyard_entity::ledger::{NewTransfer, OPERATOR, TransferRefs};
use leadyard_entity::model::{delivery, sale};
use leadyard_entity::placement::{CounterUse, NewEvent};
use leadyard_entity::tasks::NewTask;
use leadyard_entity::{StoreError, StoreResult, Write};
use leadyard_types::lead::LeadEventKind;
use leadyard_types::ledger::HoldEnd;
use leadyard_types::{
    AccountId, AccountKind, BuyerId, BuyerVerdict, CampaignId, Check, ContractId, ContractTerms, Currency, DeliveryId,
    DeliveryState, LeadId, LeadState, Method, Money, RevisionId, SaleId, SaleState, SettledBy, SourceId, SupplierId,
    TaskPayload, Timestamp, TransferKind, time,
};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::delivery::{deliver_key, status_task};
use crate::market::Market;
use crate::rules::method::StageState;
use crate::rules::routing::{RoutingInput, route};
use crate::waiting::wake_soon_for;

/// The lane of placements: no remote system, so no limit of its own.
pub const PLACE_LANE: &str = "place";
/// The lane of expiring holds.
pub const EXPIRE_LANE: &str = "expire";

/// Why a buyer refused who only said that it has the lead.
const HAD_ALREADY: &str = "the buyer had it already";

/// What the buyer's answer came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerdictGiven {
    /// Taken; the buyer's own mark of the lead.
    Accepted(Option<String>),
    /// Not taken, and why.
    Rejected(Option<String>),
    /// Sent, but the answer was lost.
    Lost,
    /// The window of a lost answer is over.
    Expired,
}

impl VerdictGiven {
    /// What a buyer said, in words of its own. Had already is not taken: the next contract's turn.
    pub(crate) fn of(verdict: BuyerVerdict, reason: Option<String>, reference: Option<String>) -> Self {
        match verdict {
            BuyerVerdict::Accepted => Self::Accepted(reference),
            BuyerVerdict::Rejected => Self::Rejected(reason),
            BuyerVerdict::Duplicate => Self::Rejected(reason.or_else(|| Some(HAD_ALREADY.to_owned()))),
        }
    }

    /// Where the asking delivery stands then.
    pub(crate) fn delivery_state(&self) -> DeliveryState {
        match self {
            Self::Accepted(_) => DeliveryState::Accepted,
            Self::Rejected(_) => DeliveryState::Rejected,
            Self::Lost | Self::Expired => DeliveryState::Unknown,
        }
    }
}

impl Market {
    /// Takes the locks for one sale and reads it.
    pub(crate) async fn lock_sale(&self, write: &Write, id: SaleId) -> StoreResult<Option<sale::Model>> {
        // Which rows to lock never changes, so it may be read before they are.
        let Some(sale) = write.sale(id).await? else { return Ok(None) };
        write.lock_campaigns(&BTreeSet::from([CampaignId(sale.campaign_id)])).await?;
        write.lock_wallets(&BTreeSet::from([BuyerId(sale.buyer_id)])).await?;
        write.hold_leads(&BTreeSet::from([LeadId(sale.lead_id)])).await?;
        write.sale(id).await
    }

    /// Settles a sale by a verdict inside a transaction, with the delivery that asked for it; answers false where it was
    /// settled already.
    pub(crate) async fn settle(
        &self,
        write: &mut Write,
        sale: &sale::Model,
        verdict: &VerdictGiven,
        by: SettledBy,
    ) -> StoreResult<bool> {
        let state: SaleState = sale.state.parse().map_err(StoreError::corrupt)?;
        let next = match verdict {
            VerdictGiven::Accepted(_) => state.accept(),
            VerdictGiven::Rejected(_) => state.reject(),
            VerdictGiven::Lost => state.lose_answer(),
            VerdictGiven::Expired => state.expire(),
        };
        let Ok(next) = next else { return Ok(false) };
        if *verdict != VerdictGiven::Expired {
            write.settle_asking_delivery(SaleId(sale.id), verdict.delivery_state()).await?;
        }
        let kind = match verdict {
            VerdictGiven::Accepted(reference) => {
                self.accept_sale(write, sale, state, reference.clone()).await?;
                LeadEventKind::Sold
            }
            VerdictGiven::Rejected(reason) => {
                self.release_sale(write, sale, next, reason.clone()).await?;
                LeadEventKind::SaleRejected
            }
            VerdictGiven::Expired => {
                self.release_sale(write, sale, next, None).await?;
                LeadEventKind::SaleExpired
            }
            VerdictGiven::Lost => {
                self.lose_answer(write, sale).await?;
                LeadEventKind::SaleUnknown
            }
        };
        // The end of a hold takes its place in the order of decisions; the number is locked last.
        let no = write.next_decision_nos(1).await?;
        event(write, sale, kind, by, no).await?;
        Ok(true)
    }

    async fn accept_sale(
        &self,
        write: &mut Write,
        sale: &sale::Model,
        from: SaleState,
        reference: Option<String>,
    ) -> StoreResult<()> {
        let id = SaleId(sale.id);
        match write.open_hold(id).await? {
            Some(hold) => {
                let resolved = write.resolve_hold(&hold, HoldEnd::Posted).await?;
                if !resolved {
                    return Err(StoreError::Conflict("the hold was resolved already".to_owned()));
                }
            }
            // The hold of a late acceptance was voided: the money must still be there.
            None if from == SaleState::UnknownExpired => must_cover(write, sale).await?,
            None => {}
        }
        // A late acceptance does not count in caps again: its capacity was given back and may be used by now, and caps
        // are never overshot.
        let counted = sale.counted && from != SaleState::UnknownExpired;
        write.move_sale(id, SaleState::Sold, counted, reference, None).await?;
        if !sale.test {
            self.turn_rotation(write, sale).await?;
        }
        let waiting = [LeadState::Received, LeadState::Queued, LeadState::Unsold, LeadState::Aged];
        write.move_lead(LeadId(sale.lead_id), &waiting, LeadState::Sold, None).await?;
        self.deliver_elsewhere(write, sale).await?;
        let payout_minor = earned::by(write, sale).await?;
        let late = from == SaleState::UnknownExpired;
        book(write, sale, Amounts { price_minor: sale.price_minor, payout_minor, late }).await
    }

    /// Only a sale turns a stage's rotation, and this one has become one now: among the contracts that could have bought
    /// when it was decided.
    async fn turn_rotation(&self, write: &Write, sale: &sale::Model) -> StoreResult<()> {
        let data: DecisionData =
            serde_json::from_str(&write.decision_data(sale.decision_id).await?).map_err(StoreError::corrupt)?;
        let input = data.input;
        let Some(stage) = input.stages.iter().find(|stage| stage.key == sale.stage) else { return Ok(()) };
        if stage.method == Method::Waterfall {
            return Ok(());
        }
        let campaign_id = CampaignId(sale.campaign_id);
        let stored = write.rotations(&BTreeSet::from([campaign_id])).await?;
        let key = (campaign_id, input.rotation_key(&sale.stage));
        let mut rotation: StageState = match stored.get(&key) {
            Some(text) => serde_json::from_str(text).map_err(StoreError::corrupt)?,
            None => StageState::default(),
        };
        input.turn(stage, &route(&input).verdicts, &mut rotation, ContractId(sale.contract_id));
        let text = serde_json::to_string(&rotation).map_err(StoreError::corrupt)?;
        write.save_rotations([(key, text)].into()).await
    }

    /// The contract's other destinations get the lead once it is sold.
    async fn deliver_elsewhere(&self, write: &mut Write, sale: &sale::Model) -> StoreResult<()> {
        let terms = agreed(write, sale).await?;
        let now = self.clock().now();
        let (mut rows, mut tasks) = (Vec::new(), Vec::new());
        for destination in terms.destinations.iter().skip(1) {
            let delivery_id = DeliveryId(self.ids().uuid());
            rows.push(delivery::Model {
                id: delivery_id.0,
                sale_id: sale.id,
                lead_id: sale.lead_id,
                buyer_id: sale.buyer_id,
                destination_id: destination.0,
                state: DeliveryState::Pending.as_str().to_owned(),
                attempts: 0,
                next_attempt_at: Some(now),
                reference: None,
                created_at: now,
                finished_at: None,
            });
            let payload = TaskPayload::Deliver { delivery_id };
            let dedupe_key = Some(deliver_key(delivery_id));
            tasks.push(NewTask { payload, lane: destination.to_string(), run_at: now, dedupe_key });
        }
        write.add_deliveries(rows).await?;
        write.add_tasks(&tasks).await
    }

    /// Lets a sale go: its hold is voided, its cap capacity given back to the original buckets.
    async fn release_sale(
        &self,
        write: &mut Write,
        sale: &sale::Model,
        next: SaleState,
        reason: Option<String>,
    ) -> StoreResult<()> {
        let id = SaleId(sale.id);
        if sale.counted {
            let used = CounterUse { count: 1, amount_minor: sale.price_minor };
            write.give_back(&owners(sale), sale.sold_at, used).await?;
        }
        write.move_sale(id, next, false, None, reason).await?;
        let lead = LeadId(sale.lead_id);
        if next == SaleState::UnknownExpired && sale.exclusive {
            // The buyer may have it after all: it is not sold again by itself.
            write.move_lead(lead, &[LeadState::Received], LeadState::Unsold, Some(Check::NoBuyer)).await?;
        } else {
            // The next contract's turn.
            let key = Some(format!("place:{lead}:after:{id}:{next}"));
            let (payload, run_at) = (TaskPayload::Place { lead_id: lead }, self.clock().now());
            let task = NewTask { payload, lane: PLACE_LANE.to_owned(), run_at, dedupe_key: key };
            write.add_tasks(&[task]).await?;
        }
        if let Some(hold) = write.open_hold(id).await?
            && !write.resolve_hold(&hold, HoldEnd::Voided).await?
        {
            return Err(StoreError::Conflict("the hold was resolved already".to_owned()));
        }
        if let Some((sold, payout_minor)) = earned::instead_of(write, sale).await? {
            book(write, &sold, Amounts { price_minor: 0, payout_minor, late: false }).await?;
        }
        // What it held may buy a lead that waits; a test held nothing.
        if sale.test { Ok(()) } else { wake_soon_for(write, BuyerId(sale.buyer_id)).await }
    }

    async fn lose_answer(&self, write: &mut Write, sale: &sale::Model) -> StoreResult<()> {
        let id = SaleId(sale.id);
        write.move_sale(id, SaleState::Unknown, sale.counted, None, None).await?;
        let minutes = agreed(write, sale).await?.unknown_window_minutes;
        let now = self.clock().now();
        let mut tasks = vec![expire_task(id, time::after(now, chrono::Duration::minutes(i64::from(minutes))))];
        tasks.extend(status_task(write, id, now).await?);
        write.add_tasks(&tasks).await
    }
}

/// What a sale moves.
#[derive(Debug, Clone, Copy)]
struct Amounts {
    price_minor: i64,
    payout_minor: i64,
    /// A late acceptance is a transfer of its own kind of key (`decisions` 14).
    late: bool,
}

/// The charge and the supplier's share, each under a key of its own.
async fn book(write: &Write, sale: &sale::Model, amounts: Amounts) -> StoreResult<()> {
    let currency: Currency = sale.currency.parse().map_err(StoreError::corrupt)?;
    let keys = [
        (AccountKind::BuyerWallet, sale.buyer_id, currency),
        (AccountKind::Revenue, OPERATOR, currency),
        (AccountKind::PayoutCost, OPERATOR, currency),
        (AccountKind::SupplierPayable, sale.supplier_id, currency),
    ];
    let accounts = write.ensure_accounts(&keys.into_iter().collect()).await?;
    let account = |key: &(AccountKind, Uuid, Currency)| {
        accounts.get(key).map(|row| AccountId(row.id)).ok_or_else(|| StoreError::corrupt("ledger_account"))
    };
    let refs = TransferRefs {
        sale: Some(SaleId(sale.id)),
        lead: Some(LeadId(sale.lead_id)),
        complaint: None,
        campaign: Some(CampaignId(sale.campaign_id)),
        source: Some(SourceId(sale.source_id)),
        supplier: Some(SupplierId(sale.supplier_id)),
        buyer: Some(BuyerId(sale.buyer_id)),
        contract: Some(ContractId(sale.contract_id)),
    };
    let day = sale.day.parse().map_err(StoreError::corrupt)?;
    let suffix = if amounts.late { ":late" } else { "" };
    let transfer = |kind, debit, credit, amount_minor, key: String| NewTransfer {
        kind,
        debit,
        credit,
        money: Money::new(amount_minor, currency),
        refs,
        day,
        memo: None,
        idempotency_key: key,
    };
    let mut transfers = Vec::with_capacity(2);
    if amounts.price_minor > 0 {
        let key = format!("sale:{}{suffix}", sale.id);
        transfers.push(transfer(TransferKind::Sale, account(&keys[0])?, account(&keys[1])?, amounts.price_minor, key));
    }
    if amounts.payout_minor > 0 {
        let key = format!("payout:sale:{}{suffix}", sale.id);
        transfers.push(transfer(
            TransferKind::Payout,
            account(&keys[2])?,
            account(&keys[3])?,
            amounts.payout_minor,
            key,
        ));
    }
    write.post(&transfers).await.map(|_| ())
}

/// The task that ends an unknown sale's hold.
pub(crate) fn expire_task(sale: SaleId, run_at: Timestamp) -> NewTask {
    let payload = TaskPayload::ExpireUnknown { sale_id: sale };
    NewTask { payload, lane: EXPIRE_LANE.to_owned(), run_at, dedupe_key: Some(format!("expire:{sale}")) }
}

/// The contract's terms as they were agreed when the sale was decided.
pub(crate) async fn agreed(write: &Write, sale: &sale::Model) -> StoreResult<ContractTerms> {
    let terms = write.revision_terms(RevisionId(sale.contract_revision_id)).await?;
    serde_json::from_str(&terms).map_err(StoreError::corrupt)
}

/// A sale never takes a wallet below its limit, a late one neither.
async fn must_cover(write: &Write, sale: &sale::Model) -> StoreResult<()> {
    let wallets = write.lock_wallets(&BTreeSet::from([BuyerId(sale.buyer_id)])).await?;
    let wallet = wallets.iter().find(|wallet| wallet.currency == sale.currency);
    let available = wallet.map_or(0, |row| row.balance_minor - row.held_minor + row.credit_limit_minor);
    if available >= sale.price_minor {
        return Ok(());
    }
    Err(StoreError::Conflict("the buyer's wallet does not cover this sale any more; top it up first".to_owned()))
}

/// Whose caps a sale counts in.
pub(crate) fn owners(sale: &sale::Model) -> [Uuid; 3] {
    [sale.contract_id, sale.buyer_id, sale.campaign_id]
}

/// What a decision stored, as far as a settlement needs it.
#[derive(Deserialize)]
struct DecisionData {
    input: RoutingInput,
}

/// The step in the lead's timeline, with its place in the order of decisions.
async fn event(write: &Write, sale: &sale::Model, kind: LeadEventKind, by: SettledBy, no: i64) -> StoreResult<()> {
    let detail = json!({ "sale_id": sale.id, "contract_id": sale.contract_id, "buyer_id": sale.buyer_id,
        "price_minor": sale.price_minor, "currency": sale.currency, "no": no, "by": by });
    write.add_events(&[NewEvent { lead_id: LeadId(sale.lead_id), kind, detail }]).await
}
