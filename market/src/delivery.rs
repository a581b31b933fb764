//! Delivery: a claimed task becomes an attempt, and one transaction says what came of it.
//!
//! At least once, never silently lost, and effectively once where the receiver recognises the delivery's id. An attempt
//! is committed before it is sent, nothing is sent while a transaction is open, and nothing is written without the
//! task's lease. Beginnings and ends of many deliveries share transactions.

mod outcome;
mod post;
mod staff;

use std::sync::Arc;

use leadyard_connectors::{Connectors, DeliveryPackage, Named};
use leadyard_entity::deliveries::{Begin, Begun, DeliveryFacts, DestinationNews, SettledAttempt};
use leadyard_entity::tasks::{Claimed, Lease, TaskEnd};
use leadyard_entity::{StoreError, StoreResult};
use leadyard_types::{
    AttemptId, BuyerId, CampaignId, ContractId, DeliveryId, DeliveryState, DestinationId, LeadId, Money, Principal,
    SaleId, SaleState, Status, SystemTask, TaskPayload,
};

use crate::batcher::Batcher;
use crate::market::Market;

pub(crate) use staff::requeue_waiting;
pub use staff::{deliver_key, post_key};

/// The most deliveries whose beginnings or ends share a transaction.
const BATCH: usize = 256;

/// How often a task other than a delivery may be claimed before it is given up; a delivery has its schedule.
const MAX_CLAIMS: i64 = 60;

pub(crate) const DELIVER: Principal = Principal::System(SystemTask::Deliver);

/// What a task says about its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneHealth {
    /// Nothing.
    Unknown,
    /// The destination answered.
    Well,
    /// The destination, as it was set up in this version, failed to answer as it should.
    Failing {
        /// The version of its settings.
        version: i64,
    },
}

/// What is known of a delivery once its attempt has begun, or why none has.
#[derive(Clone)]
enum Opened {
    Started(Box<Attempt>),
    /// Nothing is sent: the delivery is settled as it is.
    Refused(Box<DeliveryFacts>, Refused),
    /// Nothing is left to do.
    Settled,
    /// Somebody else has the task.
    Lost,
}

/// Why nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// The destination is parked.
    Parked,
    /// The destination was ended for good.
    Ended,
    /// The person was erased.
    Erased,
    /// An earlier attempt was interrupted, and repeating it is not safe.
    Interrupted,
}

/// An attempt that has begun.
#[derive(Clone)]
struct Attempt {
    id: AttemptId,
    number: i64,
    facts: DeliveryFacts,
}

/// Runs tasks: sends leads to their destinations and asks buyers for verdicts.
pub struct Courier {
    market: Arc<Market>,
    connectors: Arc<Connectors>,
    opening: Batcher<Begin, Opened>,
    settling: Batcher<SettledAttempt, ()>,
    ending: Batcher<(Lease, TaskEnd), ()>,
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Courier").finish_non_exhaustive()
    }
}

impl Courier {
    /// A courier; called inside the runtime.
    #[must_use]
    pub fn start(market: Arc<Market>, connectors: Arc<Connectors>) -> Self {
        let (opener, settler, ender) = (Arc::clone(&market), Arc::clone(&market), Arc::clone(&market));
        let opening = Batcher::start(BATCH, move |begins| {
            let market = Arc::clone(&opener);
            async move { market.open_deliveries(&begins).await }
        });
        let settling = Batcher::start(BATCH, move |settled| {
            let market = Arc::clone(&settler);
            async move { market.settle_deliveries(settled).await }
        });
        let ending = Batcher::start(BATCH, move |ends| {
            let market = Arc::clone(&ender);
            async move { market.end_tasks(&ends).await }
        });
        Self { market, connectors, opening, settling, ending }
    }

    /// The market it works for.
    #[must_use]
    pub fn market(&self) -> &Arc<Market> {
        &self.market
    }

    /// Runs one claimed task to its end.
    pub async fn run(&self, task: &Claimed) -> StoreResult<LaneHealth> {
        let Some(payload) = task.payload else {
            let error = "this version does not know this task".to_owned();
            return self.end(task, TaskEnd::Dead { error }).await;
        };
        match payload {
            TaskPayload::Deliver { delivery_id } => self.deliver(task, delivery_id).await,
            TaskPayload::Post { sale_id, delivery_id } => self.post(task, sale_id, delivery_id).await,
            _ if task.attempts > MAX_CLAIMS => {
                let error = format!("given up after {} claims", task.attempts);
                self.end(task, TaskEnd::Dead { error }).await
            }
            TaskPayload::ExpireUnknown { sale_id } => {
                self.market.expire_unknown(task, sale_id).await?;
                Ok(LaneHealth::Unknown)
            }
            TaskPayload::Place { lead_id } => {
                match self.market.place_again(lead_id).await {
                    Ok(_) => {}
                    Err(crate::IntakeError::Store(error)) => return Err(error),
                    Err(error) => return Err(StoreError::Unavailable(error.to_string())),
                }
                self.market.settled.notify_waiters();
                self.end(task, TaskEnd::Done).await
            }
        }
    }

    /// Ends a task by itself. A lost lease is somebody else's task now.
    pub async fn end(&self, task: &Claimed, end: TaskEnd) -> StoreResult<LaneHealth> {
        self.ending.submit((task.held(), end)).await?;
        Ok(LaneHealth::Unknown)
    }

