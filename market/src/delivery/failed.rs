//! Tasks that fail by our own fault: the database is away, what is stored cannot be read, this program has a defect.
//!
//! Nothing is given up because the database is away. What fails otherwise is tried again a bounded number of times, and
//! whoever gives a task up also brings what it was for to an end: nothing waits for a task that will not come.

use chrono::Duration;
use leadyard_connectors::schedule::RETRY_SCHEDULE;
use leadyard_entity::model::{delivery, sale};
use leadyard_entity::tasks::{Claimed, TaskEnd, TaskStanding};
use leadyard_entity::{StoreError, StoreResult};
use leadyard_types::{
    DeliveryId, DeliveryState, LeadId, MailState, Principal, SaleId, SaleState, SettledBy, SystemTask, TaskPayload,
};

use super::post::{Answer, Asked};
use super::{Courier, DELIVER, letter, outcome, status};
use crate::market::Market;
use crate::patience::patiently;
use crate::settlement::VerdictGiven;

const RECONCILE: Principal = Principal::System(SystemTask::Reconcile);

/// How many given-up tasks are looked at together.
const PAGE: u32 = 500;

/// How often a task other than a delivery may be claimed before it is given up; a delivery has its schedule.
const CLAIMS_MAX: i64 = 60;

/// The pause before something is tried again that failed by our own fault; each claim adds as much.
const PAUSE_SECONDS: i64 = 5;
/// The longest such pause.
const PAUSE_SECONDS_MAX: i64 = 300;
/// A task that this version cannot read waits for a process of another: an upgrade takes minutes.
const UNREADABLE_PAUSE_SECONDS: i64 = 60;

/// Why a task could not be run to its end.
#[derive(Debug)]
pub struct Failure {
    error: StoreError,
    /// Whether something may have been sent before it failed.
    sent: bool,
}

impl Failure {
    /// A task that stopped without saying what it did.
    #[must_use]
    pub fn of(what: &str) -> Self {
        Self::after_sending(StoreError::Fault(what.to_owned()))
    }

    pub(super) fn after_sending(error: StoreError) -> Self {
        Self { error, sent: true }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { error, sent: false }
    }
}

/// How often a task may be claimed. Workers that died count, so that nothing kills them for ever.
fn claims_max(task: &Claimed) -> i64 {
    match task.payload {
        Some(TaskPayload::Deliver { .. } | TaskPayload::Post { .. }) => {
            i64::try_from(RETRY_SCHEDULE.len()).unwrap_or(i64::MAX)
        }
        Some(TaskPayload::AskStatus { .. }) => status::CLAIMS_MAX,
        _ => CLAIMS_MAX,
    }
}

/// Whether a task used up its claims without coming to an end.
pub(super) fn claimed_too_often(task: &Claimed) -> bool {
    task.attempts > claims_max(task)
}

impl Courier {
    /// A task failed by our own fault: it comes back later, or is given up.
    pub async fn failed(&self, task: &Claimed, failure: Failure) {
        let error = failure.error.to_string();
        tracing::warn!(error, task = %task.id, "a task failed");
        metrics::counter!("leadyard_tasks_failed_total").increment(1);
        let last = task.attempts >= claims_max(task) && !failure.error.is_transient();
        let ended = if last { self.give_up(task, &error).await } else { self.put_off(task, &failure).await };
        if let Err(error) = ended {
            tracing::warn!(%error, task = %task.id, "its lease will run out");
        }
    }

    async fn put_off(&self, task: &Claimed, failure: &Failure) -> StoreResult<()> {
        let seconds = match task.payload {
            Some(_) => (PAUSE_SECONDS * task.attempts.clamp(1, 60)).min(PAUSE_SECONDS_MAX),
            None => UNREADABLE_PAUSE_SECONDS,
        };
        let run_at = self.market.clock().now() + Duration::seconds(seconds);
        let error = Some(failure.error.to_string());
        // What was certainly not begun does not use up the schedule while the database is away.
        let end = if failure.error.is_transient() && !failure.sent {
            TaskEnd::Postponed { run_at, error }
        } else {
            TaskEnd::Again { run_at, error }
        };
        self.ending.submit((task.held(), end)).await
    }

    async fn give_up(&self, task: &Claimed, error: &str) -> StoreResult<()> {
        tracing::error!(error, task = %task.id, attempts = task.attempts, "a task is given up");
        metrics::counter!("leadyard_tasks_given_up_total").increment(1);
        match task.payload {
            Some(TaskPayload::Deliver { delivery_id }) => {
                patiently(self.patience, || self.market.give_up_delivery(task, delivery_id, error)).await
            }
            Some(TaskPayload::Post { sale_id, delivery_id }) => {
                patiently(self.patience, || self.market.give_up_post(task, sale_id, delivery_id, error)).await
            }
            // Whoever invited sees that nothing will come, and invites again.
            Some(TaskPayload::MailInvitation { invitation_id }) => {
                let (kind, end) = (letter::Kind::Invitation(invitation_id), TaskEnd::Dead { error: error.to_owned() });
                let failed = Some(MailState::Failed);
                patiently(self.patience, || self.market.settle_letter(task, kind, &end, failed)).await
            }
            _ => self.ending.submit((task.held(), TaskEnd::Dead { error: error.to_owned() })).await,
        }
    }
}

