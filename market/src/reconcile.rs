//! Reconciling: what was left in between is brought to an end. No input, idempotent, one path, whether a signal or a
//! timer calls it. Nothing is decided here: a missing task is written again, and its own handler decides.

use std::collections::BTreeSet;

use chrono::Duration;
use leadyard_entity::model::sale;
use leadyard_entity::placement::NewEvent;
use leadyard_entity::tasks::NewTask;
use leadyard_entity::{StoreResult, Write};
use leadyard_types::lead::LeadEventKind;
use leadyard_types::terms::AgedPolicy;
use leadyard_types::{LeadId, LeadState, Principal, SaleId, SaleState, Status, SystemTask, TaskPayload};
use serde_json::json;

use crate::delivery::{deliver_key, last_query_at, post_key, status_task_at};
use crate::market::Market;
use crate::rules::aged;
use crate::settlement::{PLACE_LANE, agreed, expire_task};
use crate::waiting::offer_task;

const RECONCILE: Principal = Principal::System(SystemTask::Reconcile);

/// What is younger may still be on its ordinary way.
const SETTLING_MINUTES: i64 = 10;
/// The pause before work that must come to an end is tried anew after it was given up.
const REVIVED_AFTER_MINUTES: i64 = 60;
/// How many things one look takes.
const PAGE: u32 = 500;
/// How many such looks one run takes at deliveries: a backlog has its tasks, and looking for them must not slow it down.
const PAGES_MAX: usize = 20;
/// Answers to requests with a key are given again for so long.
const KEYED_DAYS: i64 = 60;
/// Requests recognised by their body count as the same for a minute only.
const BODY_DAYS: i64 = 1;
/// Pings that became no lead are kept for suppliers and staff to look at, counted from the end of what was promised.
const QUOTE_DAYS: i64 = 30;
/// Requests for letters are counted by the hour, and by the day.
const RESET_REQUEST_DAYS: i64 = 1;
/// Dead tasks are kept for people to look at.
const DEAD_TASK_DAYS: i64 = 90;

/// What a reconciler did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Tasks of workers that went away, free again.
    pub freed: u64,
    /// What waited for tasks that were given up, brought to an end.
    pub given_up: usize,
    /// Missing tasks, written again.
    pub tasks: usize,
}

impl Market {
    /// Frees the tasks of workers that went away. Their attempts are counted, so nothing is tried for ever.
    pub async fn free_expired_leases(&self) -> StoreResult<u64> {
        if !self.store.read(RECONCILE).any_expired_lease().await? {
            return Ok(0);
        }
        let write = self.store.write(RECONCILE).await?;
        let freed = write.free_expired_leases().await?;
        let _ = write.commit().await?;
        if freed > 0 {
            tracing::info!(freed, "tasks of workers that went away are free again");
            self.store.wake_workers();
        }
        Ok(freed)
    }

    /// Looks for everything that was left in between.
    pub async fn reconcile(&self) -> StoreResult<Reconciled> {
        let freed = self.free_expired_leases().await?;
        let given_up = self.end_given_up().await?;
        let tasks =
            self.reconcile_sales().await? + self.reconcile_deliveries().await? + self.reconcile_queued().await?;
        self.age_unsold().await?;
        if tasks > 0 {
            tracing::warn!(tasks, "missing tasks were written again");
        }
        Ok(Reconciled { freed, given_up, tasks })
    }

