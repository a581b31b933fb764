//! Asking a buyer for a verdict (`decisions` 13): once. Money is held while the answer is awaited.

use std::time::Duration;

use leadyard_connectors::{Attempted, DeliveryPackage};
use leadyard_entity::deliveries::{AttemptEnd, DestinationNews, SettledAttempt};
use leadyard_entity::model::delivery;
use leadyard_entity::tasks::{Claimed, TaskEnd};
use leadyard_entity::{StoreError, StoreResult};
use leadyard_types::{
    AttemptId, DeliveryId, DeliveryOutcome, DeliveryState, DestinationId, LeadId, Principal, SaleId, SaleState,
    SettledBy, SystemTask, Timestamp,
};

use super::{Courier, DELIVER, Failure, LaneHealth, Opened, Refused, in_time, outcome, parcel};
use crate::market::Market;
use crate::patience::patiently;
use crate::settlement::VerdictGiven;

/// A buyer that certainly got nothing (connection refused, too many requests) is asked so often.
const ASKS_MAX: i64 = 3;
/// The pause before it is asked again; the lead's sender may be waiting.
const ASK_PAUSE: Duration = Duration::from_secs(1);
/// A buyer that wants a longer pause than this loses its turn.
const ASK_PAUSE_MAX: Duration = Duration::from_secs(5);

/// What an attempt to ask came to.
#[derive(Clone)]
pub(super) struct Answer {
    attempt: Option<(AttemptId, AttemptEnd)>,
    verdict: Option<VerdictGiven>,
    reference: Option<String>,
    task_end: TaskEnd,
    /// Where the delivery stands, whatever the answer is: its sale was settled before.
    stands: Option<DeliveryState>,
}

impl Answer {
    /// A verdict that no attempt of this claim gave.
    fn without_attempt(verdict: VerdictGiven) -> Self {
        Self { attempt: None, verdict: Some(verdict), reference: None, task_end: TaskEnd::Done, stands: None }
    }

    /// The task is given up; it stays for people to look at.
    pub(super) fn given_up(verdict: VerdictGiven, error: &str) -> Self {
        Self { task_end: TaskEnd::Dead { error: error.to_owned() }, ..Self::without_attempt(verdict) }
    }

    /// The answer was given, and cannot be settled.
    fn unsettled(&self) -> Self {
        Self { attempt: self.attempt.clone(), ..Self::without_attempt(VerdictGiven::Lost) }
    }

    /// The answer as it counts for a sale that stands so: what was settled meanwhile (the buyer called back, staff decided)
    /// stays so, whatever the answer is, and nobody is asked again.
    fn beside(mut self, state: SaleState) -> Self {
        self.stands = match state {
            SaleState::Sold => Some(DeliveryState::Accepted),
            SaleState::Rejected => Some(DeliveryState::Rejected),
            SaleState::Pending | SaleState::Unknown | SaleState::UnknownExpired => None,
        };
        if self.stands.is_some() && matches!(self.task_end, TaskEnd::Again { .. }) {
            self.task_end = TaskEnd::Done;
        }
        self
    }

    /// When to ask again, where there is no verdict yet.
    fn again_at(&self) -> Option<Timestamp> {
        if let TaskEnd::Again { run_at, .. } = &self.task_end { Some(*run_at) } else { None }
    }
}

/// Which delivery asks, whom, and about which lead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    delivery_id: DeliveryId,
    destination_id: DestinationId,
    lead_id: LeadId,
}

impl From<&delivery::Model> for Asked {
    fn from(row: &delivery::Model) -> Self {
        Self {
            delivery_id: DeliveryId(row.id),
            destination_id: DestinationId(row.destination_id),
            lead_id: LeadId(row.lead_id),
        }
    }
}

impl Courier {
    pub(super) async fn post(&self, task: &Claimed, sale_id: SaleId, id: DeliveryId) -> Result<LaneHealth, Failure> {
        let begin = self.begin(task, id, false);
        let attempt = match self.opening.submit(begin).await? {
            Opened::Started(attempt) => attempt,
            Opened::Refused(facts, refused) => {
                self.settle_answer(task, sale_id, &Asked::from(&facts.delivery), &not_asked(refused)).await?;
                return Ok(LaneHealth::Unknown);
            }
            Opened::Settled => return self.end(task, TaskEnd::Done).await,
            Opened::Lost => return Ok(LaneHealth::Unknown),
        };
        let facts = &attempt.facts;
        let now = self.market.clock().now();
        let attempted = match parcel(&attempt) {
            Ok((kind, package)) => {
                let package = DeliveryPackage { callback_url: self.market.callback_url(sale_id), ..package };
                let config = &facts.destination.config;
                in_time(self.connectors.ask_verdict(kind, config, &facts.secrets, &package, now)).await
            }
            Err(error) => Attempted::misconfigured(error.to_string()),
        };
        let answer = answered(task, attempt.id, &attempted, self.market.clock().now());
        let asked = Asked::from(&facts.delivery);
        self.settle_answer(task, sale_id, &asked, &answer).await.map_err(Failure::after_sending)?;
        Ok(match attempted.outcome {
            DeliveryOutcome::Retry | DeliveryOutcome::Unknown => {
                LaneHealth::Failing { version: facts.destination.version }
            }
            DeliveryOutcome::Misconfigured => LaneHealth::Unknown,
            _ => LaneHealth::Well,
        })
    }

