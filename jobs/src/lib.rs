//! Background work: apalis runs it, our own task table holds it.
//!
//! [`Jobs::start`] starts a claimer, which leases due tasks from the database in hundreds, an apalis worker, which runs
//! them, and the reconcilers. A failing database never reaches apalis: it is logged and tried again. A lost lease means
//! that somebody else has the task, so nothing is written without it.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod backend;
mod beat;
mod claimer;
mod lanes;
mod reconcile;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apalis::prelude::*;
use leadyard_connectors::Connectors;
use leadyard_entity::StoreResult;
use leadyard_entity::tasks::{Claimed, Lease, TaskEnd};
use leadyard_market::{Courier, Failure, LaneHealth, Market};
use leadyard_types::{Principal, SystemTask};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::backend::ClaimedTasks;
use crate::lanes::Lanes;

/// How the work is run.
#[derive(Debug, Clone, Copy)]
pub struct JobsOptions {
    /// How many tasks run at once. With 1 they run strictly in the order they are due.
    pub concurrency: usize,
    /// How many of one destination run at once, so that no slow one takes every place.
    pub per_lane: usize,
    /// How often the table is looked at without a signal.
    pub poll: Duration,
    /// How long a claimed task belongs to its worker without a sign of life.
    pub lease: Duration,
    /// How long what came of an attempt is kept in hand while the database is away. After that it is unknown.
    pub patience: Duration,
    /// How long a shutdown waits for what runs.
    pub drain: Duration,
}

impl Default for JobsOptions {
    fn default() -> Self {
        Self {
            concurrency: 256,
            // A part of the connectors' own limit per host, so that destinations on one host are not in each other's way.
            per_lane: 16,
            poll: Duration::from_secs(1),
            // Renewed while a task runs, so what a dead worker held is taken up within half a minute.
            lease: Duration::from_secs(20),
            // A restart or a failover takes a minute or two; an answer that is lost costs a person's time.
            patience: Duration::from_secs(10 * 60),
            drain: Duration::from_secs(20),
        }
    }
}

/// What claimer, worker and reconcilers share.
pub(crate) struct Shared {
    pub(crate) courier: Courier,
    pub(crate) options: JobsOptions,
    lanes: Mutex<Lanes>,
    /// The claimer is told that a place is free.
    pub(crate) freed: Notify,
    /// Whoever waits for idleness is told that a task ended.
    ended: Notify,
    /// The reconcilers are told to look.
    pub(crate) reconcile: Notify,
}

impl Shared {
    pub(crate) fn market(&self) -> &Arc<Market> {
        self.courier.market()
    }

    pub(crate) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn free_places(&self) -> usize {
        self.options.concurrency.max(1).saturating_sub(self.lanes().len())
    }

    pub(crate) fn lease(&self) -> chrono::Duration {
        chrono::Duration::from_std(self.options.lease).unwrap_or(chrono::Duration::seconds(20))
    }

    /// A task that is in hand no more.
    pub(crate) fn forget(&self, lease: Lease) {
        self.finished(lease, LaneHealth::Unknown);
    }

    fn finished(&self, lease: Lease, health: LaneHealth) {
        if self.lanes().ended(lease, health, self.market().clock().now()) {
            metrics::counter!("leadyard_lanes_parked_total").increment(1);
            tracing::warn!("a destination keeps failing; it gets a pause");
        }
        self.freed.notify_one();
        self.ended.notify_waiters();
    }
}

