//! Defects of the program itself, planted by tests: whatever breaks in the work for one lead, the market goes on for all
//! others, and nobody is told what is not known.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use leadyard_connectors::fake::{Bidding, Offer};
use leadyard_entity::testing::{CommitFault, plant_faults};
use leadyard_entity::{Store, StoreOptions};
use leadyard_market::{IntakeError, Market, MarketSettings};
use leadyard_tests::market::{Selling, TestMarket, daily, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::{
    Check, Clock, ContractTerms, Door, Ids, LeadAnswer, LeadDraft, LeadState, ManualClock, Method, Principal,
    RandomIds, Timestamp,
};
use serde_json::Value;
use uuid::Uuid;

/// Gives what it is asked for, but for the call at which it breaks.
#[derive(Debug)]
struct Breaking<T> {
    inner: T,
    /// How many calls are left until then; 0: it does not.
    left: AtomicUsize,
}

impl<T> Breaking<T> {
    fn new(inner: T) -> Arc<Self> {
        Arc::new(Self { inner, left: AtomicUsize::new(0) })
    }

    /// Makes the call break that comes so many calls from now.
    fn break_at(&self, call: usize) {
        self.left.store(call, Ordering::SeqCst);
    }

    fn has_broken(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    fn call(&self) {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(left != Ok(1), "a defect, planted by a test");
    }
}

impl Ids for Breaking<RandomIds> {
    fn uuid(&self) -> Uuid {
        self.call();
        self.inner.uuid()
    }
}

impl Clock for Breaking<Arc<ManualClock>> {
    fn now(&self) -> Timestamp {
        self.call();
        self.inner.now()
    }
}

/// A process beside the test's own, over the same database, whose ids and clock can break.
struct Process {
    market: Arc<Market>,
    ids: Arc<Breaking<RandomIds>>,
    clock: Arc<Breaking<Arc<ManualClock>>>,
}

impl Process {
    async fn beside(app: &TestApp) -> Self {
        let (ids, clock) = (Breaking::new(RandomIds), Breaking::new(Arc::clone(&app.clock)));
        let (url, master_keys) = (app.store().url().to_owned(), app.master_keys.clone());
        let options = StoreOptions { url, max_connections: 8, master_keys };
        let store = Store::open(options, clock.clone(), ids.clone()).await.unwrap();
        let market = Market::start(store, MarketSettings::default()).await.unwrap();
        Self { market, ids, clock }
    }

    async fn send(&self, of: &TestMarket, number: usize) -> Result<LeadAnswer, IntakeError> {
        self.send_as(of, &format!("lead {number}"), lead(number)).await
    }

    async fn send_as(&self, of: &TestMarket, key: &str, fields: Value) -> Result<LeadAnswer, IntakeError> {
        let draft = LeadDraft {
            source_id: of.source_id,
            door: Door::Rest,
            fields: fields.as_object().unwrap().clone(),
            consent: None,
            problems: Vec::new(),
            subid: None,
            external_id: None,
            idempotency_key: Some(key.to_owned()),
            enquired_at: None,
        };
        self.market.submit(Principal::Source { source_id: of.source_id }, draft).await
    }

    async fn end(self) {
        self.market.store().close().await;
    }
}

async fn figure(app: &TestApp, sql: &str) -> i64 {
    app.store().read(OPERATE).figure(sql).await.unwrap()
}

async fn leads(app: &TestApp) -> i64 {
    figure(app, "SELECT COUNT(*) AS figure FROM lead").await
}

/// A defect while a lead is placed is that lead's alone: nothing of it is stored, the next is placed, and so is it once it
/// comes again. Leads that were to be placed with it are placed each on its own. (One thread: all are sent before the writer
/// has its turn.)
#[tokio::test]
async fn a_defect_in_placing_is_one_leads_alone() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
        let process = Process::beside(&app).await;
        process.ids.break_at(1);
        let broken = process.send(&market, 1).await;
        assert!(matches!(broken, Err(IntakeError::Store(_))), "{broken:?}");
        assert!(process.ids.has_broken() && process.market.places());
        assert_eq!(leads(&app).await, 0, "nothing is left of it");
        for number in [2, 1] {
            let answer = process.send(&market, number).await.unwrap();
            assert_eq!((answer.state, answer.repeated), (LeadState::Sold, false), "{number}");
        }
        process.ids.break_at(5);
        let together = join_all((3..9).map(|number| process.send(&market, number))).await;
        assert!(process.ids.has_broken());
        for answer in together {
            let answer = answer.unwrap();
            assert_eq!((answer.state, answer.repeated), (LeadState::Sold, false));
        }
        assert_eq!(leads(&app).await, 8);
        process.end().await;
        app.finish().await;
    }
}

