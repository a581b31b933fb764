//! Delivery: a claimed task becomes an attempt, and one transaction says what came of it.
//!
//! At least once, never silently lost, and effectively once where the receiver recognises the delivery's id. An attempt
//! is committed before it is sent, nothing is sent while a transaction is open, and nothing is written without the
//! task's lease. Beginnings and ends of many deliveries share transactions.

mod callback;
mod failed;
mod letter;
mod outcome;
mod post;
mod staff;
mod status;
mod try_out;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use leadyard_connectors::{Attempted, Connectors, DeliveryPackage, Named, PingMark};
use leadyard_entity::deliveries::{Begin, Begun, DeliveryFacts, DestinationNews, SettledAttempt};
use leadyard_entity::tasks::{Claimed, Lease, TaskEnd};
use leadyard_entity::{StoreError, StoreResult};
use leadyard_types::{
    AttemptId, BuyerId, CampaignId, ContractId, DeliveryId, DeliveryOutcome, DeliveryState, DestinationId,
    DestinationKind, LeadId, Money, PingId, Principal, SaleId, SaleState, Status, SystemTask, TaskPayload,
};

use crate::batcher::Batcher;
use crate::market::Market;
use crate::patience::patiently;

pub use callback::{CalledBack, ToldVerdict, VerdictRefused};
pub use failed::Failure;
pub(crate) use letter::MAIL_LANE;
pub(crate) use staff::requeue_waiting;
pub use staff::{deliver_key, post_key};
pub use status::status_key;
pub(crate) use status::{last_query_at, status_task, status_task_at};
pub use try_out::{TryOut, TryOutAnswer, TryOutError};

/// The most deliveries whose beginnings or ends share a transaction.
const BATCH: usize = 256;

