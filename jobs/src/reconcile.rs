//! The reconciler: no input, idempotent, on a timer. It brings to an end what was left in between.

use std::sync::Arc;
use std::time::Duration;

use leadyard_entity::StoreResult;
use leadyard_types::{Principal, SystemTask};
use tokio_util::sync::CancellationToken;

use crate::Shared;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(5);

/// Reconciles until the stop, at once and then on a timer.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = reconcile(&shared).await {
            tracing::warn!(%error, "reconciling failed; trying again");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Tasks whose worker went away are free again; their attempts are counted, so nothing is retried for ever.
async fn reconcile(shared: &Shared) -> StoreResult<()> {
    let write = shared.market.store().write(Principal::System(SystemTask::Reconcile)).await?;
    let freed = write.free_expired_leases().await?;
    let _ = write.commit().await?;
    if freed > 0 {
        tracing::info!(freed, "tasks of workers that went away are free again");
        shared.market.wake.notify_one();
    }
    Ok(())
}
