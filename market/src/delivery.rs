//! Delivery: one claimed task, one attempt, one transaction that says what came of it.
//!
//! At least once, never silently lost, and effectively once where the receiver recognises the delivery's id. Nothing
//! is sent while a transaction is open, and nothing is written without the task's lease.

use leadyard_connectors::{Attempted, Connectors, DeliveryPackage, Named, next_attempt};
use leadyard_entity::deliveries::{AttemptRecord, DeliveryFacts};
use leadyard_entity::placement::NewEvent;
use leadyard_entity::tasks::{Claimed, NewTask, TaskEnd};
use leadyard_entity::{StoreError, StoreResult};
use leadyard_types::lead::LeadEventKind;
use leadyard_types::{
    BuyerId, CampaignId, ContractId, DeliveryId, DeliveryOutcome, DeliveryState, DestinationId, LeadId, Money,
    Principal, SaleId, SaleState, Status, SystemTask, TaskPayload, Timestamp,
};
use serde_json::json;

use crate::market::Market;
use crate::settlement::VerdictGiven;

/// How long a delivery waits before it looks again whether its parked destination was taken up.
const PARKED_MINUTES: i64 = 60;
/// How often a task may be claimed before it is given up: beyond the ten attempts of a delivery only crashes get there.
const MAX_CLAIMS: i64 = 60;

const DELIVER: Principal = Principal::System(SystemTask::Deliver);

/// What a delivery's attempt leads to.
struct NextStep {
    state: DeliveryState,
    next_at: Option<Timestamp>,
    event: Option<LeadEventKind>,
}

impl Market {
    /// Runs one claimed task to its end.
    pub async fn run_task(&self, connectors: &Connectors, task: &Claimed) -> StoreResult<()> {
        if task.attempts > MAX_CLAIMS {
            let error = format!("given up after {} claims", task.attempts);
            return self.end(task, TaskEnd::Dead { error }).await;
        }
        match task.payload {
            Some(TaskPayload::Deliver { delivery_id }) => self.deliver(connectors, task, delivery_id).await,
            Some(TaskPayload::Post { sale_id, delivery_id }) => self.post(connectors, task, sale_id, delivery_id).await,
            Some(TaskPayload::ExpireUnknown { sale_id }) => self.expire_unknown(task, sale_id).await,
            Some(TaskPayload::Place { lead_id }) => match self.place_again(lead_id).await {
                Ok(_) => {
                    self.settled.notify_waiters();
                    self.end(task, TaskEnd::Done).await
                }
                Err(crate::IntakeError::Store(error)) => Err(error),
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            },
            None => self.end(task, TaskEnd::Dead { error: "this version does not know this task".to_owned() }).await,
        }
    }

    /// Ends a task in a transaction of its own. A lost lease is somebody else's task now.
    pub async fn end(&self, task: &Claimed, end: TaskEnd) -> StoreResult<()> {
        let write = self.store.write(DELIVER).await?;
        if write.end_task(task, &end).await? {
            let _ = write.commit().await?;
        }
        Ok(())
    }

    async fn deliver(&self, connectors: &Connectors, task: &Claimed, id: DeliveryId) -> StoreResult<()> {
        let Some(facts) = self.store.read(DELIVER).delivery_facts(id).await? else {
            return self.end(task, TaskEnd::Done).await;
        };
        if facts.delivery.state != DeliveryState::Pending.as_str() {
            return self.end(task, TaskEnd::Done).await;
        }
        if facts.destination.status != Status::Active.as_str() {
            let run_at = self.clock().now() + chrono::Duration::minutes(PARKED_MINUTES);
            return self
                .end(task, TaskEnd::Again { run_at, error: Some("the destination is parked".to_owned()) })
                .await;
        }
        let started_at = self.clock().now();
        let attempted = if facts.lead.erased {
            Attempted::misconfigured("the person was erased")
        } else {
            let package = package(&facts)?;
            let kind = facts.destination.kind.parse().map_err(StoreError::corrupt)?;
            connectors.deliver(kind, &facts.destination.config, &facts.secrets, &package, started_at).await
        };
        self.settle_delivery(task, &facts, &attempted, started_at).await
    }

