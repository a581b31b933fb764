//! The lane of large documents. Parsing and validating keeps a core busy until it is done, milliseconds for the largest
//! document that is taken: so those go one behind the other, on a quarter of the cores, and whoever asks an ordinary
//! question finds the others free.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is larger goes by the lane: what front ends ask has a few hundred tokens.
const ORDINARY_TOKENS: u32 = 1_000;
const ORDINARY_BYTES: usize = 16 * 1024;
/// How many documents may wait; more are sent away at once, so that nobody waits for long.
const WAITING_MAX: usize = 64;

/// The lane of one process.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// A turn; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _turn: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Turn {
    /// Runs what the turn was for. It ends when the work waits for something the first time: until then it was parsed and
    /// validated, from then on it waits for rows, and keeps no core.
    pub(super) async fn until_it_waits<F: Future>(turn: Option<Self>, work: F) -> F::Output {
        let (mut turn, mut work) = (turn, pin!(work));
        poll_fn(|context| {
            let answer = work.as_mut().poll(context);
            drop(turn.take());
            answer
        })
        .await
    }
}

/// Too many wait already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Crowded;

impl Default for Lane {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::of(cores / 4)
    }
}

impl Lane {
    fn of(turns: usize) -> Self {
        let turns = turns.max(1);
        Self { turns: Arc::new(Semaphore::new(turns)), places: Arc::new(Semaphore::new(turns + WAITING_MAX)) }
    }

    /// Waits for a turn; an ordinary document needs none.
    pub(super) async fn turn(&self, bytes: usize, tokens: u32) -> Result<Option<Turn>, Crowded> {
        if bytes <= ORDINARY_BYTES && tokens <= ORDINARY_TOKENS {
            return Ok(None);
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Crowded)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Crowded)?;
        Ok(Some(Turn { _turn: turn, _place: place }))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// Large documents follow each other, ordinary ones pass them, and where too many wait the next is sent away.
    #[tokio::test]
    async fn large_documents_follow_each_other() {
        let lane = Lane::of(1);
        let first = lane.turn(1, ORDINARY_TOKENS + 1).await.unwrap();
        assert!(first.is_some() && lane.turn(ORDINARY_BYTES, ORDINARY_TOKENS).await.unwrap().is_none());
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(lane.turn(ORDINARY_BYTES + 1, 1))).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        assert_eq!(lane.turn(1, ORDINARY_TOKENS + 1).await.unwrap_err(), Crowded);
        drop(first);
        assert!(waiting[0].as_mut().await.unwrap().is_some());
        drop(waiting);
        assert!(lane.turn(1, ORDINARY_TOKENS + 1).await.unwrap().is_some());
    }

    /// Whoever waits for rows holds up nobody.
    #[tokio::test]
    async fn a_turn_ends_with_the_first_wait() {
        let lane = Lane::of(1);
        let turn = lane.turn(1, ORDINARY_TOKENS + 1).await.unwrap();
        let mut waits = Box::pin(Turn::until_it_waits(turn, std::future::pending::<()>()));
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(lane.turn(1, ORDINARY_TOKENS + 1).now_or_never().is_some());
    }
}
