//! The sign of life: written by the claimer's own loop, so that it stops when no work is taken any more.

use std::time::Duration;

use leadyard_entity::StoreResult;
use leadyard_types::{Ids as _, Principal, RandomIds, SystemTask, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

use crate::Shared;

/// Often enough that half a minute of silence means something, seldom enough to cost nothing.
const BEAT_EVERY: Duration = Duration::from_secs(10);

const DELIVER: Principal = Principal::System(SystemTask::Deliver);

/// The worker of this process, as others see it.
#[derive(Debug)]
pub(crate) struct Beat {
    worker: Uuid,
    started_at: Timestamp,
    next: Instant,
}

impl Beat {
    pub(crate) fn new(shared: &Shared) -> Self {
        // Not one of the market's ids: those of a demo come from its seed.
        Self { worker: RandomIds.uuid(), started_at: shared.market().clock().now(), next: Instant::now() }
    }

    /// Says that the worker is there, where it is time to.
    pub(crate) async fn if_due(&mut self, shared: &Shared) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + BEAT_EVERY;
        if let Err(error) = self.say(shared, true).await {
            tracing::warn!(%error, "a sign of life could not be written; trying again");
        }
    }

    /// Says that it ends.
    pub(crate) async fn over(self, shared: &Shared) {
        if let Err(error) = self.say(shared, false).await {
            tracing::debug!(%error, "the end could not be written; it will be noticed");
        }
    }

    async fn say(&self, shared: &Shared, is_there: bool) -> StoreResult<()> {
        let write = shared.market().store().write(DELIVER).await?;
        if is_there {
            write.worker_seen(self.worker, self.started_at).await?;
        } else {
            write.worker_ended(self.worker).await?;
        }
        let _ = write.commit().await?;
        Ok(())
    }
}
