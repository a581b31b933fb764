//! Where auctions run: threads of their own, on which nothing else does. An auction is short work at moments others choose
//! (a bid comes in, a deadline passes); among the rest, it waits for whatever a thread is at just then.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;

/// After how many tasks a busy thread looks for bids that came in. Tokio's own is 61; a ping is written in some tens of
/// microseconds.
const EVENT_INTERVAL: u32 = 4;
/// A thread reads bids while another writes pings.
const THREADS_MIN: usize = 2;

/// The auctions' threads, or, where the system has none left, everybody's.
#[derive(Debug)]
pub(crate) enum Floor {
    /// Threads of their own.
    Own(Option<Runtime>),
    /// Everybody's.
    Shared(Handle),
}

impl Floor {
    /// Opens it: half as many threads as there are cores, and at least two. Called from within a runtime.
    pub(crate) fn open() -> Self {
        match start() {
            Ok(runtime) => Self::Own(Some(runtime)),
            Err(error) => {
                tracing::warn!(%error, "no threads for auctions: they run among everything else");
                Self::Shared(Handle::current())
            }
        }
    }

    /// Runs one auction to its end; none if it broke. Whoever stops waiting ends it.
    pub(crate) async fn run<T: Send + 'static>(&self, auction: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let handle = match self {
            Self::Own(Some(runtime)) => runtime.handle(),
            Self::Own(None) => return None,
            Self::Shared(handle) => handle,
        };
        // A set of one: unlike a lone task, it ends when nobody waits for it.
        let mut running = JoinSet::new();
        running.spawn_on(auction, handle);
        running.join_next().await?.ok()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // A runtime that is dropped waits for its threads, which no thread of another runtime may.
        if let Self::Own(runtime) = self
            && let Some(runtime) = runtime.take()
        {
            runtime.shutdown_background();
        }
    }
}

fn start() -> io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads((cores / 2).max(THREADS_MIN))
        .thread_name("auctions")
        .event_interval(EVENT_INTERVAL)
        .enable_all()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_auction_runs_apart_and_its_end_is_told() {
        let floor = Floor::open();
        let name = floor.run(async { std::thread::current().name().map(str::to_owned) }).await.flatten();
        assert_eq!(name.as_deref(), Some("auctions"));
    }

    /// An auction goes on while everything else is at work without a break: here the only thread there is waits for it.
    #[tokio::test]
    async fn an_auction_goes_on_beside_whatever_is_busy() {
        let floor = Floor::open();
        let (told, heard) = std::sync::mpsc::channel();
        let auction = floor.run(async move {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            told.send(())
        });
        let mut auction = std::pin::pin!(auction);
        assert!(futures_util::poll!(auction.as_mut()).is_pending());
        heard.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
        assert!(auction.await.is_some_and(|sent| sent.is_ok()));
    }

    /// A defect in one auction is that lead's alone.
    #[tokio::test]
    async fn an_auction_that_breaks_leaves_the_others_be() {
        let floor = Floor::open();
        let broken: Option<()> = floor.run(async { panic!("a defect") }).await;
        assert_eq!(broken, None);
        assert_eq!(floor.run(async { 7 }).await, Some(7));
    }

    /// Nobody is asked any further about a lead whose sender hung up before it was taken.
    #[tokio::test]
    async fn an_auction_nobody_waits_for_ends() {
        let floor = Floor::open();
        let (held, ended) = tokio::sync::oneshot::channel::<()>();
        let auction = floor.run(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), auction).await.is_err());
        assert!(ended.await.is_err());
    }
}
