//! The reconcilers' timer. What they do is the market's.

use std::sync::Arc;
use std::time::Duration;

use leadyard_entity::StoreResult;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Shared;

/// Tasks of dead workers must be taken up soon: they are looked for so often, or more often where leases are short.
const LEASES_EVERY: Duration = Duration::from_secs(5);
/// What else was left in between is rare.
const EVERYTHING_EVERY: Duration = Duration::from_secs(60);
/// Old records are in nobody's way.
const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Reconciles until the stop: at once, then on a timer and on a signal.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let (mut everything_at, mut prune_at) = (Instant::now(), Instant::now() + PRUNE_EVERY);
    while !stop.is_cancelled() {
        let now = Instant::now();
        if now >= everything_at {
            everything_at = now + EVERYTHING_EVERY;
            report(shared.market().reconcile().await.map(|_| ()));
        } else {
            report(shared.market().free_expired_leases().await.map(|_| ()));
        }
        if now >= prune_at {
            prune_at = now + PRUNE_EVERY;
            report(shared.market().prune().await.map(|_| ()));
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = shared.reconcile.notified() => everything_at = Instant::now(),
            () = tokio::time::sleep(LEASES_EVERY.min(shared.options.lease / 2)) => {}
        }
    }
}

fn report(result: StoreResult<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "reconciling failed; trying again");
    }
}