    /// Settles what the buyer said, however long the database is away. What cannot be settled for another reason is kept
    /// with the attempt for people to see, and the verdict is unknown: money stays held until they decide.
    async fn settle_answer(&self, task: &Claimed, sale_id: SaleId, asked: &Asked, answer: &Answer) -> StoreResult<()> {
        let settle = |answer: Answer| self.market.settle_post(task, sale_id, asked, answer);
        match patiently(self.patience, || settle(answer.clone())).await {
            Err(error) if !error.is_transient() => {
                tracing::error!(%error, sale = %sale_id, "a buyer's answer could not be settled; the sale is unknown");
                patiently(self.patience, || settle(answer.unsettled())).await
            }
            result => result,
        }
    }
}

/// Nothing was sent by this claim. An interrupted attempt is unknown and never made again; otherwise the buyer certainly
/// got nothing, and the next contract has its turn.
fn not_asked(refused: Refused) -> Answer {
    Answer::without_attempt(match refused {
        Refused::Interrupted => VerdictGiven::Lost,
        Refused::Parked => VerdictGiven::Rejected(Some("the destination is parked".to_owned())),
        Refused::Ended => VerdictGiven::Rejected(Some("the destination was ended".to_owned())),
        Refused::Erased => VerdictGiven::Rejected(Some("the person was erased".to_owned())),
    })
}

fn answered(task: &Claimed, id: AttemptId, attempted: &Attempted, now: Timestamp) -> Answer {
    let pause = attempted.retry_after.unwrap_or(ASK_PAUSE).max(ASK_PAUSE);
    let again = attempted.outcome == DeliveryOutcome::Retry && task.attempts < ASKS_MAX && pause <= ASK_PAUSE_MAX;
    let verdict = match attempted.outcome {
        _ if again => None,
        DeliveryOutcome::Accepted => Some(VerdictGiven::Accepted(attempted.reference.clone())),
        DeliveryOutcome::Unknown => Some(VerdictGiven::Lost),
        // Refused, had already, or certainly not taken: the next contract's turn.
        _ => Some(VerdictGiven::Rejected(attempted.reason.clone().or_else(|| attempted.error.clone()))),
    };
    let pause = chrono::Duration::from_std(pause).unwrap_or(chrono::Duration::seconds(1));
    Answer {
        attempt: Some((id, outcome::attempt_end(attempted))),
        verdict,
        reference: attempted.reference.clone(),
        stands: None,
        task_end: if again {
            TaskEnd::Again { run_at: now + pause, error: Some("the buyer could not be asked".to_owned()) }
        } else {
            TaskEnd::Done
        },
    }
}

impl Market {
    /// Attempt, delivery, task, sale, hold, money and lead in one transaction.
    pub(super) async fn settle_post(
        &self,
        task: &Claimed,
        sale_id: SaleId,
        asked: &Asked,
        answer: Answer,
    ) -> StoreResult<()> {
        let mut write = self.store.write(DELIVER).await?;
        let Some(sale) = self.lock_sale(&write, sale_id).await? else { return Err(StoreError::corrupt("sale")) };
        let answer = answer.beside(sale.state.parse().map_err(StoreError::corrupt)?);
        let held = write.settle_attempts(vec![settled(task, asked, &answer)]).await?;
        if answer.attempt.is_none() && !held.is_empty() {
            write.end_interrupted(&[asked.delivery_id]).await?;
        }
        if held.is_empty() {
            // The lease was lost while the buyer thought. There was one attempt only, so a clear answer is the truth
            // all the same; an unclear one says nothing new.
            let (Some((id, end)), Some(VerdictGiven::Accepted(_) | VerdictGiven::Rejected(_))) =
                (answer.attempt, &answer.verdict)
            else {
                return write.rollback().await;
            };
            write.correct_attempt(id, end).await?;
        }
        if let Some(verdict) = &answer.verdict
            && !self.settle(&mut write, &sale, verdict, SettledBy::Answer).await?
        {
            tracing::info!(sale = %sale_id, state = sale.state, "a buyer's answer came when its sale was settled");
        }
        let _ = write.commit().await?;
        self.settled.notify_waiters();
        Ok(())
    }

    /// Ends an unknown sale's hold when its window is over.
    pub(super) async fn expire_unknown(&self, task: &Claimed, sale_id: SaleId) -> StoreResult<()> {
        let mut write = self.store.write(Principal::System(SystemTask::Reconcile)).await?;
        let sale = self.lock_sale(&write, sale_id).await?;
        if !write.end_task(task, &TaskEnd::Done).await? {
            return write.rollback().await;
        }
        if let Some(sale) = sale {
            self.settle(&mut write, &sale, &VerdictGiven::Expired, SettledBy::Window).await?;
        }
        let _ = write.commit().await?;
        self.settled.notify_waiters();
        Ok(())
    }
}

fn settled(task: &Claimed, asked: &Asked, answer: &Answer) -> SettledAttempt {
    let state = answer.verdict.as_ref().map_or(DeliveryState::Pending, VerdictGiven::delivery_state);
    let state = answer.stands.unwrap_or(state);
    SettledAttempt {
        held: task.held(),
        task_end: answer.task_end.clone(),
        attempt: answer.attempt.clone(),
        delivery_id: asked.delivery_id,
        state,
        next_attempt_at: answer.again_at(),
        reference: answer.reference.clone(),
        lead_id: asked.lead_id,
        event: None,
        destination_id: asked.destination_id,
        news: match answer.verdict {
            Some(VerdictGiven::Accepted(_)) => DestinationNews::Well,
            _ => DestinationNews::None,
        },
    }
}
