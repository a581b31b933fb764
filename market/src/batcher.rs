//! Group commit for background work: whoever waits at the same moment shares a transaction, and nobody lingers.

use std::future::Future;

use leadyard_entity::{StoreError, StoreResult};
use tokio::sync::{mpsc, oneshot};

use crate::defects::caught;

type Waiting<I, O> = (I, oneshot::Sender<StoreResult<O>>);

/// A queue in front of a function that takes many at once.
#[derive(Debug)]
pub(crate) struct Batcher<I, O> {
    queue: mpsc::Sender<Waiting<I, O>>,
}

// By hand: who takes part need not be copied itself.
impl<I, O> Clone for Batcher<I, O> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<I, O> Batcher<I, O>
where
    I: Clone + Send + Sync + 'static,
    O: Send + 'static,
{
    /// Starts; it ends when it is dropped. `work` answers in the order of its input.
    pub(crate) fn start<F, Fut>(limit: usize, work: F) -> Self
    where
        F: Fn(Vec<I>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = StoreResult<Vec<O>>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::channel(limit);
        tokio::spawn(run(waiting, limit, work));
        Self { queue }
    }

    /// Whether nobody does the work any more.
    pub(crate) fn ended(&self) -> bool {
        self.queue.is_closed()
    }

    /// Takes part in the next batch.
    pub(crate) async fn submit(&self, item: I) -> StoreResult<O> {
        let (reply, answer) = oneshot::channel();
        let stopped = || StoreError::Unavailable("the workers are stopping".to_owned());
        self.queue.send((item, reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

async fn run<I, O, F, Fut>(mut waiting: mpsc::Receiver<Waiting<I, O>>, limit: usize, work: F)
where
    I: Clone + Send + Sync + 'static,
    O: Send + 'static,
    F: Fn(Vec<I>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = StoreResult<Vec<O>>> + Send + 'static,
{
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, limit).await > 0 {
        let (items, replies): (Vec<I>, Vec<_>) = batch.drain(..).unzip();
        match together(&work, items.clone()).await {
            Ok(answers) => answers.into_iter().zip(replies).for_each(|(answer, reply)| send(reply, Ok(answer))),
            // One row's data must not fail the others: each on its own, and only the guilty one fails.
            Err(error) if items.len() > 1 && !error.is_transient() => {
                tracing::warn!(%error, count = items.len(), "a batch failed; its items are done one by one");
                for (item, reply) in items.into_iter().zip(replies) {
                    send(reply, together(&work, vec![item]).await.and_then(only));
                }
            }
            Err(error) => replies.into_iter().for_each(|reply| send(reply, Err(error.again()))),
        }
    }
}

/// One batch. A defect that breaks it off is its error, and the next has its turn; what it may have written bears being
/// done twice.
async fn together<I, O, F, Fut>(work: &F, items: Vec<I>) -> StoreResult<Vec<O>>
where
    F: Fn(Vec<I>) -> Fut,
    Fut: Future<Output = StoreResult<Vec<O>>>,
{
    caught(Box::pin(async { work(items).await }), StoreError::Fault).await
}

fn only<O>(mut answers: Vec<O>) -> StoreResult<O> {
    answers.pop().ok_or_else(|| StoreError::corrupt("no answer"))
}

fn send<O>(reply: oneshot::Sender<StoreResult<O>>, answer: StoreResult<O>) {
    // Whoever asked may have been stopped: what was written is written.
    let _ = reply.send(answer);
}
