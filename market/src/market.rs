//! The market: one per process. It holds the configuration's snapshot and the queue of the one writer.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use leadyard_connectors::Connectors;
use leadyard_entity::configuration::ConfigVersion;
use leadyard_entity::ledger::AccountKey;
use leadyard_entity::{Store, StoreResult};
use leadyard_types::{AccountId, BuyerId, Clock, DestinationId, Ids, Principal, SystemTask, Timestamp};
use tokio::sync::{Notify, mpsc};

use crate::auctions::AuctionWatch;
use crate::batcher::Batcher;
use crate::bidders::{self, Bidders};
use crate::floor::Floor;
use crate::placement::{Job, Look, Watch, looker, writer};
use crate::rules::auction::complaint_ppm;
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

/// Buyers' expected complaint rates, millionths; a buyer that is absent never bought.
pub(crate) type ComplaintRates = HashMap<BuyerId, u32>;

/// Rates of ninety days change slowly.
const COMPLAINT_RATES_MINUTES: i64 = 5;
/// How far back complaints count.
const COMPLAINT_RATES_DAYS: i64 = 90;

/// The market of this process.
pub struct Market {
    pub(crate) store: Store,
    pub(crate) settings: MarketSettings,
    snapshot: RwLock<Arc<Snapshot>>,
    pub(crate) accounts: Mutex<HashMap<AccountKey, AccountId>>,
    /// By which buyers are asked for bids; not there in processes that place nothing.
    pub(crate) bidders: OnceLock<Arc<Connectors>>,
    /// The address the world knows this server by; without it buyers are given none to call back.
    pub(crate) public_url: OnceLock<String>,
    complaint_rates: Mutex<Option<(Timestamp, Arc<ComplaintRates>)>>,
    /// The configuration's version: whoever asks at the same moment shares one look.
    versions: Batcher<(), ConfigVersion>,
    /// Where buyers are asked.
    pub(crate) bidders_read: Batcher<BTreeSet<DestinationId>, Bidders>,
    pub(crate) queue: mpsc::Sender<Job>,
    /// Leads to be looked at before their buyers are asked.
    pub(crate) looks: mpsc::Sender<Look>,
    pub(crate) watch: Watch,
    pub(crate) auctions: Arc<AuctionWatch>,
    /// Where auctions run; opened by the first.
    pub(crate) floor: OnceLock<Floor>,
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
        let (looks, looked) = mpsc::channel(settings.queue_leads);
        let versions = Batcher::start(settings.batch_leads.max(1), {
            let store = store.clone();
            move |asking: Vec<()>| {
                let read = store.read(Principal::System(SystemTask::Place));
                async move { Ok(vec![read.config_version().await?; asking.len()]) }
            }
        });
        let bidders_read = bidders::lookup(&store, settings.batch_leads.max(1));
        let market = Arc::new(Self {
            store,
            snapshot: RwLock::new(snapshot),
            accounts: Mutex::new(HashMap::new()),
            bidders: OnceLock::new(),
            public_url: OnceLock::new(),
            complaint_rates: Mutex::new(None),
            versions,
            bidders_read,
            queue,
            looks,
            watch: Watch::default(),
            auctions: Arc::default(),
            floor: OnceLock::new(),
            settled: Arc::new(Notify::new()),
            settings,
        });
        tokio::spawn(writer(Arc::downgrade(&market), jobs));
        tokio::spawn(looker(Arc::downgrade(&market), looked));
        Ok(market)
    }

    /// Whether leads are placed: false once a task has ended that every lead waits for, until the process is started anew.
    #[must_use]
    pub fn places(&self) -> bool {
        let ended = [self.queue.is_closed(), self.looks.is_closed(), self.versions.ended(), self.bidders_read.ended()];
        !ended.contains(&true)
    }

    /// Says by which address the world knows this server, once: buyers who answer are told where to call back.
    pub fn known_as(&self, public_url: &str) {
        let _ = self.public_url.set(public_url.trim_end_matches('/').to_owned());
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

    /// How many leads wait for the writer.
    #[must_use]
    pub fn leads_waiting(&self) -> u64 {
        (self.queue.max_capacity() - self.queue.capacity()) as u64
    }

    /// Buyers' complaint rates, as auctions rank by them; counted anew every few minutes, and only where something is
    /// auctioned. What a decision saw is stored with it.
    pub(crate) async fn complaint_rates(&self, snapshot: &Snapshot) -> StoreResult<Arc<ComplaintRates>> {
        if !snapshot.auctions() {
            return Ok(Arc::default());
        }
        let now = self.clock().now();
        let fresh = |counted: &Timestamp| (now - *counted).num_minutes() < COMPLAINT_RATES_MINUTES;
        let cached = self.complaint_rates.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, rates)) = cached.filter(|(counted, _)| fresh(counted)) {
            return Ok(rates);
        }
        let read = self.store.read(Principal::System(SystemTask::Place));
        let figures = read.complaint_figures(now - chrono::Duration::days(COMPLAINT_RATES_DAYS)).await?;
        let rates = figures.into_iter().map(|(buyer, (upheld, sales))| (buyer, complaint_ppm(upheld, sales)));
        let rates: Arc<ComplaintRates> = Arc::new(rates.collect());
        *self.complaint_rates.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&rates)));
        Ok(rates)
    }

    /// The configuration as it is now, brought up to date where it has changed.
    pub(crate) async fn current(&self) -> StoreResult<Arc<Snapshot>> {
        let version = self.versions.submit(()).await?;
        let known = self.snapshot();
        if known.version == version { Ok(known) } else { self.refresh().await }
    }

    /// Brings the snapshot up to date.
    pub async fn refresh(&self) -> StoreResult<Arc<Snapshot>> {
        let next = Arc::new(self.snapshot().refreshed(&self.store).await?);
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&next);
        Ok(next)
    }
}