/// The longest an attempt may take: longer than the longest answer a destination is given.
const SENDING_MAX: Duration = Duration::from_secs(120);

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
    /// How long what came of an attempt is kept in hand while the database is away.
    patience: Duration,
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
    /// A courier; called inside the runtime. `patience` is how long it keeps trying to write down what came of an attempt
    /// while the database is away.
    #[must_use]
    pub fn start(market: Arc<Market>, connectors: Arc<Connectors>, patience: Duration) -> Self {
        let (opener, settler, ender) = (Arc::clone(&market), Arc::clone(&market), Arc::clone(&market));
        let opening = Batcher::start(BATCH, move |begins: Vec<Begin>| {
            let market = Arc::clone(&opener);
            async move { patiently(patience, || market.open_deliveries(&begins)).await }
        });
        let settling = Batcher::start(BATCH, move |settled: Vec<SettledAttempt>| {
            let market = Arc::clone(&settler);
            async move { patiently(patience, || market.settle_deliveries(&settled)).await }
        });
        let ending = Batcher::start(BATCH, move |ends: Vec<(Lease, TaskEnd)>| {
            let market = Arc::clone(&ender);
            async move { patiently(patience, || market.end_tasks(&ends)).await }
        });
        Self { market, connectors, patience, opening, settling, ending }
    }

    /// The market it works for.
    #[must_use]
    pub fn market(&self) -> &Arc<Market> {
        &self.market
    }

    /// Runs one claimed task to its end, whatever happens. Answers what it says about its lane.
    pub async fn run(&self, task: &Claimed) -> LaneHealth {
        match self.attempt(task).await {
            Ok(health) => health,
            Err(failure) => {
                self.failed(task, failure).await;
                LaneHealth::Unknown
            }
        }
    }

    async fn attempt(&self, task: &Claimed) -> Result<LaneHealth, Failure> {
        if failed::claimed_too_often(task) {
            return Err(StoreError::Fault("its workers went away again and again".to_owned()).into());
        }
        match task.payload {
            None => Err(StoreError::corrupt("this version does not know this task").into()),
            Some(TaskPayload::Deliver { delivery_id }) => self.deliver(task, delivery_id).await,
            Some(TaskPayload::Post { sale_id, delivery_id }) => self.post(task, sale_id, delivery_id).await,
            Some(TaskPayload::AskStatus { sale_id, delivery_id }) => self.ask_status(task, sale_id, delivery_id).await,
            Some(TaskPayload::ExpireUnknown { sale_id }) => {
                self.market.expire_unknown(task, sale_id).await?;
                Ok(LaneHealth::Unknown)
            }
            Some(TaskPayload::MailInvitation { invitation_id }) => {
                self.letter(task, letter::Kind::Invitation(invitation_id)).await
            }
            Some(TaskPayload::MailReset { reset_id }) => self.letter(task, letter::Kind::Reset(reset_id)).await,
            Some(TaskPayload::Wake { campaign_id }) => {
                self.market.wake_waiting(campaign_id).await?;
                self.end(task, TaskEnd::Done).await
            }
            Some(TaskPayload::Place { lead_id }) => {
                match self.market.place_again(lead_id).await {
                    Ok(_) => {}
                    Err(crate::IntakeError::Store(error)) => return Err(error.into()),
                    Err(error) => return Err(StoreError::Unavailable(error.to_string()).into()),
                }
                self.market.settled.notify_waiters();
                self.end(task, TaskEnd::Done).await
            }
        }
    }

    /// Ends a task by itself. A lost lease is somebody else's task now.
    async fn end(&self, task: &Claimed, end: TaskEnd) -> Result<LaneHealth, Failure> {
        self.ending.submit((task.held(), end)).await?;
        Ok(LaneHealth::Unknown)
    }

    /// The attempt that this claim makes. Its id is given once, so that beginning it again is not another attempt.
    fn begin(&self, task: &Claimed, delivery_id: DeliveryId, repeatable: bool) -> Begin {
        Begin { held: task.held(), attempt_id: AttemptId(self.market.ids().uuid()), delivery_id, repeatable }
    }

    async fn deliver(&self, task: &Claimed, id: DeliveryId) -> Result<LaneHealth, Failure> {
        let begin = self.begin(task, id, true);
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
        let attempted = match parcel(&attempt) {
            Ok((kind, package)) => {
                in_time(self.connectors.deliver(kind, &facts.destination.config, &facts.secrets, &package, now)).await
            }
            Err(error) => Attempted::misconfigured(error.to_string()),
        };
        let settled = outcome::settled(task, &attempt, &attempted, self.market.clock().now());
        let health = match settled.news {
            DestinationNews::None => LaneHealth::Unknown,
            DestinationNews::Well => LaneHealth::Well,
            DestinationNews::Failing | DestinationNews::Park(_) => {
                LaneHealth::Failing { version: facts.destination.version }
            }
        };
        self.settling.submit(settled).await.map_err(Failure::after_sending)?;
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
        Ok(begins.iter().map(|begin| opened(begin, facts.get(&begin.delivery_id), begun.get(&begin.held))).collect())
    }

    async fn settle_deliveries(&self, settled: &[SettledAttempt]) -> StoreResult<Vec<()>> {
        let tasks: Vec<_> = settled.iter().map(|one| one.held.task_id).collect();
        let write = self.store.write(DELIVER).await?;
        let done = write.settle_attempts(settled.to_vec()).await?;
        let _ = write.commit().await?;
        for task in tasks.iter().filter(|task| !done.contains(task)) {
            tracing::warn!(%task, "an attempt's answer was written down before, or came after its lease was over");
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

/// Bounds what a connector does. They have bounds of their own; nothing may hang for ever all the same.
async fn in_time(sending: impl Future<Output = Attempted>) -> Attempted {
    let lost = || Attempted::of(DeliveryOutcome::Unknown).because("the attempt took too long".to_owned());
    tokio::time::timeout(SENDING_MAX, sending).await.unwrap_or_else(|_| lost())
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

fn opened(begin: &Begin, facts: Option<&DeliveryFacts>, begun: Option<&Begun>) -> Opened {
    let Some(facts) = facts else { return Opened::Settled };
    match begun {
        Some(Begun::Started { number }) => {
            Opened::Started(Box::new(Attempt { id: begin.attempt_id, number: *number, facts: facts.clone() }))
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

/// What is sent, and by which connector.
fn parcel(attempt: &Attempt) -> StoreResult<(DestinationKind, DeliveryPackage)> {
    let kind = attempt.facts.destination.kind.parse().map_err(StoreError::corrupt)?;
    Ok((kind, package(&attempt.facts, attempt.number)?))
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
        ping: facts.ping.as_ref().map(|ping| PingMark { id: PingId(ping.id), reference: ping.reference.clone() }),
        test: sale.test,
        callback_url: None,
        attempt: u32::try_from(number).unwrap_or(u32::MAX),
    })
}

/// The ids of a delivery's facts, typed.
fn ids(facts: &DeliveryFacts) -> (DeliveryId, DestinationId, LeadId) {
    (DeliveryId(facts.delivery.id), DestinationId(facts.destination.id), LeadId(facts.delivery.lead_id))
}
