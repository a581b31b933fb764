//! The claimer: leases due tasks in one statement for as many places as are free, skipping lanes that are full.

use std::collections::BTreeSet;
use std::sync::Arc;

use leadyard_entity::StoreResult;
use leadyard_entity::tasks::Claimed;
use leadyard_types::{Principal, SystemTask};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Shared;

/// The most tasks one statement leases.
const CLAIM_MAX: usize = 256;

/// Claims until the stop; then the channel closes.
pub(crate) async fn run(shared: Arc<Shared>, tasks: mpsc::Sender<Claimed>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let claimed = match claim(&shared).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, "tasks could not be claimed; trying again");
                Vec::new()
            }
        };
        let none = claimed.is_empty();
        for task in claimed {
            shared.began(&task.lane);
            if tasks.send(task).await.is_err() {
                return;
            }
        }
        if none {
            tokio::select! {
                () = stop.cancelled() => {}
                () = shared.market.wake.notified() => {}
                () = shared.ended.notified() => {}
                () = tokio::time::sleep(shared.options.poll) => {}
            }
        }
    }
}

async fn claim(shared: &Shared) -> StoreResult<Vec<Claimed>> {
    let free = shared.options.concurrency.saturating_sub(shared.running_count()).min(CLAIM_MAX);
    if free == 0 {
        return Ok(Vec::new());
    }
    // A reader first: an idle market takes no write lock.
    let deliver = Principal::System(SystemTask::Deliver);
    let next = shared.market.store().read(deliver).next_task_at().await?;
    if next.is_none_or(|due| due > shared.market.clock().now()) {
        return Ok(Vec::new());
    }
    let full: BTreeSet<String> = {
        let lanes = shared.lanes();
        lanes.iter().filter(|(_, count)| **count >= shared.options.per_lane).map(|(lane, _)| lane.clone()).collect()
    };
    let lease = chrono::Duration::from_std(shared.options.lease).unwrap_or(chrono::Duration::seconds(120));
    let write = shared.market.store().write(deliver).await?;
    let claimed = write.claim(free, shared.options.per_lane, &full, lease).await?;
    let _ = write.commit().await?;
    Ok(claimed)
}
