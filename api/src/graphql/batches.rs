//! Loads in waves. A loader that waits a millisecond for more keys costs that millisecond on every level, and under load
//! splits one level into several statements. Here the query itself says when a level is complete: when it cannot go on
//! without what it has asked for. Everything asked for by then is read at the same time, one statement per kind, and the
//! next wave starts when this one is read: the number of statements is the same for one row and for a hundred.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_graphql::runtime::Timer;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::FuturesUnordered;
use futures_util::task::{FutureObj, Spawn, SpawnError};

/// Where the loaders of one request leave the batches they begin.
#[derive(Clone, Default)]
pub(super) struct Batches(Arc<Mutex<Vec<FutureObj<'static, ()>>>>);

impl Batches {
    fn take(&self) -> Vec<FutureObj<'static, ()>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs a query together with the batches it begins.
    pub(super) async fn drive<F: Future>(self, query: F) -> F::Output {
        let mut query = pin!(query);
        let mut wave = FuturesUnordered::new();
        poll_fn(|context| {
            loop {
                if let Poll::Ready(answer) = query.as_mut().poll(context) {
                    return Poll::Ready(answer);
                }
                if wave.is_empty() {
                    wave.extend(self.take());
                }
                let mut loaded = false;
                while let Poll::Ready(Some(())) = wave.poll_next_unpin(context) {
                    loaded = true;
                }
                if !loaded {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

impl Spawn for Batches {
    fn spawn_obj(&self, batch: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
        Ok(())
    }
}

/// A batch starts with its wave and waits for nothing else.
pub(super) struct WithItsWave;

impl Timer for WithItsWave {
    fn delay(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_graphql::dataloader::{DataLoader, Loader};
    use futures_util::future::join_all;

    use super::*;

    struct Counting(AtomicUsize);

    impl Loader<u32> for Counting {
        type Value = u32;
        type Error = String;
        async fn load(&self, keys: &[u32]) -> Result<HashMap<u32, u32>, String> {
            self.0.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(keys.iter().map(|key| (*key, key + 1_000)).collect())
        }
    }

    /// Two levels of five hundred rows are two loads, wherever and however slowly the rows come to ask.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_level_is_one_load() {
        let batches = Batches::default();
        let loader = DataLoader::new(Counting(AtomicUsize::new(0)), batches.clone(), WithItsWave);
        let rows = (0..500).map(|row| {
            let loader = &loader;
            async move {
                let child = loader.load_one(row).await.unwrap().unwrap();
                loader.load_one(child).await.unwrap().unwrap()
            }
        });
        let found = batches.drive(join_all(rows)).await;
        assert_eq!(found.last(), Some(&2_499));
        assert_eq!(loader.loader().0.load(Ordering::Relaxed), 2);
    }
}
