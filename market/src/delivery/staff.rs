//! What staff do about deliveries and verdicts.

use std::time::Duration;

use leadyard_entity::placement::NewEvent;
use leadyard_entity::tasks::{NewTask, TaskStanding};
use leadyard_entity::{StoreError, StoreResult, Write};
use leadyard_types::lead::LeadEventKind;
use leadyard_types::{
    DeliveryId, DeliveryState, DestinationId, Principal, Role, SaleId, SaleState, SettledBy, Status, TaskPayload,
};
use serde_json::json;

use crate::market::Market;
use crate::patience::patiently;
use crate::settlement::VerdictGiven;

/// How long a person waits while transactions are in each other's way.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How many waiting deliveries get their tasks in one statement.
const CHUNK: u32 = 1_000;

/// The task of a delivery: while it waits, no second one is added.
#[must_use]
pub fn deliver_key(delivery: DeliveryId) -> String {
    format!("deliver:{delivery}")
}

/// The task that asks for a sale's verdict.
#[must_use]
pub fn post_key(sale: SaleId) -> String {
    format!("post:{sale}")
}

/// Whether a principal runs the market's deliveries.
fn runs_deliveries(principal: Principal) -> bool {
    matches!(principal, Principal::Staff { role: Role::Admin | Role::Manager, .. } | Principal::System(_))
}

/// Whether a principal may say what became of held money.
fn decides_money(principal: Principal) -> bool {
    runs_deliveries(principal) || matches!(principal, Principal::Staff { role: Role::Finance, .. })
}

impl Market {
    /// Staff say what became of a sale whose answer was lost. Answers false if there is nothing to resolve, or not by
    /// this caller. Late acceptances must be covered by the buyer's wallet.
    pub async fn resolve_unknown(&self, principal: Principal, sale_id: SaleId, accepted: bool) -> StoreResult<bool> {
        if !decides_money(principal) {
            return Ok(false);
        }
        patiently(PATIENCE, || self.resolve_once(principal, sale_id, accepted)).await
    }

    async fn resolve_once(&self, principal: Principal, sale_id: SaleId, accepted: bool) -> StoreResult<bool> {
        let mut write = self.store.write(principal).await?;
        let Some(sale) = self.lock_sale(&write, sale_id).await? else { return Ok(false) };
        // A pending sale is still being asked about: its own worker settles it.
        if sale.state == SaleState::Pending.as_str() {
            return Ok(false);
        }
        let verdict = if accepted { VerdictGiven::Accepted(None) } else { VerdictGiven::Rejected(None) };
        if !self.settle(&mut write, &sale, &verdict, SettledBy::Staff).await? {
            return Ok(false);
        }
        write.audit("resolve", "sale", Some(sale_id.0), &json!({ "accepted": accepted })).await?;
        let _ = write.commit().await?;
        self.settled.notify_waiters();
        Ok(true)
    }

    /// Sends a delivery now, with a fresh schedule: one that had ended again, one that waits for its next attempt sooner.
    /// Answers false if it is being sent at this moment or waits for a parked destination, if its sale does not stand, if
    /// there is none, or if the caller may not.
    pub async fn replay_delivery(&self, principal: Principal, id: DeliveryId) -> StoreResult<bool> {
        if !runs_deliveries(principal) {
            return Ok(false);
        }
        patiently(PATIENCE, || self.replay_once(principal, id)).await
    }

    async fn replay_once(&self, principal: Principal, id: DeliveryId) -> StoreResult<bool> {
        let mut write = self.store.write(principal).await?;
        let Some(lead_id) = write.lead_of_delivery(id).await? else { return Ok(false) };
        // Lead, delivery, destination, as the workers do; of the task nothing is waited for.
        write.hold_leads(&[lead_id].into()).await?;
        let Some(delivery) = write.lock_delivery(id).await? else { return Ok(false) };
        let state: DeliveryState = delivery.state.parse().map_err(StoreError::corrupt)?;
        let destination_id = DestinationId(delivery.destination_id);
        let destination = write.lock_destination(destination_id).await?;
        let parked = destination.is_none_or(|row| row.status != Status::Active.as_str());
        let under_way = write.lock_task(&deliver_key(id)).await? == Some(TaskStanding::UnderWay);
        let sale = write.sale(SaleId(delivery.sale_id)).await?;
        let stands = sale.is_some_and(|sale| sale.state == SaleState::Sold.as_str());
        if under_way || !stands || (parked && state == DeliveryState::Pending) {
            return Ok(false);
        }
        write.move_delivery(id, state.replay()).await?;
        add_deliver_tasks(&mut write, destination_id, &[id]).await?;
        let detail = json!({ "delivery_id": id });
        write.add_events(&[NewEvent { lead_id, kind: LeadEventKind::DeliveryReplayed, detail }]).await?;
        write.audit("replay", "delivery", Some(id.0), &json!({})).await?;
        let _ = write.commit().await?;
        Ok(true)
    }

    /// Takes a parked destination up again; what waited for it is due at once. Answers false if it is not parked or the
    /// caller may not.
    pub async fn resume_destination(&self, principal: Principal, id: DestinationId) -> StoreResult<bool> {
        if !runs_deliveries(principal) {
            return Ok(false);
        }
        patiently(PATIENCE, || self.resume_once(principal, id)).await
    }

    async fn resume_once(&self, principal: Principal, id: DestinationId) -> StoreResult<bool> {
        let mut write = self.store.write(principal).await?;
        if !write.resume_destination(id).await? {
            return Ok(false);
        }
        requeue_waiting(&mut write, id).await?;
        write.audit("resume", "destination", Some(id.0), &json!({})).await?;
        let _ = write.commit().await?;
        Ok(true)
    }
}

/// Gives everything that waits for a destination a task, due now.
pub(crate) async fn requeue_waiting(write: &mut Write, destination: DestinationId) -> StoreResult<()> {
    let mut last = None;
    loop {
        let waiting = write.waiting_deliveries(destination, last, CHUNK).await?;
        let Some(newest) = waiting.last() else { return Ok(()) };
        last = Some(*newest);
        add_deliver_tasks(write, destination, &waiting).await?;
    }
}

/// Fresh tasks for deliveries, due now.
async fn add_deliver_tasks(
    write: &mut Write,
    destination: DestinationId,
    deliveries: &[DeliveryId],
) -> StoreResult<()> {
    let now = write.store().clock().now();
    let keys: Vec<String> = deliveries.iter().map(|id| deliver_key(*id)).collect();
    write.remove_waiting(&keys).await?;
    let tasks: Vec<NewTask> = deliveries
        .iter()
        .zip(keys)
        .map(|(id, key)| NewTask {
            payload: TaskPayload::Deliver { delivery_id: *id },
            lane: destination.to_string(),
            run_at: now,
            dedupe_key: Some(key),
        })
        .collect();
    write.add_tasks(&tasks).await
}
