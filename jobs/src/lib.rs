//! Background work: apalis runs it, our own task table holds it.
//!
//! [`Jobs::start`] starts a claimer, which leases due tasks from the database, and an apalis worker, which runs them.
//! A failing database never reaches apalis: it is logged and tried again. A lost lease means that somebody else has the
//! task, so nothing is written without it.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod backend;
mod claimer;
mod reconcile;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apalis::prelude::*;
use leadyard_connectors::Connectors;
use leadyard_entity::StoreResult;
use leadyard_entity::tasks::{Claimed, TaskEnd};
use leadyard_market::Market;
use leadyard_types::{Principal, SystemTask};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::ClaimedTasks;

/// How the work is run.
#[derive(Debug, Clone, Copy)]
pub struct JobsOptions {
    /// How many tasks run at once. With 1 they run strictly in the order they are due.
    pub concurrency: usize,
    /// How many of one lane run at once, so that no slow destination takes every place.
    pub per_lane: usize,
    /// How often the table is looked at without a signal.
    pub poll: Duration,
    /// How long a claimed task belongs to its worker.
    pub lease: Duration,
    /// How long a shutdown waits for what runs.
    pub drain: Duration,
}

impl Default for JobsOptions {
    fn default() -> Self {
        Self {
            concurrency: 128,
            // At most the connectors' own limit per host, so that nobody waits there with a lease in hand.
            per_lane: 16,
            poll: Duration::from_secs(1),
            // Longer than the longest answer a destination is given, with time to settle.
            lease: Duration::from_secs(120),
            drain: Duration::from_secs(20),
        }
    }
}

/// What claimer and worker share.
pub(crate) struct Shared {
    pub(crate) market: Arc<Market>,
    pub(crate) connectors: Arc<Connectors>,
    pub(crate) options: JobsOptions,
    /// Running tasks per lane.
    running: Mutex<BTreeMap<String, usize>>,
    /// Notified when a task ended.
    pub(crate) ended: Notify,
}

impl Shared {
    pub(crate) fn began(&self, lane: &str) {
        *self.lanes().entry(lane.to_owned()).or_insert(0) += 1;
    }

    fn finished(&self, lane: &str) {
        let mut lanes = self.lanes();
        if let Some(count) = lanes.get_mut(lane) {
            *count -= 1;
            if *count == 0 {
                lanes.remove(lane);
            }
        }
        drop(lanes);
        self.ended.notify_one();
    }

    pub(crate) fn lanes(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, usize>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn running_count(&self) -> usize {
        self.lanes().values().sum()
    }

    /// Runs one task; what fails is tried again later, for the store's failures soon.
    async fn run(&self, task: Claimed) {
        if let Err(error) = self.market.run_task(&self.connectors, &task).await {
            tracing::warn!(%error, task = %task.id, "a task failed and will be tried again");
            let run_at = self.market.clock().now() + chrono::Duration::seconds(5 * task.attempts.clamp(1, 60));
            let again = TaskEnd::Again { run_at, error: Some(error.to_string()) };
            if let Err(error) = self.market.end(&task, again).await {
                tracing::warn!(%error, task = %task.id, "its lease will run out");
            }
        }
    }
}

/// The running workers of this process.
pub struct Jobs {
    shared: Arc<Shared>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

/// The apalis handler: one claimed task. A panic ends that task only; its lease runs out and it is claimed again, a
/// bounded number of times.
async fn handle(task: Claimed, shared: Data<Arc<Shared>>) {
    let lane = task.lane.clone();
    let runner = Arc::clone(&*shared);
    if let Err(error) = tokio::spawn(async move { runner.run(task).await }).await {
        tracing::error!(%error, "a task ended badly");
    }
    shared.finished(&lane);
}

impl Jobs {
    /// Starts working.
    #[must_use]
    pub fn start(market: Arc<Market>, connectors: Arc<Connectors>, options: JobsOptions) -> Self {
        let shared = Arc::new(Shared {
            market,
            connectors,
            options,
            running: Mutex::new(BTreeMap::new()),
            ended: Notify::new(),
        });
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        // Bounded: what is claimed is held in memory.
        let (claimed, tasks) = mpsc::channel(options.concurrency.max(1));
        tracker.spawn(claimer::run(Arc::clone(&shared), claimed, stop.clone()));
        tracker.spawn(reconcile::run(Arc::clone(&shared), stop.clone()));
        tracker.spawn(run_worker(Arc::clone(&shared), tasks, stop.clone()));
        tracker.close();
        Self { shared, stop, tracker }
    }

    /// Stops claiming, lets what runs finish within the deadline, and frees the leases of the rest.
    pub async fn shutdown(self) {
        self.stop.cancel();
        if tokio::time::timeout(self.shared.options.drain, self.tracker.wait()).await.is_err() {
            tracing::warn!("some tasks did not finish in time; their leases will run out");
        }
    }

    /// Waits until nothing is due and nothing runs.
    pub async fn idle(&self) -> StoreResult<()> {
        let read = self.shared.market.store().read(Principal::System(SystemTask::Deliver));
        loop {
            self.shared.market.wake.notify_one();
            if self.shared.running_count() == 0 && read.task_counts().await?.due == 0 {
                return Ok(());
            }
            let _ = tokio::time::timeout(Duration::from_millis(5), self.shared.ended.notified()).await;
        }
    }
}

/// Keeps an apalis worker running until the stop; it is started again should it end by itself.
async fn run_worker(shared: Arc<Shared>, tasks: mpsc::Receiver<Claimed>, stop: CancellationToken) {
    let backend = ClaimedTasks::new(tasks);
    let worker = WorkerBuilder::new("leadyard")
        .backend(backend)
        .data(Arc::clone(&shared))
        .concurrency(shared.options.concurrency.max(1))
        .build(handle);
    // The channel ends when the claimer does; then the backend says that no more will come.
    let signal = async move {
        stop.cancelled().await;
        while shared.running_count() > 0 {
            let _ = tokio::time::timeout(Duration::from_millis(20), shared.ended.notified()).await;
        }
        Ok::<(), std::io::Error>(())
    };
    if let Err(error) = worker.run_until(signal).await {
        tracing::error!(%error, "the worker ended");
    }
}
