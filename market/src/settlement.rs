//! Settlement: what a buyer's verdict does to a sale, its hold, its money and its lead (`decisions` 13 to 16).
//!
//! Every function is one transaction under the published locks: campaign, the buyer's wallets, the lead. A hold is
//! resolved once; whoever comes second finds the sale settled and changes nothing.

use std::collections::BTreeSet;

use leadyard_entity::ledger::{NewTransfer, OPERATOR, TransferRefs};
use leadyard_entity::model::{delivery, sale};
use leadyard_entity::placement::{CounterUse, NewEvent};
use leadyard_entity::tasks::NewTask;
use leadyard_entity::{StoreError, StoreResult, Write};
use leadyard_types::lead::LeadEventKind;
use leadyard_types::ledger::HoldEnd;
use leadyard_types::{
    AccountId, AccountKind, BuyerId, CampaignId, ContractId, Currency, DeliveryId, DeliveryState, LeadId, LeadState,
    Method, Money, SaleId, SaleState, SourceId, SupplierId, TaskPayload, TransferKind,
};
use serde_json::json;
use uuid::Uuid;

use crate::market::Market;
use crate::rules::method::StageState;

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

impl Market {
    /// Takes the locks for one sale and reads it.
    pub(crate) async fn lock_sale(&self, write: &Write, id: SaleId) -> StoreResult<Option<sale::Model>> {
        // Which rows to lock never changes, so it may be read before they are.
        let Some(sale) = write.sale(id).await? else { return Ok(None) };
        write.lock_campaigns(&BTreeSet::from([CampaignId(sale.campaign_id)])).await?;
        write.lock_wallets(&BTreeSet::from([BuyerId(sale.buyer_id)])).await?;
        write.lock_leads(&BTreeSet::from([LeadId(sale.lead_id)])).await?;
        write.sale(id).await
    }

    /// Settles a sale by a verdict inside a transaction; answers false where it was settled already.
    pub(crate) async fn settle(
        &self,
        write: &mut Write,
        sale: &sale::Model,
        verdict: &VerdictGiven,
    ) -> StoreResult<bool> {
        let state: SaleState = sale.state.parse().map_err(StoreError::corrupt)?;
        let next = match verdict {
            VerdictGiven::Accepted(_) => state.accept(),
            VerdictGiven::Rejected(_) => state.reject(),
            VerdictGiven::Lost => state.lose_answer(),
            VerdictGiven::Expired => state.expire(),
        };
        let Ok(next) = next else { return Ok(false) };
        match verdict {
            VerdictGiven::Accepted(reference) => self.accept_sale(write, sale, state, reference.clone()).await?,
            VerdictGiven::Rejected(reason) => self.release_sale(write, sale, next, reason.clone()).await?,
            VerdictGiven::Expired => self.release_sale(write, sale, next, None).await?,
            VerdictGiven::Lost => self.lose_answer(write, sale).await?,
        }
        // The end of a hold takes its place in the order of decisions.
        write.next_decision_nos(1).await?;
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
        if let Some(hold) = write.open_hold(id).await? {
            write.resolve_hold(&hold, HoldEnd::Posted).await?;
        }
        if from == SaleState::UnknownExpired {
            self.recount(write, sale).await?;
        }
        write.move_sale(id, SaleState::Sold, true, reference, None).await?;
        self.charge(write, sale).await?;
        self.turn_rotation(write, sale).await?;
        let lead = LeadId(sale.lead_id);
        for state in [LeadState::Received, LeadState::Queued, LeadState::Unsold] {
            write.move_lead(lead, state, LeadState::Sold, None).await?;
        }
        self.deliver_elsewhere(write, sale).await?;
        event(write, sale, LeadEventKind::Sold).await
    }

    /// A late acceptance counts again, in the buckets of its own time.
    async fn recount(&self, write: &Write, sale: &sale::Model) -> StoreResult<()> {
        let taken = CounterUse { count: -1, amount_minor: -sale.price_minor };
        write.give_back(&owners(sale), sale.sold_at, taken).await
    }

    /// The charge and the supplier's share, each under a key of its own.
    async fn charge(&self, write: &Write, sale: &sale::Model) -> StoreResult<()> {
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
        if sale.price_minor > 0 {
            let key = format!("sale:{}", sale.id);
            transfers.push(transfer(TransferKind::Sale, account(&keys[0])?, account(&keys[1])?, sale.price_minor, key));
        }
        if sale.payout_minor > 0 {
            let key = format!("payout:sale:{}", sale.id);
            transfers.push(transfer(
                TransferKind::Payout,
                account(&keys[2])?,
                account(&keys[3])?,
                sale.payout_minor,
                key,
            ));
        }
        write.post(&transfers).await.map(|_| ())
    }

