//! The claimer: leases due tasks in one statement for as many places as are free, passing over lanes that are full or
//! parked, and renews the leases of what runs long.

use std::sync::Arc;
use std::time::Duration;

use leadyard_entity::StoreResult;
use leadyard_entity::tasks::{Claim, Claimed};
use leadyard_types::{Principal, SystemTask};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Shared;
use crate::beat::Beat;
use crate::lanes::OWN_LANES;

/// The most tasks one statement leases.
const CLAIM_MAX: usize = 512;

/// A claim for one place costs as much as one for a hundred: where only few are free, more are awaited for a moment.
const GATHER: Duration = Duration::from_millis(1);

/// The pause before another look at tasks that are due and could not be had: what one process lets go of after a look,
/// nobody announces to the others.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The pause before another attempt to listen.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

const DELIVER: Principal = Principal::System(SystemTask::Deliver);

/// Claims until the stop; then the channel closes.
pub(crate) async fn run(shared: Arc<Shared>, tasks: mpsc::Sender<Claimed>, stop: CancellationToken) {
    // Ids of claims that found nothing are kept for the next, so that idling uses up none.
    let mut lease_id = shared.market().ids().uuid();
    let mut beat = Beat::new(&shared);
    while !stop.is_cancelled() {
        beat.if_due(&shared).await;
        let free = shared.free_places();
        if free > 0 && free < shared.options.concurrency / 4 {
            tokio::time::sleep(GATHER).await;
        }
        let found = match claim(&shared, lease_id).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "tasks could not be claimed; trying again");
                Found::Nothing
            }
        };
        let pause = match found {
            Found::Tasks(_) => None,
            Found::Taken => Some(shared.options.poll.min(LOOK_AGAIN)),
            Found::Nothing => Some(shared.options.poll),
        };
        if let Some(pause) = pause {
            tokio::select! {
                () = stop.cancelled() => {}
                () = shared.market().store().tasks_due().notified() => {}
                () = shared.freed.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        let Found::Tasks(claimed) = found else { continue };
        lease_id = shared.market().ids().uuid();
        for task in claimed {
            // The channel has room for every place, so this never waits.
            if tasks.send(task).await.is_err() {
                return beat.over(&shared).await;
            }
        }
    }
    beat.over(&shared).await;
}

/// What a claim came to.
enum Found {
    /// Nothing is due, or there is no place for it.
    Nothing,
    /// Something is due, and not to be had: another process is just claiming, or its lane is full.
    Taken,
    /// Tasks, leased.
    Tasks(Vec<Claimed>),
}

async fn claim(shared: &Shared, lease_id: uuid::Uuid) -> StoreResult<Found> {
    let free = shared.free_places().min(CLAIM_MAX);
    if free == 0 {
        return Ok(Found::Nothing);
    }
    // A reader first: an idle market takes no write lock.
    let (store, now) = (shared.market().store(), shared.market().clock().now());
    let next = store.read(DELIVER).next_task_at().await?;
    if next.is_none_or(|due| due > now) {
        return Ok(Found::Nothing);
    }
    let troubled = shared.lanes().troubled();
    if !troubled.is_empty() {
        let versions = store.read(DELIVER).destination_versions(troubled).await?;
        shared.lanes().mended(&versions);
    }
    let (parked, running) = {
        let lanes = shared.lanes();
        (lanes.parked(now), lanes.taken(now))
    };
    let skip: Vec<String> = parked.iter().map(|(lane, _)| lane.clone()).collect();
    let write = store.write(DELIVER).await?;
    write.defer_lanes(&parked).await?;
    let claim = Claim {
        lease_id,
        limit: free,
        per_lane: shared.options.per_lane.max(1),
        running: &running,
        skip: &skip,
        unlimited: &OWN_LANES,
        leased_until: now + shared.lease(),
    };
    let claimed = write.claim(&claim).await?;
    if claimed.is_empty() && parked.is_empty() {
        write.rollback().await?;
        return Ok(Found::Taken);
    }
    // In hand before the commit: nobody may believe that nothing is due and nothing runs.
    {
        let mut lanes = shared.lanes();
        claimed.iter().for_each(|task| lanes.claimed(task, now));
    }
    if let Err(error) = write.commit().await {
        claimed.iter().for_each(|task| shared.forget(task.held()));
        return Err(error);
    }
    metrics::counter!("leadyard_tasks_claimed_total").increment(claimed.len() as u64);
    Ok(if claimed.is_empty() { Found::Taken } else { Found::Tasks(claimed) })
}

/// Listens to other processes until the stop: what they add is claimed at once. Where that fails the claimer looks by
/// itself now and then.
pub(crate) async fn listen(shared: Arc<Shared>, stop: CancellationToken) {
    let listening = async {
        loop {
            match hear(&shared).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "other processes are not heard; listening again"),
            }
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = listening => {}
    }
}

/// Listens until that fails, or at once where there is nobody to listen to.
async fn hear(shared: &Shared) -> StoreResult<()> {
    let store = shared.market().store();
    let Some(mut listener) = store.listen().await? else { return Ok(()) };
    loop {
        // First of all, for what was said before anybody listened.
        store.tasks_due().notify_one();
        listener.heard().await?;
    }
}

/// Renews leases until the stop, well before they are over.
pub(crate) async fn renew(shared: Arc<Shared>, stop: CancellationToken) {
    let every = shared.options.lease / 3;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        if let Err(error) = renew_once(&shared).await {
            tracing::warn!(%error, "leases could not be renewed; trying again");
        }
    }
}

async fn renew_once(shared: &Shared) -> StoreResult<()> {
    let now = shared.market().clock().now();
    let running = shared.lanes().older_than(now - shared.lease() / 3);
    if running.is_empty() {
        return Ok(());
    }
    let write = shared.market().store().write(DELIVER).await?;
    write.renew_leases(&running, now + shared.lease()).await?;
    let _ = write.commit().await?;
    Ok(())
}