impl Market {
    async fn waiting_delivery(&self, id: DeliveryId) -> StoreResult<Option<delivery::Model>> {
        let row = self.store.read(DELIVER).by_id::<delivery::Entity>(id.0).await?;
        Ok(row.filter(|row| row.state == DeliveryState::Pending.as_str()))
    }

    /// The delivery ends with its task; staff can replay it.
    async fn give_up_delivery(&self, task: &Claimed, id: DeliveryId, error: &str) -> StoreResult<()> {
        let waiting = self.waiting_delivery(id).await?;
        let write = self.store.write(DELIVER).await?;
        match waiting {
            Some(row) => {
                let held = write.settle_attempts(vec![outcome::given_up(task, &row, error)]).await?;
                if !held.is_empty() {
                    write.end_interrupted(&[id]).await?;
                }
            }
            None => {
                write.end_task(task, &TaskEnd::Done).await?;
            }
        }
        let _ = write.commit().await?;
        Ok(())
    }

    /// The buyer could not be asked. If an attempt was interrupted it may have got the lead: then the verdict is unknown;
    /// otherwise it certainly got nothing, and the next contract has its turn.
    async fn give_up_post(&self, task: &Claimed, sale_id: SaleId, id: DeliveryId, error: &str) -> StoreResult<()> {
        let Some(row) = self.waiting_delivery(id).await? else {
            let write = self.store.write(DELIVER).await?;
            write.end_task(task, &TaskEnd::Done).await?;
            let _ = write.commit().await?;
            return Ok(());
        };
        let interrupted = self.store.read(DELIVER).any_open_attempt(id).await?;
        let verdict = if interrupted {
            VerdictGiven::Lost
        } else {
            VerdictGiven::Rejected(Some("the buyer could not be asked".to_owned()))
        };
        self.settle_post(task, sale_id, &Asked::from(&row), Answer::given_up(verdict, error)).await
    }

    /// Brings to an end what waits for tasks that were given up, by whichever version: deliveries are given up with them,
    /// and a verdict nobody will ask for any more is unknown. Answers how many there were.
    pub(crate) async fn end_given_up(&self) -> StoreResult<usize> {
        let (mut last, mut ended) = (None, 0);
        loop {
            let page = self.store.read(RECONCILE).given_up_tasks(last, PAGE).await?;
            let Some(newest) = page.last() else { return Ok(ended) };
            last = Some(newest.id);
            for task in &page {
                let Some((kind, id)) = task.dedupe_key.split_once(':') else { continue };
                let error = task.error.as_deref().unwrap_or("its task was given up");
                ended += usize::from(match (kind, id.parse()) {
                    ("deliver", Ok(id)) => self.end_delivery(DeliveryId(id), &task.dedupe_key, error).await?,
                    ("post", Ok(id)) => self.end_question(SaleId(id), &task.dedupe_key).await?,
                    _ => false,
                });
            }
        }
    }

    async fn end_delivery(&self, id: DeliveryId, key: &str, error: &str) -> StoreResult<bool> {
        let Some(row) = self.waiting_delivery(id).await? else { return Ok(false) };
        let write = self.store.write(RECONCILE).await?;
        write.hold_leads(&[LeadId(row.lead_id)].into()).await?;
        // It may have been replayed meanwhile: then its task lives.
        let waits = write.lock_delivery(id).await?.is_some_and(|row| row.state == DeliveryState::Pending.as_str());
        let given_up = write.lock_task(key).await?.is_some_and(|task| task == TaskStanding::Dead);
        if !given_up || !waits {
            write.rollback().await?;
            return Ok(false);
        }
        write.move_delivery(id, DeliveryState::Dead).await?;
        write.end_interrupted(&[id]).await?;
        write.add_events(&[outcome::given_up_event(&row, error)]).await?;
        let _ = write.commit().await?;
        Ok(true)
    }

    async fn end_question(&self, id: SaleId, key: &str) -> StoreResult<bool> {
        let pending = |sale: &sale::Model| sale.state == SaleState::Pending.as_str();
        if !self.store.read(RECONCILE).by_id::<sale::Entity>(id.0).await?.is_some_and(|sale| pending(&sale)) {
            return Ok(false);
        }
        let mut write = self.store.write(RECONCILE).await?;
        let Some(sale) = self.lock_sale(&write, id).await?.filter(pending) else { return Ok(false) };
        if write.lock_task(key).await?.is_none_or(|task| task != TaskStanding::Dead) {
            return Ok(false);
        }
        let ended = self.settle(&mut write, &sale, &VerdictGiven::Lost, SettledBy::Answer).await?;
        let _ = write.commit().await?;
        Ok(ended)
    }
}