/// The running workers of this process.
pub struct Jobs {
    shared: Arc<Shared>,
    /// No more is claimed.
    stop: CancellationToken,
    /// Leases are not renewed any more.
    stop_renewing: CancellationToken,
    helpers: Vec<AbortOnDropHandle<()>>,
    worker: AbortOnDropHandle<()>,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

/// The apalis handler: one claimed task. A panic ends that task only, and it is tried again a bounded number of times.
async fn handle(task: Claimed, shared: Data<Arc<Shared>>) {
    let shared = Arc::clone(&*shared);
    shared.lanes().began(task.held());
    let (runner, claimed) = (Arc::clone(&shared), task.clone());
    // Its own task, so that all cores work; it ends with this one when a shutdown cannot wait any longer.
    let running = AbortOnDropHandle::new(tokio::spawn(async move { runner.courier.run(&claimed).await }));
    let health = match running.await {
        Ok(health) => health,
        Err(error) => {
            if error.is_panic() {
                tracing::error!(task = %task.id, "a task panicked");
                shared.courier.failed(&task, Failure::of("the task panicked")).await;
            }
            LaneHealth::Unknown
        }
    };
    shared.finished(task.held(), health);
}

impl Jobs {
    /// Starts working. Called inside the runtime.
    #[must_use]
    pub fn start(market: Arc<Market>, connectors: Arc<Connectors>, options: JobsOptions) -> Self {
        let shared = Arc::new(Shared {
            courier: Courier::start(market, connectors, options.patience),
            options,
            lanes: Mutex::new(Lanes::new(options.per_lane)),
            freed: Notify::new(),
            ended: Notify::new(),
            reconcile: Notify::new(),
        });
        let (stop, stop_renewing) = (CancellationToken::new(), CancellationToken::new());
        // Bounded: what is claimed is held in memory.
        let (claimed, tasks) = mpsc::channel(options.concurrency.max(1));
        let helpers = vec![
            spawn(claimer::run(Arc::clone(&shared), claimed, stop.clone())),
            spawn(claimer::listen(Arc::clone(&shared), stop.clone())),
            spawn(claimer::renew(Arc::clone(&shared), stop_renewing.clone())),
            spawn(reconcile::run(Arc::clone(&shared), stop.clone())),
        ];
        let worker = spawn(run_worker(Arc::clone(&shared), tasks, stop.clone()));
        Self { shared, stop, stop_renewing, helpers, worker }
    }

    /// Stops claiming, lets what runs finish within the deadline, and gives back the rest.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(self.shared.options.drain, &mut self.worker).await.is_err() {
            tracing::warn!("some tasks did not finish in time; they are given back");
            self.worker.abort();
            let _ = (&mut self.worker).await;
        }
        self.stop_renewing.cancel();
        for helper in self.helpers.drain(..) {
            let _ = helper.await;
        }
        if let Err(error) = self.give_back().await {
            tracing::warn!(%error, "tasks could not be given back; their leases will run out");
        }
    }

    /// Gives back what is still in hand: what has not begun as if it had never been claimed.
    async fn give_back(&self) -> StoreResult<()> {
        let (begun, waiting) = self.shared.lanes().in_hand();
        if begun.is_empty() && waiting.is_empty() {
            return Ok(());
        }
        let market = self.shared.market();
        let again = TaskEnd::Again { run_at: market.clock().now(), error: Some("the worker stopped".to_owned()) };
        let begun = begun.into_iter().map(|lease| (lease, again.clone()));
        let waiting = waiting.into_iter().map(|lease| (lease, TaskEnd::Released));
        let write = market.store().write(Principal::System(SystemTask::Deliver)).await?;
        write.end_tasks(&begun.chain(waiting).collect::<Vec<_>>()).await?;
        let _ = write.commit().await?;
        Ok(())
    }

    /// Waits until nothing is due on the store's clock and nothing runs, in any process.
    pub async fn idle(&self) -> StoreResult<()> {
        /// Other processes tell nobody here when they are done.
        const LOOK_EVERY: Duration = Duration::from_millis(5);
        let read = self.shared.market().store().read(Principal::System(SystemTask::Deliver));
        loop {
            let ended = self.shared.ended.notified();
            if self.shared.lanes().len() == 0 && !read.any_due_or_running().await? {
                return Ok(());
            }
            // The clock may have been moved, which nobody tells the claimer either.
            self.shared.market().store().tasks_due().notify_one();
            let _ = tokio::time::timeout(LOOK_EVERY, ended).await;
        }
    }

    /// Lets the reconcilers look at once.
    pub fn reconcile(&self) {
        self.shared.reconcile.notify_one();
    }
}

/// A task that ends when its handle goes: a dropped [`Jobs`] leaves nothing running.
fn spawn(work: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(work))
}

/// Runs the apalis worker until the stop.
async fn run_worker(shared: Arc<Shared>, tasks: mpsc::Receiver<Claimed>, stop: CancellationToken) {
    let worker = WorkerBuilder::new("leadyard")
        .backend(ClaimedTasks::new(tasks))
        .data(Arc::clone(&shared))
        .concurrency(shared.options.concurrency.max(1))
        .build(handle);
    let stopped = async move {
        stop.cancelled().await;
        Ok::<(), std::io::Error>(())
    };
    if let Err(error) = worker.run_until(stopped).await {
        tracing::error!(%error, "the worker ended");
    }
}