    /// Sales that wait for a verdict have a task that asks, or one that ends the wait.
    async fn reconcile_sales(&self) -> StoreResult<usize> {
        let now = self.clock().now();
        let before = now - Duration::minutes(SETTLING_MINUTES);
        let (mut last, mut added) = (None, 0);
        loop {
            let page = self.store.read(RECONCILE).waiting_sales(before, last, PAGE).await?;
            let Some(newest) = page.last() else { return Ok(added) };
            last = Some(newest.sale_id);
            let mut write = self.store.write(RECONCILE).await?;
            let mut tasks = Vec::with_capacity(page.len());
            for waiting in page {
                if waiting.state == SaleState::Pending {
                    let (sale_id, delivery_id) = (waiting.sale_id, waiting.delivery_id);
                    let payload = TaskPayload::Post { sale_id, delivery_id };
                    let (lane, dedupe_key) = (waiting.destination_id.to_string(), Some(post_key(sale_id)));
                    tasks.push(NewTask { payload, lane, run_at: now, dedupe_key });
                } else if let Some(sale) = write.sale(waiting.sale_id).await? {
                    tasks.extend(self.of_unknown(&write, &sale).await?);
                }
            }
            // Money must not stay held for ever: the task that ends a hold is never given up for good.
            let is_end = |task: &&NewTask| matches!(task.payload, TaskPayload::ExpireUnknown { .. });
            let ends: Vec<String> = tasks.iter().filter(is_end).filter_map(|task| task.dedupe_key.clone()).collect();
            let revived = write.revive_tasks(&ends, now - Duration::minutes(REVIVED_AFTER_MINUTES)).await?;
            added += self.add_missing(&mut write, &tasks).await?;
            let _ = write.commit().await?;
            if revived > 0 {
                tracing::warn!(revived, "tasks that end holds were given up; they get another run of attempts");
                self.store.wake_workers();
            }
        }
    }

    /// What a sale waits for whose answer was lost: the end of its window, and until then its buyer's word.
    async fn of_unknown(&self, write: &Write, sale: &sale::Model) -> StoreResult<Vec<NewTask>> {
        let (id, now) = (SaleId(sale.id), self.clock().now());
        let minutes = agreed(write, sale).await?.unknown_window_minutes;
        let mut tasks = vec![expire_task(id, sale.state_since + Duration::minutes(i64::from(minutes)))];
        if now < last_query_at(sale.state_since, minutes) {
            tasks.extend(status_task_at(write, id, now).await?);
        }
        Ok(tasks)
    }

    /// Deliveries that should have been tried have a task.
    async fn reconcile_deliveries(&self) -> StoreResult<usize> {
        let now = self.clock().now();
        let before = now - Duration::minutes(SETTLING_MINUTES);
        let (mut last, mut added) = (None, 0);
        for _ in 0..PAGES_MAX {
            let overdue = self.store.read(RECONCILE).overdue_deliveries(before, last, PAGE).await?;
            let Some((newest, _)) = overdue.last() else { break };
            last = Some(*newest);
            let tasks = overdue.into_iter().map(|(delivery_id, destination)| NewTask {
                payload: TaskPayload::Deliver { delivery_id },
                lane: destination.to_string(),
                run_at: now,
                dedupe_key: Some(deliver_key(delivery_id)),
            });
            added += self.write_missing(tasks.collect()).await?;
        }
        Ok(added)
    }

    /// Leads that wait to be offered again have a task that does; placing them also finds that their window is over.
    async fn reconcile_queued(&self) -> StoreResult<usize> {
        let now = self.clock().now();
        let before = now - Duration::minutes(SETTLING_MINUTES);
        let queued = self.store.read(RECONCILE).queued_without_task(before, PAGE).await?;
        let tasks = queued.into_iter().map(|lead_id| NewTask {
            payload: TaskPayload::Place { lead_id },
            lane: PLACE_LANE.to_owned(),
            run_at: now,
            dedupe_key: Some(format!("place:{lead_id}:missing")),
        });
        self.write_missing(tasks.collect()).await
    }

