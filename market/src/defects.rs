//! What a defect of this program may break: the work in which it shows, and nothing else.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use leadyard_entity::{StoreError, StoreResult};

/// Runs work to its end. Where it breaks off by a defect it comes to an error of this kind, so that one lead's data does
/// not end the task that all others wait for. What it held is given up with it: a transaction is rolled back.
pub(crate) async fn caught<T>(
    work: impl Future<Output = StoreResult<T>>,
    broken: impl FnOnce(String) -> StoreError,
) -> StoreResult<T> {
    // What a panic leaves behind is dropped; what outlives it are caches under locks that are taken poisoned or not.
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        // What it says may repeat what somebody sent: where it happened stands in the process's own output.
        tracing::error!("work broke off by a defect of this program; it goes on with the next");
        Err(broken("the work broke off by a defect of this program".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    /// Work that breaks, at once or later, is an error of the kind that was asked for.
    #[tokio::test]
    async fn a_defect_is_an_error() {
        let at_once = caught(async { Ok(1 / black_box(0)) }, StoreError::Fault).await;
        assert!(matches!(at_once, Err(StoreError::Fault(_))), "{at_once:?}");
        let later = async {
            tokio::task::yield_now().await;
            Ok(1 / black_box(0))
        };
        let later = caught(later, StoreError::Unavailable).await;
        assert!(matches!(later, Err(StoreError::Unavailable(_))), "{later:?}");
        assert_eq!(caught(async { Ok(7) }, StoreError::Fault).await.unwrap(), 7);
    }
}
