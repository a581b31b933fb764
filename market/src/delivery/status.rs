//! Asking a buyer what became of a lead whose answer was lost: with a back-off, never twice at once for a sale, and for a
//! week at most. What the buyer says settles the sale as its answer would have; anything else leaves it unknown.

use std::time::Duration as Wait;

use chrono::Duration;
use leadyard_connectors::{Attempted, answers_status};
use leadyard_entity::deliveries::{Begin, Begun, DeliveryFacts};
use leadyard_entity::tasks::{Claimed, NewTask, TaskEnd};
use leadyard_entity::{StoreError, StoreResult, Write};
use leadyard_types::{
    BuyerVerdict, DeliveryId, DeliveryOutcome, DestinationId, SaleId, SaleState, SettledBy, Status, TaskPayload,
    Timestamp,
};

use super::{Attempt, Courier, DELIVER, Failure, LaneHealth, in_time, outcome, package};
use crate::market::Market;
use crate::patience::patiently;
use crate::settlement::{VerdictGiven, agreed};

/// A buyer that lost the connection has usually decided some seconds later.
const FIRST_AFTER_SECONDS: i64 = 10;
/// The pauses after the first queries; after them it is asked every hour.
const PAUSES_SECONDS: [i64; 3] = [30, 2 * 60, 10 * 60];
const PAUSE_SECONDS_MAX: i64 = 60 * 60;
/// So long a buyer is asked at most, also where the window is longer: who has not said it in a week will not.
const DAYS_MAX: i64 = 7;
/// The last query comes so long before the window ends, that its answer may still count.
const LAST_BEFORE_SECONDS: i64 = 60;
/// A week of hours, the first few queries, and room for workers that went away.
pub(super) const CLAIMS_MAX: i64 = 7 * 24 + 32;

/// The task that asks what became of a sale: there is one at most.
#[must_use]
pub fn status_key(sale: SaleId) -> String {
    format!("ask:{sale}")
}

/// When a buyer is asked for the last time about a sale that is unknown since then: just before its window ends.
pub(crate) fn last_query_at(unknown_since: Timestamp, window_minutes: u32) -> Timestamp {
    asks_until(unknown_since, window_minutes) - Duration::seconds(LAST_BEFORE_SECONDS)
}

/// Until when it may be asked: until the window ends, and for a week at most.
fn asks_until(unknown_since: Timestamp, window_minutes: u32) -> Timestamp {
    unknown_since + Duration::minutes(i64::from(window_minutes)).min(Duration::days(DAYS_MAX))
}

/// The first query about a sale whose answer was lost at this moment, if its buyer can be asked.
pub(crate) async fn status_task(write: &Write, sale: SaleId, lost_at: Timestamp) -> StoreResult<Option<NewTask>> {
    status_task_at(write, sale, lost_at + Duration::seconds(FIRST_AFTER_SECONDS)).await
}

/// A query about a sale at a moment, if its buyer can be asked. It has a lane of its own: a buyer's status that hangs must
/// not keep its leads waiting.
pub(crate) async fn status_task_at(write: &Write, sale: SaleId, run_at: Timestamp) -> StoreResult<Option<NewTask>> {
    let Some(asking) = write.asking_delivery(sale).await? else { return Ok(None) };
    if !answers_status(asking.kind.parse().map_err(StoreError::corrupt)?, &asking.config) {
        return Ok(None);
    }
    let payload = TaskPayload::AskStatus { sale_id: sale, delivery_id: DeliveryId(asking.delivery_id) };
    let lane = format!("status:{}", DestinationId(asking.destination_id));
    Ok(Some(NewTask { payload, lane, run_at, dedupe_key: Some(status_key(sale)) }))
}

/// The pause after so many queries, or as long as the buyer asks for.
fn pause(queries: i64, retry_after: Option<Wait>) -> Duration {
    let index = usize::try_from(queries.max(1) - 1).unwrap_or(usize::MAX);
    let usual = Duration::seconds(PAUSES_SECONDS.get(index).copied().unwrap_or(PAUSE_SECONDS_MAX));
    let wanted = retry_after.and_then(|wait| Duration::from_std(wait).ok()).unwrap_or_default();
    usual.max(wanted).min(Duration::seconds(PAUSE_SECONDS_MAX))
}