    /// Leads that stayed unsold age, where their campaign sells aged leads; each is offered at once. Answers how many.
    pub async fn age_unsold(&self) -> StoreResult<usize> {
        let (now, mut aged) = (self.clock().now(), 0);
        let snapshot = self.snapshot();
        for campaign in snapshot.campaigns.values().filter(|campaign| campaign.terms.status == Status::Active) {
            let Some(policy) = &campaign.terms.aged else { continue };
            let newest = now - Duration::minutes(i64::from(policy.after_minutes));
            let oldest = now - Duration::days(i64::from(policy.until_days));
            for _ in 0..PAGES_MAX {
                let found = self.store.read(RECONCILE).unsold_leads(campaign.id, oldest, newest, PAGE).await?;
                if found.is_empty() {
                    break;
                }
                aged += self.age_page(policy, &found.into_iter().collect()).await?;
            }
        }
        if aged > 0 {
            tracing::info!(aged, "leads that stayed unsold are offered as aged ones");
            self.store.wake_workers();
        }
        Ok(aged)
    }

    async fn age_page(&self, policy: &AgedPolicy, leads: &BTreeSet<LeadId>) -> StoreResult<usize> {
        let mut write = self.store.write(RECONCILE).await?;
        // Somebody else may have been quicker: what is held now is how they stand.
        let rows = write.lock_leads(leads).await?;
        let unsold = rows.iter().filter(|row| row.state == LeadState::Unsold.as_str());
        let ageing: Vec<_> = unsold.map(|row| (LeadId(row.id), aged::until(policy, row.received_at))).collect();
        write.age_leads(&ageing).await?;
        let now = self.clock().now();
        let tasks: Vec<NewTask> = ageing.iter().map(|(lead, _)| offer_task(*lead, now)).collect();
        write.add_tasks(&tasks).await?;
        let event = |(lead_id, until): &(LeadId, _)| NewEvent {
            lead_id: *lead_id,
            kind: LeadEventKind::Aged,
            detail: json!({ "until": until }),
        };
        write.add_events(&ageing.iter().map(event).collect::<Vec<_>>()).await?;
        let _ = write.commit().await?;
        Ok(ageing.len())
    }

    async fn write_missing(&self, tasks: Vec<NewTask>) -> StoreResult<usize> {
        if tasks.is_empty() {
            return Ok(0);
        }
        let mut write = self.store.write(RECONCILE).await?;
        let added = self.add_missing(&mut write, &tasks).await?;
        let _ = write.commit().await?;
        Ok(added)
    }

    /// Adds tasks whose key is not there; answers how many were missing.
    async fn add_missing(&self, write: &mut Write, tasks: &[NewTask]) -> StoreResult<usize> {
        let keys: Vec<String> = tasks.iter().filter_map(|task| task.dedupe_key.clone()).collect();
        let known = write.known_keys(&keys).await?;
        let missing: Vec<NewTask> = tasks
            .iter()
            .filter(|task| task.dedupe_key.as_ref().is_none_or(|key| !known.contains(key)))
            .cloned()
            .collect();
        write.add_tasks(&missing).await?;
        Ok(missing.len())
    }

    /// Forgets what nobody needs any more; answers how much.
    pub async fn prune(&self) -> StoreResult<u64> {
        let now = self.clock().now();
        let mut forgotten = 0;
        loop {
            let write = self.store.write(RECONCILE).await?;
            let answers =
                write.prune_answers(now - Duration::days(KEYED_DAYS), now - Duration::days(BODY_DAYS)).await?;
            let dead = write.prune_dead_tasks(now - Duration::days(DEAD_TASK_DAYS)).await?;
            let resets = write.prune_reset_requests(now - Duration::days(RESET_REQUEST_DAYS)).await?;
            let _ = write.commit().await?;
            forgotten += answers + dead + resets;
            if answers == 0 {
                return Ok(forgotten + self.prune_quotes().await?);
            }
        }
    }

    /// Forgets pings that became no lead, with the bids they were answered by; what became a lead stays with it.
    async fn prune_quotes(&self) -> StoreResult<u64> {
        let before = self.clock().now() - Duration::days(QUOTE_DAYS);
        let mut forgotten = 0;
        loop {
            let write = self.store.write(RECONCILE).await?;
            let quotes = write.prune_quotes(before).await?;
            let _ = write.commit().await?;
            forgotten += quotes;
            if quotes == 0 {
                return Ok(forgotten);
            }
        }
    }
}
