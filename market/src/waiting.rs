//! Leads that wait: each has one task, due when it is offered next. Whatever may make leads sellable (an edit of the
//! set-up, money for a buyer) wakes the campaign's: their turn is now. Nobody looks through all of them for it: the wake
//! goes by an index of those that wait, some hundred at a time.

use std::collections::BTreeSet;

use leadyard_entity::tasks::NewTask;
use leadyard_entity::{StoreResult, Write};
use leadyard_types::{BuyerId, CampaignId, LeadId, Principal, SystemTask, TaskPayload, Timestamp};

use crate::market::Market;
use crate::settlement::PLACE_LANE;

/// The task of a lead's next turn.
pub(crate) fn offer_task(lead_id: LeadId, at: Timestamp) -> NewTask {
    let payload = TaskPayload::Place { lead_id };
    NewTask { payload, lane: PLACE_LANE.to_owned(), run_at: at, dedupe_key: Some(offer_key(lead_id, at)) }
}

fn offer_key(lead_id: LeadId, at: Timestamp) -> String {
    format!("place:{lead_id}:{}", at.timestamp_micros())
}

/// Has the leads of campaigns offered again that wait, once this transaction is committed.
pub(crate) async fn wake(write: &mut Write, campaigns: &BTreeSet<CampaignId>) -> StoreResult<()> {
    let now = write.store().clock().now();
    // Each cause wakes by itself: what came after a wake began would not be seen by it.
    wake_at(write, campaigns, now, |_| None).await
}

async fn wake_at(
    write: &mut Write,
    campaigns: &BTreeSet<CampaignId>,
    run_at: Timestamp,
    dedupe_key: impl Fn(CampaignId) -> Option<String>,
) -> StoreResult<()> {
    let waiting = write.campaigns_that_wait(campaigns).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let task = |campaign_id| NewTask {
        payload: TaskPayload::Wake { campaign_id },
        lane: PLACE_LANE.to_owned(),
        run_at,
        dedupe_key: dedupe_key(campaign_id),
    };
    write.add_tasks(&waiting.into_iter().map(task).collect::<Vec<_>>()).await
}

/// The same, for everything that a buyer may buy.
pub(crate) async fn wake_for(write: &mut Write, buyer: BuyerId) -> StoreResult<()> {
    let campaigns = write.campaigns_of_buyer(buyer).await?;
    wake(write, &campaigns).await
}

/// The same where money or capacity comes back to a buyer: when the minute ends, and once, however many of its sales end
/// in that minute. The caller holds the buyer's wallets, so that nobody else writes the same wake meanwhile.
pub(crate) async fn wake_soon_for(write: &mut Write, buyer: BuyerId) -> StoreResult<()> {
    let campaigns = write.campaigns_of_buyer(buyer).await?;
    let now = write.store().clock().now();
    let minute = now.timestamp().div_euclid(60) + 1;
    let run_at = Timestamp::from_timestamp(minute * 60, 0).unwrap_or(now);
    wake_at(write, &campaigns, run_at, |campaign| Some(format!("wake:{campaign}:{buyer}:{minute}"))).await
}

impl Market {
    /// Makes it the turn of every lead of a campaign that waits. Answers how many there were.
    pub async fn wake_waiting(&self, campaign: CampaignId) -> StoreResult<usize> {
        let now = self.clock().now();
        let mut woken = 0;
        loop {
            let write = self.store.write(Principal::System(SystemTask::Place)).await?;
            let waiters = write.call_waiters(campaign, now).await?;
            if waiters.is_empty() {
                break;
            }
            woken += waiters.len();
            let keys: Vec<String> = waiters.iter().map(|waiter| offer_key(waiter.lead_id, waiter.offer_at)).collect();
            write.hurry_tasks(&keys, now).await?;
            let _ = write.commit().await?;
        }
        if woken > 0 {
            self.store.wake_workers();
        }
        Ok(woken)
    }
}
