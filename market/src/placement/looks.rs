//! Looking at leads as placement would, before their buyers are asked. Whoever looks at the same moment shares one
//! transaction that can only look, under no load nobody waits: the statements of a look are many, and an auction has one.

use std::sync::Weak;

use leadyard_entity::{StoreError, StoreResult};
use tokio::sync::{mpsc, oneshot};

use super::{Batch, Purpose, Screening, Work};
use crate::defects::caught;
use crate::intake::{IntakeError, busy, queue};
use crate::market::Market;

/// What came of looking, and the work as it was looked at: an edit of the configuration may have prepared it anew.
type Looked = StoreResult<(Work, Screening)>;

/// Work to be looked at, and who waits for it.
pub(crate) type Look = (Work, oneshot::Sender<Looked>);

/// The one who looks: ends when the market is dropped.
pub(crate) async fn looker(market: Weak<Market>, mut looks: mpsc::Receiver<Look>) {
    let mut waiting = Vec::new();
    loop {
        let limit = market.upgrade().map_or(1, |market| market.settings.batch_leads.max(1));
        if looks.recv_many(&mut waiting, limit).await == 0 {
            return;
        }
        let Some(market) = market.upgrade() else { return };
        let (work, replies): (Vec<Work>, Vec<_>) = waiting.drain(..).unzip();
        for (looked, reply) in Box::pin(market.look_at_all(work)).await.into_iter().zip(replies) {
            // Whoever asked may have gone.
            let _ = reply.send(looked);
        }
    }
}

impl Market {
    /// Looks at work as placement would.
    pub(crate) async fn look_at(&self, work: Work) -> Result<(Work, Screening), IntakeError> {
        let (reply, looked) = oneshot::channel();
        queue(&self.looks, (work, reply)).await?;
        Ok(looked.await.map_err(|_| busy())??)
    }

    /// In the order of the work. What one of them fails by does not fail the others.
    async fn look_at_all(&self, mut work: Vec<Work>) -> Vec<Looked> {
        match self.screen(&mut work).await {
            Ok(screened) => work.into_iter().zip(screened).map(|(work, screened)| Ok((work, screened?))).collect(),
            Err(error) if work.len() > 1 && !error.is_transient() => {
                tracing::warn!(%error, leads = work.len(), "leads could not be looked at together; each is on its own");
                let mut looked = Vec::with_capacity(work.len());
                for work in work {
                    let mut alone = vec![work];
                    let screened = self.screen(&mut alone).await.map(|mut screened| screened.pop());
                    looked.push(match (screened, alone.pop()) {
                        (Ok(Some(screened)), Some(work)) => screened.map(|screened| (work, screened)),
                        (Err(error), _) => Err(error),
                        _ => Err(StoreError::corrupt("no look")),
                    });
                }
                looked
            }
            Err(error) => work.iter().map(|_| Err(error.again())).collect(),
        }
    }

    /// A defect that breaks a look off is an error of these leads: the transaction ends with it, and whoever looks goes on.
    async fn screen(&self, work: &mut [Work]) -> StoreResult<Vec<StoreResult<Screening>>> {
        caught(Box::pin(self.screen_together(work)), StoreError::Fault).await
    }

    async fn screen_together(&self, work: &mut [Work]) -> StoreResult<Vec<StoreResult<Screening>>> {
        let ground = self.ground(work, Purpose::Look).await?;
        let screened = Batch::load(self, &ground, work).await?.screen();
        ground.transaction.rollback().await?;
        Ok(screened)
    }
}
