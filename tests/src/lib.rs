//! End-to-end tests over the whole application: a real database, a real server, real HTTP on loopback.
//!
//! [`TestApp::finish`] fails on what was left: undrained tasks, unreleased holds, unbalanced books. A test that ends
//! without it fails too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

use std::sync::Arc;
use std::time::Duration;

use leadyard::app::App;
use leadyard::http::server::{Server, ServerLimits};
use leadyard_connectors::fake::{FakeBidder, FakeReceiver};
use leadyard_connectors::{Connectors, LeadSender, OutboundPolicy, PostOffice, install_crypto};
use leadyard_entity::testing::OwnDatabase;
use leadyard_entity::{MasterKeys, Store, StoreOptions};
use leadyard_jobs::{Jobs, JobsOptions};
use leadyard_market::doctor::examine;
use leadyard_market::{Market, MarketSettings};
use leadyard_types::{Clock, ManualClock, Principal, RandomIds, SystemTask, Timestamp};

pub mod market;

/// The administrator at the command line.
pub const OPERATE: Principal = Principal::System(SystemTask::Operate);

/// The variable that names a PostgreSQL server for the tests.
pub const POSTGRES_VARIABLE: &str = "LEADYARD_TEST_POSTGRES";

/// A database of a test's own.
#[derive(Debug)]
pub enum TestDatabase {
    /// A file in a folder that goes with the test.
    Sqlite(tempfile::TempDir),
    /// A database on the server that the environment names.
    Postgres(OwnDatabase),
}

impl TestDatabase {
    /// A SQLite file.
    #[must_use]
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    /// A PostgreSQL database, or `None`, said loudly, where no server is named.
    pub async fn postgres() -> Option<Self> {
        let Ok(url) = std::env::var(POSTGRES_VARIABLE) else {
            println!("SKIPPED on PostgreSQL: {POSTGRES_VARIABLE} is not set");
            return None;
        };
        Some(Self::Postgres(OwnDatabase::create(&url).await.unwrap()))
    }

    /// Both databases, as far as they can be had.
    pub async fn both() -> Vec<Self> {
        [Some(Self::sqlite()), Self::postgres().await].into_iter().flatten().collect()
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path().join("test.sqlite").display()),
            Self::Postgres(own) => own.url(),
        }
    }

    /// A copy of it as it is now. Nobody may have it open.
    pub async fn copy(&self) -> Self {
        match self {
            Self::Sqlite(folder) => {
                let copy = tempfile::tempdir().unwrap();
                std::fs::copy(folder.path().join("test.sqlite"), copy.path().join("test.sqlite")).unwrap();
                Self::Sqlite(copy)
            }
            Self::Postgres(own) => Self::Postgres(own.copy().await.unwrap()),
        }
    }

    /// Opens it as it is, with nothing running on it.
    pub async fn open(&self, master_keys: MasterKeys, clock: Arc<ManualClock>) -> Store {
        let options = StoreOptions { url: self.url(), max_connections: 8, master_keys };
        Store::open(options, clock, Arc::new(RandomIds)).await.unwrap()
    }

    /// Removes it.
    pub async fn remove(self) {
        if let Self::Postgres(own) = self {
            own.remove().await.unwrap();
        }
    }
}

/// Runs a test on both databases, as far as they can be had, side by side.
pub async fn on_both<T: AsyncFn(TestDatabase)>(test: T) {
    let postgres = TestDatabase::postgres().await;
    let on_postgres = async {
        if let Some(database) = postgres {
            test(database).await;
        }
    };
    let (on_sqlite, on_postgres) = (Box::pin(test(TestDatabase::sqlite())), Box::pin(on_postgres));
    tokio::join!(on_sqlite, on_postgres);
}