    /// Attempt, delivery, event, destination and task in one transaction.
    async fn settle_delivery(
        &self,
        task: &Claimed,
        facts: &DeliveryFacts,
        attempted: &Attempted,
        started_at: Timestamp,
    ) -> StoreResult<()> {
        let number = facts.delivery.attempts + 1;
        let next = self.next_step(facts, attempted, number);
        let end = match next.next_at {
            Some(run_at) => TaskEnd::Again { run_at, error: attempted.error.clone() },
            None => TaskEnd::Done,
        };
        let write = self.store.write(DELIVER).await?;
        if !write.end_task(task, &end).await? {
            return write.rollback().await;
        }
        let (id, destination) = (DeliveryId(facts.delivery.id), DestinationId(facts.destination.id));
        write.add_attempt(id, record(number, started_at, attempted)).await?;
        write.move_delivery(id, next.state, number, next.next_at, attempted.reference.clone()).await?;
        write.note_destination(destination, next.state != DeliveryState::Accepted).await?;
        if attempted.outcome == DeliveryOutcome::Gone {
            write.park_destination(destination, "the destination answered that it is gone (410)").await?;
        }
        if attempted.outcome == DeliveryOutcome::AuthorisationExpired {
            write.park_destination(destination, "the destination does not accept our authorisation any more").await?;
        }
        if let Some(kind) = next.event {
            let detail = json!({ "delivery_id": id, "destination_id": destination, "attempts": number });
            write.add_events(&[NewEvent { lead_id: LeadId(facts.delivery.lead_id), kind, detail }]).await?;
        }
        let _ = write.commit().await?;
        Ok(())
    }

    fn next_step(&self, facts: &DeliveryFacts, attempted: &Attempted, number: i64) -> NextStep {
        let dead = || NextStep { state: DeliveryState::Dead, next_at: None, event: Some(LeadEventKind::DeliveryDead) };
        match attempted.outcome {
            DeliveryOutcome::Accepted | DeliveryOutcome::Duplicate => {
                NextStep { state: DeliveryState::Accepted, next_at: None, event: Some(LeadEventKind::Delivered) }
            }
            DeliveryOutcome::Rejected => {
                NextStep { state: DeliveryState::Rejected, next_at: None, event: Some(LeadEventKind::DeliveryDead) }
            }
            DeliveryOutcome::Misconfigured | DeliveryOutcome::Gone => dead(),
            // Unknown: the receiver recognises the delivery's id, so sending again is safe.
            DeliveryOutcome::Retry | DeliveryOutcome::Unknown | DeliveryOutcome::AuthorisationExpired => {
                let attempt = u32::try_from(number).unwrap_or(u32::MAX);
                // The jitter comes from the delivery's id: spread over deliveries, the same in a replay.
                let seed = facts.delivery.id.as_u64_pair().1;
                match next_attempt(attempt, attempted.retry_after, seed)
                    .and_then(|pause| chrono::Duration::from_std(pause).ok())
                {
                    Some(pause) => NextStep {
                        state: DeliveryState::Pending,
                        next_at: Some(self.clock().now() + pause),
                        event: None,
                    },
                    None => dead(),
                }
            }
        }
    }

    /// Asks a buyer for the verdict on a pending sale: once. If an earlier claim may have asked, the answer is unknown.
    async fn post(&self, connectors: &Connectors, task: &Claimed, sale_id: SaleId, id: DeliveryId) -> StoreResult<()> {
        let Some(facts) = self.store.read(DELIVER).delivery_facts(id).await? else {
            return self.end(task, TaskEnd::Done).await;
        };
        if facts.sale.state != SaleState::Pending.as_str() {
            return self.end(task, TaskEnd::Done).await;
        }
        let started_at = self.clock().now();
        let attempted = if task.attempts > 1 {
            // Whoever claimed it before may have sent it: never resend blindly.
            let mut lost = Attempted::of(DeliveryOutcome::Unknown);
            lost.error = Some("an earlier worker went away while it asked".to_owned());
            lost
        } else if facts.lead.erased {
            Attempted::misconfigured("the person was erased")
        } else if facts.destination.status != Status::Active.as_str() {
            Attempted::misconfigured("the destination is parked")
        } else {
            let package = package(&facts)?;
            let kind = facts.destination.kind.parse().map_err(StoreError::corrupt)?;
            connectors.ask_verdict(kind, &facts.destination.config, &facts.secrets, &package, started_at).await
        };
        self.settle_post(task, sale_id, &facts, &attempted, started_at).await
    }

    async fn settle_post(
        &self,
        task: &Claimed,
        sale_id: SaleId,
        facts: &DeliveryFacts,
        attempted: &Attempted,
        started_at: Timestamp,
    ) -> StoreResult<()> {
        let (verdict, state) = match attempted.outcome {
            DeliveryOutcome::Accepted => (VerdictGiven::Accepted(attempted.reference.clone()), DeliveryState::Accepted),
            DeliveryOutcome::Unknown => (VerdictGiven::Lost, DeliveryState::Unknown),
            // Refused, had already, or certainly not sent: the next contract's turn.
            _ => (
                VerdictGiven::Rejected(attempted.reason.clone().or_else(|| attempted.error.clone())),
                DeliveryState::Rejected,
            ),
        };
        let mut write = self.store.write(DELIVER).await?;
        if !write.end_task(task, &TaskEnd::Done).await? {
            return write.rollback().await;
        }
        let Some(sale) = self.lock_sale(&write, sale_id).await? else { return Err(StoreError::corrupt("sale")) };
        let id = DeliveryId(facts.delivery.id);
        write.add_attempt(id, record(facts.delivery.attempts + 1, started_at, attempted)).await?;
        write.move_delivery(id, state, facts.delivery.attempts + 1, None, attempted.reference.clone()).await?;
        self.settle(&mut write, &sale, &verdict).await?;
        let due = write.commit().await?;
        self.wake_workers(due);
        self.settled.notify_waiters();
        Ok(())
    }

