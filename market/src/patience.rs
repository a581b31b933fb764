//! Patience with the database: what was learnt outside is not lost because the database is away for a moment.

use std::future::Future;
use std::time::Duration;

use leadyard_entity::StoreResult;
use tokio::time::Instant;

/// The first pause: a lock is free, or the victim of a deadlock is past it, within milliseconds.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest: a database that comes back is noticed soon.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Does something as often as the database is away or in the way, for so long in all. What is done must bear being done
/// twice: a commit whose answer was lost has happened.
pub(crate) async fn patiently<T, F, Fut>(patience: Duration, mut work: F) -> StoreResult<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = StoreResult<T>>,
{
    let started = Instant::now();
    let mut pause = PAUSE;
    loop {
        match work().await {
            Err(error) if error.is_transient() && started.elapsed() < patience => {
                tracing::warn!(%error, "the database did not take it; trying again");
                metrics::counter!("leadyard_store_retries_total").increment(1);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use leadyard_entity::StoreError;

    use super::*;

    async fn tries(patience: Duration, error: impl Fn() -> StoreError, failures: usize) -> (usize, bool) {
        let tried = AtomicUsize::new(0);
        let done = patiently(patience, || async {
            if tried.fetch_add(1, Ordering::SeqCst) < failures { Err(error()) } else { Ok(()) }
        });
        let done = done.await.is_ok();
        (tried.into_inner(), done)
    }

    /// What may pass is tried again, up to a bound; what will not pass is not.
    #[tokio::test(start_paused = true)]
    async fn patience_is_for_what_may_pass() {
        let away = || StoreError::Unavailable("away".into());
        assert_eq!(tries(Duration::from_secs(60), away, 5).await, (6, true));
        let (tried, done) = tries(Duration::from_secs(60), away, usize::MAX).await;
        assert!((30..50).contains(&tried) && !done, "{tried}");
        assert_eq!(tries(Duration::ZERO, away, 1).await, (1, false));
        assert_eq!(tries(Duration::from_secs(60), || StoreError::Fault("wrong".into()), 1).await, (1, false));
    }
}