/// A defect while the market commits leaves it open what is stored: nobody is told that nothing was, and whoever sends the
/// same again gets the answer that stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_defect_in_committing_is_unclear() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", ContractTerms { caps: vec![daily(50)], ..terms(1_000) }).await;
        let process = Process::beside(&app).await;
        process.market.store().fail_commits("cap_counter", [CommitFault::Defect]);
        let unclear = process.send(&market, 1).await;
        assert_eq!(process.market.store().commits_to_fail(), 0);
        assert!(matches!(&unclear, Err(IntakeError::Store(error)) if error.is_transient()), "{unclear:?}");
        assert_eq!(leads(&app).await, 1, "it is stored");
        let again = process.send(&market, 1).await.unwrap();
        assert_eq!((again.state, again.repeated), (LeadState::Sold, true));
        assert_eq!(process.send(&market, 2).await.unwrap().state, LeadState::Sold);
        assert_eq!(leads(&app).await, 2);
        process.end().await;
        app.finish().await;
    }
}

/// A defect while a lead is looked at before its buyers are asked is that lead's alone, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_defect_in_looking_is_one_leads_alone() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { method: Method::Auction, ..Selling::default() }).await;
        let process = Process::beside(&app).await;
        process.market.connect(Arc::clone(&app.app.connectors));
        let unsold = process.send(&market, 1).await.unwrap();
        assert_eq!(unsold.state, LeadState::Unsold);
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        let ping = Some(app.asked_at(buyer, "/bidder", Bidding::Bid(Offer::of("20"))).await);
        app.contract(market.campaign_id, buyer, "a", ContractTerms { ping, ..terms(1) }).await;
        // Nothing asks for the time before whoever looks.
        process.clock.break_at(1);
        let broken = process.market.place_again(unsold.lead_id).await;
        assert!(matches!(broken, Err(IntakeError::Store(_))), "{broken:?}");
        assert!(process.clock.has_broken() && process.market.places());
        assert_eq!(app.bidder.count(), 0, "nobody was asked");
        assert_eq!(process.market.place_again(unsold.lead_id).await.unwrap().state, LeadState::Sold);
        assert_eq!(process.send(&market, 2).await.unwrap().state, LeadState::Sold);
        process.end().await;
        app.finish().await;
    }
}

/// A set-up of before may say spans that no calendar has: leads are placed all the same, and a person who came before is
/// found however long ago.
#[tokio::test(flavor = "multi_thread")]
async fn spans_beyond_all_calendars_stop_nothing() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
        let long = "UPDATE revision SET terms = REPLACE(terms, '\"window_days\":30', '\"window_days\":4000000000')";
        assert!(plant_faults(app.store().url(), &[long.to_owned()]).await.unwrap() > 0);
        let process = Process::beside(&app).await;
        let days = process.market.snapshot().campaigns[&market.campaign_id].terms.duplicates.window_days;
        assert_eq!(days, 4_000_000_000);
        assert_eq!(process.send(&market, 1).await.unwrap().state, LeadState::Sold);
        app.clock.advance(chrono::Duration::days(20 * 365));
        let again = process.send_as(&market, "much later", lead(1)).await.unwrap();
        assert_eq!((again.state, again.check), (LeadState::Rejected, Some(Check::Duplicate)));
        assert_eq!(process.send(&market, 2).await.unwrap().state, LeadState::Sold);
        process.end().await;
        app.finish().await;
    }
}