    /// Ends an unknown sale's hold when its window is over.
    async fn expire_unknown(&self, task: &Claimed, sale_id: SaleId) -> StoreResult<()> {
        let mut write = self.store.write(Principal::System(SystemTask::Reconcile)).await?;
        if !write.end_task(task, &TaskEnd::Done).await? {
            return write.rollback().await;
        }
        if let Some(sale) = self.lock_sale(&write, sale_id).await? {
            self.settle(&mut write, &sale, &VerdictGiven::Expired).await?;
        }
        let due = write.commit().await?;
        self.wake_workers(due);
        self.settled.notify_waiters();
        Ok(())
    }

    /// Staff say what became of a sale whose answer was lost.
    pub async fn resolve_unknown(&self, principal: Principal, sale_id: SaleId, accepted: bool) -> StoreResult<bool> {
        let mut write = self.store.write(principal).await?;
        let Some(sale) = self.lock_sale(&write, sale_id).await? else { return Ok(false) };
        let verdict = if accepted { VerdictGiven::Accepted(None) } else { VerdictGiven::Rejected(None) };
        let settled = self.settle(&mut write, &sale, &verdict).await?;
        write.audit("resolve", "sale", Some(sale_id.0), &json!({ "accepted": accepted })).await?;
        let due = write.commit().await?;
        self.wake_workers(due);
        self.settled.notify_waiters();
        Ok(settled)
    }

    /// Sends a delivery again that had ended; answers false if it is still under way or there is none.
    pub async fn replay_delivery(&self, principal: Principal, id: DeliveryId) -> StoreResult<bool> {
        let mut write = self.store.write(principal).await?;
        let Some(delivery) = write.lock_delivery(id).await? else { return Ok(false) };
        let state: DeliveryState = delivery.state.parse().map_err(StoreError::corrupt)?;
        let Ok(state) = state.replay() else { return Ok(false) };
        let now = self.clock().now();
        write.move_delivery(id, state, delivery.attempts, Some(now), None).await?;
        let payload = TaskPayload::Deliver { delivery_id: id };
        write
            .add_tasks(&[NewTask { payload, lane: delivery.destination_id.to_string(), run_at: now, dedupe_key: None }])
            .await?;
        let detail = json!({ "delivery_id": id });
        write
            .add_events(&[NewEvent {
                lead_id: LeadId(delivery.lead_id),
                kind: LeadEventKind::DeliveryReplayed,
                detail,
            }])
            .await?;
        write.audit("replay", "delivery", Some(id.0), &json!({})).await?;
        let due = write.commit().await?;
        self.wake_workers(due);
        Ok(true)
    }
}

fn package(facts: &DeliveryFacts) -> StoreResult<DeliveryPackage> {
    let sale = &facts.sale;
    let [campaign, contract, buyer] = facts.names.clone();
    let fields = match serde_json::to_value(&facts.lead.fields) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => return Err(StoreError::corrupt("lead.fields")),
    };
    Ok(DeliveryPackage {
        delivery_id: DeliveryId(facts.delivery.id),
        sale_id: SaleId(sale.id),
        lead_id: LeadId(sale.lead_id),
        campaign: Named::new(CampaignId(sale.campaign_id), campaign),
        contract: Named::new(ContractId(sale.contract_id), contract),
        buyer: Named::new(BuyerId(sale.buyer_id), buyer),
        source_subid: facts.lead.row.subid.clone(),
        price: Money::new(sale.price_minor, sale.currency.parse().map_err(StoreError::corrupt)?),
        sold_at: sale.sold_at,
        received_at: facts.lead.row.received_at,
        fields,
        consent: facts.lead.consent.clone(),
        attempt: u32::try_from(facts.delivery.attempts + 1).unwrap_or(u32::MAX),
    })
}

fn record(number: i64, started_at: Timestamp, attempted: &Attempted) -> AttemptRecord {
    AttemptRecord {
        number,
        started_at,
        outcome: attempted.outcome,
        status_code: attempted.status.map(i64::from),
        duration_ms: i64::try_from(attempted.duration.as_millis()).unwrap_or(i64::MAX),
        answer: attempted.answer_excerpt.clone(),
        error: attempted.error.clone().or_else(|| attempted.reason.clone()),
    }
}