/// What there is to ask.
#[derive(Clone)]
enum Query {
    /// Begun and committed: now the buyer is asked.
    Begun(Box<Attempt>, Asking),
    /// Its destination takes nothing now.
    Later(Timestamp),
    /// There is nothing to ask any more.
    Over,
    /// Somebody else has the task.
    Lost,
}

/// About which sale, and for how long.
#[derive(Clone, Copy)]
struct Asking {
    sale_id: SaleId,
    last_at: Timestamp,
}

/// When something is due that would be due then, if it is before the last query: then at the latest.
fn within(run_at: Timestamp, last_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    (now < last_at).then_some(run_at.min(last_at))
}

/// What a buyer's answer says, if it says anything.
fn verdict(attempted: &Attempted) -> Option<VerdictGiven> {
    let verdict = match attempted.outcome {
        DeliveryOutcome::Accepted => BuyerVerdict::Accepted,
        DeliveryOutcome::Rejected => BuyerVerdict::Rejected,
        DeliveryOutcome::Duplicate => BuyerVerdict::Duplicate,
        _ => return None,
    };
    let reason = attempted.reason.clone().or_else(|| attempted.error.clone());
    Some(VerdictGiven::of(verdict, reason, attempted.reference.clone()))
}

impl Courier {
    pub(super) async fn ask_status(
        &self,
        task: &Claimed,
        sale_id: SaleId,
        id: DeliveryId,
    ) -> Result<LaneHealth, Failure> {
        let begin = self.begin(task, id, true);
        let (attempt, asking) = match patiently(self.patience, || self.market.open_query(sale_id, begin)).await? {
            Query::Begun(attempt, asking) => (attempt, asking),
            Query::Later(run_at) => return self.end(task, TaskEnd::Postponed { run_at, error: None }).await,
            Query::Over => return self.end(task, TaskEnd::Done).await,
            Query::Lost => return Ok(LaneHealth::Unknown),
        };
        let facts = &attempt.facts;
        let now = self.market.clock().now();
        let attempted = match package(facts, attempt.number) {
            Ok(package) => {
                let (config, unknown_for) = (&facts.destination.config, now - facts.sale.state_since);
                in_time(self.connectors.ask_status(config, &facts.secrets, &package, unknown_for, now)).await
            }
            Err(error) => Attempted::misconfigured(error.to_string()),
        };
        self.settle_query(task, &attempt, asking, &attempted).await.map_err(Failure::after_sending)?;
        Ok(match attempted.outcome {
            DeliveryOutcome::Retry => LaneHealth::Failing { version: facts.destination.version },
            // No answer at all; an answer that says nothing is one.
            DeliveryOutcome::Unknown if attempted.status.is_none() => {
                LaneHealth::Failing { version: facts.destination.version }
            }
            DeliveryOutcome::Misconfigured => LaneHealth::Unknown,
            _ => LaneHealth::Well,
        })
    }

    /// Writes down what the buyer said. What does not fit the books (the wallet does not cover it any more) is kept with
    /// the attempt for people to see.
    async fn settle_query(
        &self,
        task: &Claimed,
        attempt: &Attempt,
        asking: Asking,
        attempted: &Attempted,
    ) -> StoreResult<()> {
        let settle =
            |verdict: Option<VerdictGiven>| self.market.settle_query(task, attempt, asking, attempted, verdict);
        let verdict = verdict(attempted);
        match patiently(self.patience, || settle(verdict.clone())).await {
            Err(error) if !error.is_transient() && verdict.is_some() => {
                tracing::error!(%error, sale = %asking.sale_id, "a buyer's answer to a status query could not be settled");
                patiently(self.patience, || settle(None)).await
            }
            result => result,
        }
    }
}

