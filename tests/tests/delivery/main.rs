//! Deliveries: never lost, never charged twice, whatever fails in between (domain page, section 5).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod callback;
mod crowd;
mod given_up;
mod isolation;
mod killed;
mod parked;
mod patience;
mod rotation;
mod status;
mod wake;

use std::time::Duration;

use leadyard_entity::model::{attempt, delivery, sale};
use leadyard_entity::reports::Totals;
use leadyard_entity::tasks::{Claim, Claimed};
use leadyard_entity::{Store, Write};
use leadyard_jobs::JobsOptions;
use leadyard_market::{Courier, MarketSettings};
use leadyard_tests::market::{TestMarket, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase, TestOptions};
use leadyard_types::{ContractTerms, DeliveryId, DestinationId, LeadId, Principal, SystemTask, Verdict};
use uuid::Uuid;

const DELIVER: Principal = Principal::System(SystemTask::Deliver);

async fn totals(app: &TestApp) -> Totals {
    app.store().read(OPERATE).totals().await.unwrap()
}

/// An application whose suppliers are not kept waiting for verdicts.
async fn start(database: TestDatabase) -> TestApp {
    let market = MarketSettings { verdict_wait: Duration::ZERO, ..MarketSettings::default() };
    TestApp::start_with(database, TestOptions { market, ..TestOptions::default() }).await
}

/// Sends leads one after the other and answers their ids; all are answered alike.
async fn send(app: &TestApp, market: &TestMarket, numbers: std::ops::Range<usize>, status: &str) -> Vec<LeadId> {
    let client = app.client(&market.key);
    let mut leads = Vec::new();
    for number in numbers {
        let (_, answer) = client.send_json("/v1/leads", &lead(number), None).await.unwrap();
        assert_eq!(answer["status"], status, "{answer}");
        leads.push(answer["lead_id"].as_str().unwrap().parse().unwrap());
    }
    leads
}

/// A buyer with money who takes everything at a webhook of its own.
async fn buyer(app: &TestApp, market: &TestMarket, name: &str, terms: ContractTerms) -> DestinationId {
    let buyer = app.buyer(name, 1_000_000, vec![]).await;
    let destination = app.webhook(buyer, &format!("/{name}")).await;
    let terms = ContractTerms { destinations: vec![destination], ..terms };
    app.contract(market.campaign_id, buyer, name, terms).await;
    destination
}

/// A buyer who is asked for a verdict.
async fn asking(app: &TestApp, name: &str, priority: u32, market: &TestMarket) -> DestinationId {
    buyer(app, market, name, ContractTerms { verdict: Verdict::Sync, priority, ..terms(1_000) }).await
}

/// Sends a lead and does not wait for a verdict.
async fn offer(app: &TestApp, market: &TestMarket, number: usize) -> LeadId {
    let (status, answer) = app.client(&market.key).send_json("/v1/leads", &lead(number), None).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    answer["lead_id"].as_str().unwrap().parse().unwrap()
}

/// Changes what is stored, past everything that guards it.
async fn plant(app: &TestApp, sql: &str) {
    let write = app.store().write(OPERATE).await.unwrap();
    assert!(write.plant(sql).await.unwrap() > 0, "{sql}");
    let _ = write.commit().await.unwrap();
}

/// What is held in all wallets.
async fn held(app: &TestApp) -> i64 {
    let sql = "SELECT CAST(SUM(held_minor) AS BIGINT) AS figure FROM ledger_account";
    app.store().read(OPERATE).figure(sql).await.unwrap()
}

/// How many sales were charged.
async fn charges(app: &TestApp) -> i64 {
    let sql = "SELECT COUNT(*) AS figure FROM ledger_transfer WHERE kind = 'SALE'";
    app.store().read(OPERATE).figure(sql).await.unwrap()
}

/// The only delivery of a lead.
async fn delivery_of(app: &TestApp, lead: LeadId) -> delivery::Model {
    let mut deliveries = deliveries_of(app, lead).await;
    assert_eq!(deliveries.len(), 1);
    deliveries.remove(0)
}

/// A lead's deliveries, sale after sale.
async fn deliveries_of(app: &TestApp, lead: LeadId) -> Vec<delivery::Model> {
    let read = app.store().read(OPERATE);
    let sales: Vec<Uuid> = sales_of(app, lead).await.iter().map(|sale| sale.id).collect();
    let mut deliveries = read.deliveries_of_sales(&sales).await.unwrap();
    sales.iter().flat_map(|sale| deliveries.remove(sale).unwrap_or_default()).collect()
}

/// A lead's sales by leg.
async fn sales_of(app: &TestApp, lead: LeadId) -> Vec<sale::Model> {
    let mut sales = app.store().read(OPERATE).sales_of_leads(&[lead.0]).await.unwrap();
    sales.remove(&lead.0).unwrap_or_default()
}

/// The kinds of a lead's steps.
async fn steps_of(app: &TestApp, lead: LeadId) -> Vec<String> {
    let mut events = app.store().read(OPERATE).events_of_leads(&[lead.0]).await.unwrap();
    events.remove(&lead.0).unwrap_or_default().into_iter().map(|event| event.kind).collect()
}

/// A delivery's attempts in order.
async fn attempts_of(app: &TestApp, id: DeliveryId) -> Vec<attempt::Model> {
    let mut attempts = app.store().read(OPERATE).attempts_of_deliveries(&[id.0]).await.unwrap();
    attempts.remove(&id.0).unwrap_or_default()
}

/// One who runs tasks as the test hands them out.
fn courier(app: &TestApp) -> Courier {
    Courier::start(app.app.market.clone(), app.app.connectors.clone(), JobsOptions::default().patience)
}

/// Claims what is due, as a worker does.
async fn claim(store: &Store) -> Vec<Claimed> {
    let write = store.write(DELIVER).await.unwrap();
    let claimed = claim_in(&write).await;
    let _ = write.commit().await.unwrap();
    claimed
}

async fn claim_in(write: &Write) -> Vec<Claimed> {
    let claim = Claim {
        lease_id: Uuid::from_u128(1),
        limit: 100,
        per_lane: 100,
        running: &[].into(),
        skip: &[],
        unlimited: &[],
        leased_until: write.store().clock().now() + chrono::Duration::seconds(20),
    };
    write.claim(&claim).await.unwrap()
}
