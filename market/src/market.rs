//! The market: one per process. It holds the configuration's snapshot and the queue of the one writer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use leadyard_entity::ledger::AccountKey;
use leadyard_entity::{Store, StoreResult};
use leadyard_types::{AccountId, Clock, Ids};
use tokio::sync::{Notify, mpsc};

use crate::placement::{Job, Watch, writer};
use crate::rules::phone;
use crate::snapshot::Snapshot;

/// How the market runs.
#[derive(Debug, Clone)]
pub struct MarketSettings {
    /// How many leads may wait for the writer before senders are told to come back.
    pub queue_leads: usize,
    /// The most leads one transaction takes.
    pub batch_leads: usize,
    /// How long a sender waits for the verdicts of buyers who answer.
    pub verdict_wait: Duration,
}

impl Default for MarketSettings {
    fn default() -> Self {
        // 512 leads a transaction: beyond that throughput gains little and everybody waits longer.
        Self { queue_leads: 4_096, batch_leads: 512, verdict_wait: Duration::from_secs(10) }
    }
}

/// The market of this process.
pub struct Market {
    pub(crate) store: Store,
    pub(crate) settings: MarketSettings,
    snapshot: RwLock<Arc<Snapshot>>,
    pub(crate) accounts: Mutex<HashMap<AccountKey, AccountId>>,
    pub(crate) queue: mpsc::Sender<Job>,
    pub(crate) watch: Watch,
    /// Notified after commits that added tasks: workers wait on it.
    pub wake: Arc<Notify>,
    /// Notified after a buyer's verdict was settled: senders wait on it.
    pub settled: Arc<Notify>,
}

impl std::fmt::Debug for Market {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Market").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Market {
    /// Loads the configuration and starts the writer.
    pub async fn start(store: Store, settings: MarketSettings) -> StoreResult<Arc<Self>> {
        // Beside reading the configuration: the first lead should not wait for it.
        tokio::task::spawn_blocking(phone::prepare);
        let snapshot = Arc::new(Snapshot::load(&store).await?);
        let (queue, jobs) = mpsc::channel(settings.queue_leads);
        let market = Arc::new(Self {
            store,
            snapshot: RwLock::new(snapshot),
            accounts: Mutex::new(HashMap::new()),
            queue,
            watch: Watch::default(),
            wake: Arc::new(Notify::new()),
            settled: Arc::new(Notify::new()),
            settings,
        });
        tokio::spawn(writer(Arc::downgrade(&market), jobs));
        Ok(market)
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.store.clock()
    }

    /// Where new ids come from.
    #[must_use]
    pub fn ids(&self) -> &Arc<dyn Ids> {
        self.store.ids()
    }

    /// The configuration as this process knows it. Placement checks its version in every transaction.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Brings the snapshot up to date.
    pub async fn refresh(&self) -> StoreResult<Arc<Snapshot>> {
        let next = Arc::new(self.snapshot().refreshed(&self.store).await?);
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&next);
        Ok(next)
    }
}