impl Market {
    /// Begins a query, where there is anything to ask.
    async fn open_query(&self, sale_id: SaleId, begin: Begin) -> StoreResult<Query> {
        let facts = self.store.read(DELIVER).delivery_facts(&[begin.delivery_id]).await?.pop();
        let unknown = |facts: &DeliveryFacts| facts.sale.state == SaleState::Unknown.as_str();
        let Some(facts) = facts.filter(unknown) else { return Ok(Query::Over) };
        let destination = &facts.destination;
        if !answers_status(destination.kind.parse().map_err(StoreError::corrupt)?, &destination.config) {
            return Ok(Query::Over);
        }
        let now = self.clock().now();
        let write = self.store.write(DELIVER).await?;
        let (since, minutes) = (facts.sale.state_since, agreed(&write, &facts.sale).await?.unknown_window_minutes);
        let last_at = last_query_at(since, minutes);
        let active = destination.status == Status::Active.as_str();
        if !active || now >= asks_until(since, minutes) {
            write.rollback().await?;
            // A destination that is set aside is looked at again now and then.
            let later = within(now + Duration::seconds(PAUSES_SECONDS[2]), last_at, now).filter(|_| !active);
            return Ok(later.map_or(Query::Over, Query::Later));
        }
        let begun = write.begin_query(&begin).await?;
        let _ = write.commit().await?;
        Ok(match begun {
            Begun::Started { number } => {
                Query::Begun(Box::new(Attempt { id: begin.attempt_id, number, facts }), Asking { sale_id, last_at })
            }
            Begun::Lost => Query::Lost,
            Begun::Settled | Begun::Interrupted => Query::Over,
        })
    }

    /// Attempt, task, sale, hold, money and lead in one transaction.
    async fn settle_query(
        &self,
        task: &Claimed,
        attempt: &Attempt,
        asking: Asking,
        attempted: &Attempted,
        verdict: Option<VerdictGiven>,
    ) -> StoreResult<()> {
        let mut write = self.store.write(DELIVER).await?;
        let sale = self.lock_sale(&write, asking.sale_id).await?.ok_or_else(|| StoreError::corrupt("sale"))?;
        let now = self.clock().now();
        let waits = sale.state == SaleState::Unknown.as_str() && verdict.is_none();
        let again_at = within(now + pause(task.attempts, attempted.retry_after), asking.last_at, now);
        let end = match again_at.filter(|_| waits) {
            Some(run_at) => TaskEnd::Again { run_at, error: None },
            None => TaskEnd::Done,
        };
        let held = write.end_task(task, &end).await?;
        if !held && verdict.is_none() {
            // Somebody else asks already; an unclear answer says nothing new.
            return write.rollback().await;
        }
        write.correct_attempt(attempt.id, outcome::attempt_end(attempted)).await?;
        if let Some(verdict) = &verdict {
            self.settle(&mut write, &sale, verdict, SettledBy::StatusQuery).await?;
        }
        let _ = write.commit().await?;
        self.settled.notify_waiters();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses grow to an hour; a buyer may ask for a longer one, but not for more than an hour, nor for a shorter one.
    #[test]
    fn queries_back_off() {
        let seconds = |queries, wanted: Option<u64>| pause(queries, wanted.map(Wait::from_secs)).num_seconds();
        let all: Vec<i64> = (1..=6).map(|queries| seconds(queries, None)).collect();
        assert_eq!(all, [30, 120, 600, 3_600, 3_600, 3_600]);
        assert_eq!((seconds(1, Some(300)), seconds(1, Some(1)), seconds(1, Some(86_400))), (300, 30, 3_600));
    }

    /// Asking ends with the window, and after a week at the latest: fewer queries than the task may be claimed.
    #[test]
    fn asking_ends() {
        let lost = chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        assert_eq!(asks_until(lost, 60), lost + Duration::minutes(60));
        let until = asks_until(lost, 92 * 24 * 60);
        assert_eq!(until, lost + Duration::days(7));
        for minutes in [1, 60, 92 * 24 * 60] {
            let last_at = last_query_at(lost, minutes);
            let mut next = Some(lost + Duration::seconds(FIRST_AFTER_SECONDS));
            let mut asked = Vec::new();
            while let Some(at) = next {
                asked.push(at);
                next = within(at + pause(asked.len() as i64, None), last_at, at);
            }
            let last = *asked.last().unwrap();
            assert!(last < asks_until(lost, minutes) && (asked.len() as i64) < CLAIMS_MAX, "{minutes}: {asked:?}");
            assert!(minutes == 1 || last == last_at);
        }
    }
}
