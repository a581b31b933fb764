//! Asking a buyer for a verdict (`decisions` 13): once. Money is held while the answer is awaited.

use std::time::Duration;

use leadyard_connectors::Attempted;
use leadyard_entity::deliveries::{AttemptEnd, Begin, DeliveryFacts, DestinationNews, SettledAttempt};
use leadyard_entity::tasks::{Claimed, TaskEnd};
use leadyard_entity::{StoreError, StoreResult};
use leadyard_types::{AttemptId, DeliveryId, DeliveryOutcome, DeliveryState, Principal, SaleId, SystemTask, Timestamp};

use super::{Courier, DELIVER, LaneHealth, Opened, Refused, ids, outcome, package};
use crate::market::Market;
use crate::settlement::VerdictGiven;

/// A buyer that certainly got nothing (connection refused, too many requests) is asked so often.
const ASKS_MAX: i64 = 3;
/// The pause before it is asked again; the lead's sender may be waiting.
const ASK_PAUSE: Duration = Duration::from_secs(1);
/// A buyer that wants a longer pause than this loses its turn.
const ASK_PAUSE_MAX: Duration = Duration::from_secs(5);

/// What an attempt to ask came to.
struct Answer {
    attempt: Option<(AttemptId, AttemptEnd)>,
    verdict: Option<VerdictGiven>,
    reference: Option<String>,
    /// When to ask again, where there is no verdict yet.
    again_at: Option<Timestamp>,
}

impl Courier {
    pub(super) async fn post(&self, task: &Claimed, sale_id: SaleId, id: DeliveryId) -> StoreResult<LaneHealth> {
        let begin = Begin { held: task.held(), delivery_id: id, repeatable: false };
        let attempt = match self.opening.submit(begin).await? {
            Opened::Started(attempt) => attempt,
            Opened::Refused(facts, refused) => {
                self.market.settle_post(task, sale_id, &facts, not_asked(refused)).await?;
                return Ok(LaneHealth::Unknown);
            }
            Opened::Settled => return self.end(task, TaskEnd::Done).await,
            Opened::Lost => return Ok(LaneHealth::Unknown),
        };
        let facts = &attempt.facts;
        let kind = facts.destination.kind.parse().map_err(StoreError::corrupt)?;
        let package = package(facts, attempt.number)?;
        let now = self.market.clock().now();
        let attempted =
            self.connectors.ask_verdict(kind, &facts.destination.config, &facts.secrets, &package, now).await;
        let answer = answered(task, attempt.id, &attempted, self.market.clock().now());
        self.market.settle_post(task, sale_id, facts, answer).await?;
        Ok(match attempted.outcome {
            DeliveryOutcome::Retry | DeliveryOutcome::Unknown => {
                LaneHealth::Failing { version: facts.destination.version }
            }
            DeliveryOutcome::Misconfigured => LaneHealth::Unknown,
            _ => LaneHealth::Well,
        })
    }
}

/// Nothing was sent by this claim. An interrupted attempt is unknown and never made again; otherwise the buyer certainly
/// got nothing, and the next contract has its turn.
fn not_asked(refused: Refused) -> Answer {
    let verdict = match refused {
        Refused::Interrupted => VerdictGiven::Lost,
        Refused::Parked => VerdictGiven::Rejected(Some("the destination is parked".to_owned())),
        Refused::Ended => VerdictGiven::Rejected(Some("the destination was ended".to_owned())),
        Refused::Erased => VerdictGiven::Rejected(Some("the person was erased".to_owned())),
    };
    Answer { attempt: None, verdict: Some(verdict), reference: None, again_at: None }
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
        again_at: again.then_some(now + pause),
    }
}

impl Market {
    /// Attempt, delivery, task, sale, hold, money and lead in one transaction.
    async fn settle_post(
        &self,
        task: &Claimed,
        sale_id: SaleId,
        facts: &DeliveryFacts,
        answer: Answer,
    ) -> StoreResult<()> {
        let mut write = self.store.write(DELIVER).await?;
        let Some(sale) = self.lock_sale(&write, sale_id).await? else { return Err(StoreError::corrupt("sale")) };
        let held = write.settle_attempts(vec![settled(task, facts, &answer)]).await?;
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
            && self.settle(&mut write, &sale, verdict).await?
            && held.is_empty()
        {
            write.settle_asking_delivery(sale_id, delivery_state(verdict)).await?;
        }
        let due = write.commit().await?;
        self.wake_workers(due);
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
            self.settle(&mut write, &sale, &VerdictGiven::Expired).await?;
        }
        let due = write.commit().await?;
        self.wake_workers(due);
        self.settled.notify_waiters();
        Ok(())
    }
}

/// Where the asking delivery stands after a verdict.
pub(super) fn delivery_state(verdict: &VerdictGiven) -> DeliveryState {
    match verdict {
        VerdictGiven::Accepted(_) => DeliveryState::Accepted,
        VerdictGiven::Rejected(_) => DeliveryState::Rejected,
        VerdictGiven::Lost | VerdictGiven::Expired => DeliveryState::Unknown,
    }
}

fn settled(task: &Claimed, facts: &DeliveryFacts, answer: &Answer) -> SettledAttempt {
    let (delivery_id, destination_id, lead_id) = ids(facts);
    let state = answer.verdict.as_ref().map_or(DeliveryState::Pending, delivery_state);
    SettledAttempt {
        held: task.held(),
        task_end: match answer.again_at {
            Some(run_at) => TaskEnd::Again { run_at, error: Some("the buyer could not be asked".to_owned()) },
            None => TaskEnd::Done,
        },
        attempt: answer.attempt.clone(),
        delivery_id,
        state,
        next_attempt_at: answer.again_at,
        reference: answer.reference.clone(),
        lead_id,
        event: None,
        destination_id,
        news: match answer.verdict {
            Some(VerdictGiven::Accepted(_)) => DestinationNews::Well,
            _ => DestinationNews::None,
        },
    }
}