    /// Only a sale turns a stage's rotation, and this one has become one now.
    async fn turn_rotation(&self, write: &Write, sale: &sale::Model) -> StoreResult<()> {
        let campaign_id = CampaignId(sale.campaign_id);
        let snapshot = self.snapshot();
        let Some(campaign) = snapshot.campaigns.get(&campaign_id) else { return Ok(()) };
        let Some(stage) = campaign.terms.stages.iter().find(|stage| stage.key == sale.stage) else { return Ok(()) };
        let contract_id = ContractId(sale.contract_id);
        let contract = snapshot.contracts.get(&campaign_id).and_then(|contracts| contracts.get(&contract_id));
        let (Some(contract), false) = (contract, stage.method == Method::Waterfall) else { return Ok(()) };
        let stored = write.rotations(&BTreeSet::from([campaign_id])).await?;
        let mut rotation: StageState = match stored.get(&(campaign_id, sale.stage.clone())) {
            Some(text) => serde_json::from_str(text).map_err(StoreError::corrupt)?,
            None => StageState::default(),
        };
        let terms = &contract.terms;
        let member = rotation.member(contract_id, terms.priority, terms.weight, contract.created_at);
        rotation.on_sale(stage.method, &[member], contract_id);
        let text = serde_json::to_string(&rotation).map_err(StoreError::corrupt)?;
        write.save_rotations([((campaign_id, sale.stage.clone()), text)].into()).await
    }

    /// The contract's other destinations get the lead once it is sold.
    async fn deliver_elsewhere(&self, write: &mut Write, sale: &sale::Model) -> StoreResult<()> {
        let snapshot = self.snapshot();
        let contracts = snapshot.contracts.get(&CampaignId(sale.campaign_id));
        let Some(contract) = contracts.and_then(|contracts| contracts.get(&ContractId(sale.contract_id))) else {
            return Ok(());
        };
        let now = self.clock().now();
        let (mut rows, mut tasks) = (Vec::new(), Vec::new());
        for destination in contract.terms.destinations.iter().skip(1) {
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
            tasks.push(NewTask { payload, lane: destination.to_string(), run_at: now, dedupe_key: None });
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
        if let Some(hold) = write.open_hold(id).await? {
            write.resolve_hold(&hold, HoldEnd::Voided).await?;
        }
        if sale.counted {
            write
                .give_back(&owners(sale), sale.sold_at, CounterUse { count: 1, amount_minor: sale.price_minor })
                .await?;
        }
        write.move_sale(id, next, false, None, reason).await?;
        if next == SaleState::Rejected {
            // The next contract's turn. An expired unknown is not sold again by itself.
            let payload = TaskPayload::Place { lead_id: LeadId(sale.lead_id) };
            let now = self.clock().now();
            let key = format!("place:{}:after:{}", sale.lead_id, sale.id);
            write
                .add_tasks(&[NewTask { payload, lane: "place".to_owned(), run_at: now, dedupe_key: Some(key) }])
                .await?;
            return event(write, sale, LeadEventKind::SaleRejected).await;
        }
        write.move_lead(LeadId(sale.lead_id), LeadState::Received, LeadState::Unsold, None).await?;
        event(write, sale, LeadEventKind::SaleExpired).await
    }

    async fn lose_answer(&self, write: &mut Write, sale: &sale::Model) -> StoreResult<()> {
        let id = SaleId(sale.id);
        write.move_sale(id, SaleState::Unknown, true, None, None).await?;
        let snapshot = self.snapshot();
        let contracts = snapshot.contracts.get(&CampaignId(sale.campaign_id));
        let contract = contracts.and_then(|contracts| contracts.get(&ContractId(sale.contract_id)));
        let minutes = contract.map_or(24 * 60, |contract| contract.terms.unknown_window_minutes);
        let run_at = self.clock().now() + chrono::Duration::minutes(i64::from(minutes));
        let payload = TaskPayload::ExpireUnknown { sale_id: id };
        let key = format!("expire:{id}");
        write.add_tasks(&[NewTask { payload, lane: "expire".to_owned(), run_at, dedupe_key: Some(key) }]).await?;
        event(write, sale, LeadEventKind::SaleUnknown).await
    }
}

/// Whose caps a sale counts in.
fn owners(sale: &sale::Model) -> [Uuid; 3] {
    [sale.contract_id, sale.buyer_id, sale.campaign_id]
}

async fn event(write: &Write, sale: &sale::Model, kind: LeadEventKind) -> StoreResult<()> {
    let detail = json!({ "sale_id": sale.id, "contract_id": sale.contract_id, "buyer_id": sale.buyer_id,
        "price_minor": sale.price_minor, "currency": sale.currency });
    write.add_events(&[NewEvent { lead_id: LeadId(sale.lead_id), kind, detail }]).await
}