    async fn deliver(&self, task: &Claimed, id: DeliveryId) -> StoreResult<LaneHealth> {
        let begin = Begin { held: task.held(), delivery_id: id, repeatable: true };
        let attempt = match self.opening.submit(begin).await? {
            Opened::Started(attempt) => attempt,
            Opened::Refused(facts, refused) => {
                self.settling.submit(outcome::refused(task, &facts, refused)).await?;
                return Ok(LaneHealth::Unknown);
            }
            Opened::Settled => return self.end(task, TaskEnd::Done).await,
            Opened::Lost => return Ok(LaneHealth::Unknown),
        };
        let facts = &attempt.facts;
        let now = self.market.clock().now();
        let attempted = if outcome::tried_too_often(task) {
            leadyard_connectors::Attempted::misconfigured("its workers went away again and again")
        } else {
            let kind = facts.destination.kind.parse().map_err(StoreError::corrupt)?;
            let package = package(facts, attempt.number)?;
            self.connectors.deliver(kind, &facts.destination.config, &facts.secrets, &package, now).await
        };
        let settled = outcome::settled(task, &attempt, &attempted, self.market.clock().now());
        let health = match settled.news {
            DestinationNews::None => LaneHealth::Unknown,
            DestinationNews::Well => LaneHealth::Well,
            DestinationNews::Failing | DestinationNews::Park(_) => {
                LaneHealth::Failing { version: facts.destination.version }
            }
        };
        self.settling.submit(settled).await?;
        Ok(health)
    }
}

impl Market {
    /// Loads deliveries and begins their attempts, where anything is to be sent.
    async fn open_deliveries(&self, begins: &[Begin]) -> StoreResult<Vec<Opened>> {
        let ids: Vec<DeliveryId> = begins.iter().map(|begin| begin.delivery_id).collect();
        let facts = self.store.read(DELIVER).delivery_facts(&ids).await?;
        let facts: std::collections::HashMap<DeliveryId, DeliveryFacts> =
            facts.into_iter().map(|facts| (DeliveryId(facts.delivery.id), facts)).collect();
        let sendable = |begin: &&Begin| facts.get(&begin.delivery_id).is_some_and(|facts| refusal(facts).is_none());
        let beginning: Vec<Begin> = begins.iter().filter(sendable).copied().collect();
        let mut begun = std::collections::HashMap::new();
        if !beginning.is_empty() {
            let write = self.store.write(DELIVER).await?;
            let answers = write.begin_attempts(&beginning).await?;
            let _ = write.commit().await?;
            begun = beginning.iter().map(|begin| begin.held).zip(answers).collect();
        }
        Ok(begins.iter().map(|begin| opened(facts.get(&begin.delivery_id), begun.get(&begin.held))).collect())
    }

    async fn settle_deliveries(&self, settled: Vec<SettledAttempt>) -> StoreResult<Vec<()>> {
        let tasks: Vec<_> = settled.iter().map(|one| one.held.task_id).collect();
        let write = self.store.write(DELIVER).await?;
        let done = write.settle_attempts(settled).await?;
        let _ = write.commit().await?;
        for task in tasks.iter().filter(|task| !done.contains(task)) {
            tracing::warn!(%task, "an attempt's answer came after its lease was over; it counts as unknown");
        }
        Ok(vec![(); tasks.len()])
    }

    async fn end_tasks(&self, ends: &[(Lease, TaskEnd)]) -> StoreResult<Vec<()>> {
        let write = self.store.write(DELIVER).await?;
        write.end_tasks(ends).await?;
        let _ = write.commit().await?;
        Ok(vec![(); ends.len()])
    }
}

/// Why nothing may be sent, as far as the facts say. The outer `Option` of the answer: whether anything is refused; the
/// inner: whether anything is left to settle.
fn refusal(facts: &DeliveryFacts) -> Option<Option<Refused>> {
    let sent_in = [SaleState::Pending.as_str(), SaleState::Sold.as_str()];
    if facts.delivery.state != DeliveryState::Pending.as_str() || !sent_in.contains(&facts.sale.state.as_str()) {
        return Some(None);
    }
    if facts.lead.erased {
        return Some(Some(Refused::Erased));
    }
    match facts.destination.status.as_str() {
        status if status == Status::Active.as_str() => None,
        status if status == Status::Archived.as_str() => Some(Some(Refused::Ended)),
        _ => Some(Some(Refused::Parked)),
    }
}

fn opened(facts: Option<&DeliveryFacts>, begun: Option<&Begun>) -> Opened {
    let Some(facts) = facts else { return Opened::Settled };
    match begun {
        Some(Begun::Started { attempt_id, number }) => {
            Opened::Started(Box::new(Attempt { id: *attempt_id, number: *number, facts: facts.clone() }))
        }
        Some(Begun::Interrupted) => Opened::Refused(Box::new(facts.clone()), Refused::Interrupted),
        Some(Begun::Lost) => Opened::Lost,
        Some(Begun::Settled) => Opened::Settled,
        None => match refusal(facts) {
            Some(Some(refused)) => Opened::Refused(Box::new(facts.clone()), refused),
            _ => Opened::Settled,
        },
    }
}

fn package(facts: &DeliveryFacts, number: i64) -> StoreResult<DeliveryPackage> {
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
        attempt: u32::try_from(number).unwrap_or(u32::MAX),
    })
}

/// The ids of a delivery's facts, typed.
fn ids(facts: &DeliveryFacts) -> (DeliveryId, DestinationId, LeadId) {
    (DeliveryId(facts.delivery.id), DestinationId(facts.destination.id), LeadId(facts.delivery.lead_id))
}