/// Waits until a condition holds. It never waits for time: the bound only ends a test that would hang.
#[track_caller]
pub fn eventually<C, F>(what: &'static str, condition: C) -> impl Future<Output = ()>
where
    C: Fn() -> F,
    F: Future<Output = bool>,
{
    const BOUND: Duration = Duration::from_secs(60);
    let place = std::panic::Location::caller();
    async move {
        let held = async {
            while !condition().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(BOUND, held).await.is_ok(), "{place}: it never came to this: {what}");
    }
}

/// How a test's application runs.
#[derive(Debug, Clone)]
pub struct TestOptions {
    /// How the workers run.
    pub jobs: JobsOptions,
    /// How the market runs.
    pub market: MarketSettings,
    /// The keys that wrap all others; new ones where none are given.
    pub master_keys: Option<MasterKeys>,
    /// By which letters go to people who sign in; none are sent where none is given.
    pub post: Option<PostOffice>,
}

impl Default for TestOptions {
    fn default() -> Self {
        let jobs = JobsOptions { poll: Duration::from_millis(20), ..JobsOptions::default() };
        Self { jobs, market: MarketSettings::default(), master_keys: None, post: None }
    }
}

/// A running application with a database, a clock and a receiver of its own.
pub struct TestApp {
    /// Market and workers.
    pub app: App,
    /// The server.
    pub server: Option<Server>,
    /// Where leads are delivered.
    pub receiver: FakeReceiver,
    /// Buyers who are asked for bids.
    pub bidder: FakeBidder,
    /// The clock; it stands until it is moved.
    pub clock: Arc<ManualClock>,
    /// The rules of the way out.
    pub policy: OutboundPolicy,
    /// The keys that wrap all others.
    pub master_keys: MasterKeys,
    jobs: JobsOptions,
    database: Option<TestDatabase>,
    finished: bool,
}

impl TestApp {
    /// Starts an application on a database. The clock stands at a Wednesday noon in Berlin.
    pub async fn start(database: TestDatabase) -> Self {
        Self::start_with(database, TestOptions::default()).await
    }

    /// Starts an application that runs like this.
    pub async fn start_with(database: TestDatabase, options: TestOptions) -> Self {
        install_crypto();
        let start: Timestamp = "2026-07-01T10:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::starting_at(start));
        let master_keys = options.master_keys.unwrap_or_else(|| MasterKeys::generate().unwrap());
        let store = database.open(master_keys.clone(), clock.clone()).await;
        let receiver = FakeReceiver::start().await.unwrap();
        let bidder = FakeBidder::start().await.unwrap();
        let policy = OutboundPolicy::new(false).allowing(receiver.address()).allowing(bidder.address());
        let connectors = Connectors { post: options.post, ..Connectors::new(policy.clone(), None).unwrap() };
        let connectors = Arc::new(connectors);
        let market = Market::start(store, options.market).await.unwrap();
        market.connect(Arc::clone(&connectors));
        let jobs = Jobs::start(Arc::clone(&market), Arc::clone(&connectors), options.jobs);
        let app = App { market, connectors, jobs: Some(jobs), metrics_token: None, operations: Arc::default() };
        let router = app.router(policy.clone(), true).unwrap();
        let server = Server::start("127.0.0.1:0".parse().unwrap(), router).await.unwrap();
        app.market.known_as(&format!("http://{}", server.address));
        Self {
            app,
            server: Some(server),
            receiver,
            bidder,
            clock,
            policy,
            master_keys,
            jobs: options.jobs,
            database: Some(database),
            finished: false,
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        self.app.market.store()
    }

    /// What the clock shows.
    #[must_use]
    pub fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A client of the server, with a source's key; without any where the key is empty.
    #[must_use]
    pub fn client(&self, key: &str) -> LeadSender {
        let address = self.server.as_ref().unwrap().address;
        LeadSender::new(&format!("http://{address}"), (!key.is_empty()).then(|| key.to_owned().into())).unwrap()
    }

    /// A second server of the same application, with limits of its own.
    pub async fn serve_within(&self, limits: ServerLimits) -> Server {
        let router = self.app.router(self.policy.clone(), true).unwrap();
        Server::start_with("127.0.0.1:0".parse().unwrap(), router, limits).await.unwrap()
    }

    /// Waits until nothing is due.
    pub async fn idle(&self) {
        if let Some(jobs) = &self.app.jobs {
            jobs.idle().await.unwrap();
        }
        self.store().key_uses_noted().await;
    }

    /// Ends the workers once nothing is due: from here on only what the test does reaches the database.
    pub async fn rest(&mut self) {
        self.idle().await;
        if let Some(jobs) = self.app.jobs.take() {
            jobs.shutdown().await;
        }
    }

    /// Another process beside this one: a market of its own over the same database, with workers where it is told how.
    pub async fn another_process(&self, jobs: Option<JobsOptions>) -> App {
        let database = self.database.as_ref().unwrap();
        let store = database.open(self.master_keys.clone(), self.clock.clone()).await;
        App::start(store, Arc::clone(&self.app.connectors), jobs).await.unwrap()
    }

    /// Starts workers again after [`Self::rest`].
    pub fn work(&mut self) {
        let (market, connectors) = (Arc::clone(&self.app.market), Arc::clone(&self.app.connectors));
        self.app.jobs = Some(Jobs::start(market, connectors, self.jobs));
    }

    /// Ends the test: everything due is done, and every proof of the doctor holds.
    pub async fn finish(self) {
        self.finish_and_keep().await.remove().await;
    }

    /// Ends the test and keeps its database, closed.
    pub async fn finish_and_keep(mut self) -> TestDatabase {
        self.finished = true;
        self.idle().await;
        let report = examine(self.store()).await.unwrap();
        let broken: Vec<_> = report.proofs.iter().filter(|proof| !proof.ok).collect();
        assert!(broken.is_empty(), "left behind: {broken:?}");
        assert_eq!(report.ledger_sum, 0);
        if let Some(server) = self.server.take() {
            server.shutdown().await;
        }
        if let Some(jobs) = self.app.jobs.take() {
            jobs.shutdown().await;
        }
        self.store().close().await;
        self.database.take().unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        assert!(self.finished || std::thread::panicking(), "end the test with `finish`, which looks for leftovers");
    }
}
